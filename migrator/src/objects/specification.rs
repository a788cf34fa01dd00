//! What a migration reads of a pod's specification.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1 as core;

use crate::quantity;
use crate::view::{PodSpec, Resources};

/// A pod's specification, or a template's. The node that a pod is bound to is no part of it.
pub(super) fn pod_spec(from: &core::PodSpec) -> PodSpec {
    let mut kubernetes = from.clone();
    kubernetes.node_name = None;
    PodSpec {
        requests: requests(from),
        grace_period: match from.termination_grace_period_seconds {
            // The API server takes a negative one for 1 s.
            Some(seconds) => Duration::from_secs(u64::try_from(seconds).unwrap_or(1)),
            None => Duration::from_secs(30),
        },
        pre_stop: from
            .containers
            .iter()
            .map(pre_stop)
            .try_fold(Duration::ZERO, |longest, hook| Some(longest.max(hook?))),
        tolerations: from.tolerations.clone().unwrap_or_default(),
        volume_claims: from
            .volumes
            .iter()
            .flatten()
            .filter_map(|volume| volume.persistent_volume_claim.as_ref())
            .map(|claim| claim.claim_name.as_str().into())
            .collect(),
        kubernetes: Arc::new(kubernetes),
    }
}

/// How long a container's preStop hook runs: a `sleep` handler, or an exec of `sleep N`; `None` where that cannot be told.
fn pre_stop(container: &core::Container) -> Option<Duration> {
    let Some(hook) = container.lifecycle.as_ref().and_then(|lifecycle| lifecycle.pre_stop.as_ref()) else {
        return Some(Duration::ZERO);
    };
    if let Some(sleep) = &hook.sleep {
        return Some(Duration::from_secs(u64::try_from(sleep.seconds).unwrap_or(0)));
    }
    let command = hook.exec.as_ref().and_then(|exec| exec.command.as_deref()).unwrap_or_default();
    let words: Vec<&str> = command.iter().flat_map(|argument| argument.split_whitespace()).collect();
    let is_sleep = |word: &str| word == "sleep" || word.ends_with("/sleep");
    let pair = words.windows(2).find(|pair| is_sleep(pair[0]))?;
    pair[1].trim_end_matches(['s', ';']).parse().ok().map(Duration::from_secs)
}

/// Requests as the scheduler sums them. Init containers run before the others, so the largest of them counts if it is
/// larger than their sum; sidecars are added to both. Source: kubernetes `component-helpers/resource`.
fn requests(spec: &core::PodSpec) -> Resources {
    let mut sum = spec.containers.iter().fold(NOTHING, |sum, container| plus(sum, of(container)));
    let (mut sidecars, mut largest) = (NOTHING, NOTHING);
    for container in spec.init_containers.iter().flatten() {
        if container.restart_policy.as_deref() == Some("Always") {
            sidecars = plus(sidecars, of(container));
            sum = plus(sum, of(container));
        } else {
            let with = plus(sidecars, of(container));
            largest = [largest[0].max(with[0]), largest[1].max(with[1])];
        }
    }
    sum = [sum[0].max(largest[0]), sum[1].max(largest[1])];
    if let Some(overhead) = &spec.overhead {
        let amount = |name: &str| overhead.get(name).map(|quantity| quantity.0.as_str());
        sum = plus(
            sum,
            [
                amount("cpu").and_then(quantity::milli).unwrap_or(0),
                amount("memory").and_then(quantity::whole).unwrap_or(0),
            ],
        );
    }
    Resources { cpu_milli: sum[0], memory: sum[1], pods: 1 }
}

/// Thousandths of a core, and bytes.
type Amount = [u64; 2];

const NOTHING: Amount = [0, 0];

fn of(container: &core::Container) -> Amount {
    let requests = container.resources.as_ref().and_then(|resources| resources.requests.as_ref());
    let amount = |name: &str| requests.and_then(|all| all.get(name)).map(|quantity| quantity.0.as_str());
    [
        amount("cpu").and_then(quantity::milli).unwrap_or(0),
        amount("memory").and_then(quantity::whole).unwrap_or(0),
    ]
}

fn plus(a: Amount, b: Amount) -> Amount {
    [a[0].saturating_add(b[0]), a[1].saturating_add(b[1])]
}
