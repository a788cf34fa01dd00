//! Which pods a ReplicaSet deletes.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::json;

use super::{Answer, CaseError, phase};
use crate::controllers::is_active;
use crate::controllers::replica_set::{Pod, deletion_cost, victims};

#[derive(Deserialize)]
struct Case {
    pods: Vec<CasePod>,
    delete: usize,
    always: Vec<String>,
    sometimes: Vec<String>,
}

#[derive(Deserialize)]
struct CasePod {
    name: String,
    uid: String,
    node: Option<String>,
    phase: String,
    ready: bool,
    ready_age_s: f64,
    age_s: f64,
    restarts: Vec<i32>,
    deletion_cost: Option<String>,
    own: bool,
    terminating: bool,
}

pub(in super::super) fn run(line: &[u8]) -> Result<Answer, CaseError> {
    let case: Case = serde_json::from_slice(line)?;
    let mut node_ids: BTreeMap<&str, u32> = BTreeMap::new();
    for name in case.pods.iter().filter_map(|pod| pod.node.as_deref()) {
        let next = u32::try_from(node_ids.len()).unwrap_or(u32::MAX);
        node_ids.entry(name).or_insert(next);
    }
    let (mut pods, mut names, mut related) = (Vec::new(), Vec::new(), Vec::new());
    for pod in &case.pods {
        let phase = phase(&pod.phase)?;
        if !is_active(phase, pod.terminating) {
            continue;
        }
        let node = pod.node.as_deref().and_then(|name| node_ids.get(name)).copied();
        related.push(node);
        if pod.own {
            names.push(pod.name.as_str());
            pods.push(Pod {
                uid: &pod.uid,
                node,
                phase,
                ready: pod.ready,
                ready_age_ns: nanoseconds(pod.ready_age_s),
                age_ns: nanoseconds(pod.age_s),
                restarts: pod.restarts.iter().copied().max().unwrap_or(0),
                sidecar_restarts: 0,
                deletion_cost: deletion_cost(pod.deletion_cost.as_deref()),
            });
        }
    }
    let got: BTreeSet<&str> = victims(&pods, &related, case.delete).into_iter().map(|i| names[i]).collect();
    let always: BTreeSet<&str> = case.always.iter().map(String::as_str).collect();
    let sometimes: BTreeSet<&str> = case.sometimes.iter().map(String::as_str).collect();
    let agrees = got.len() == case.delete
        && got.is_superset(&always)
        && got.iter().all(|name| always.contains(name) || sometimes.contains(name));
    Ok(Answer {
        expected: json!({ "delete": case.delete, "always": always, "sometimes": sometimes }),
        got: json!({ "victims": got }),
        agrees,
    })
}

/// Beyond what 64 bits hold the largest age stands for all.
fn nanoseconds(seconds: f64) -> i64 {
    (seconds * 1e9) as i64
}
