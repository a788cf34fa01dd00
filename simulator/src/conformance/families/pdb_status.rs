//! The status of a PodDisruptionBudget.

use serde::Deserialize;
use serde_json::json;

use super::{Answer, CaseError, int_or_percent, meaningless, phase};
use crate::controllers::disruption::{Demand, Pod, Status, status};

#[derive(Deserialize)]
struct Case {
    min_available: Option<String>,
    max_unavailable: Option<String>,
    owner: String,
    owner_replicas: i32,
    pods: Vec<CasePod>,
    current_healthy: i32,
    desired_healthy: i32,
    expected_pods: i32,
    disruptions_allowed: i32,
}

#[derive(Deserialize)]
struct CasePod {
    ready: bool,
    terminating: bool,
    phase: String,
}

pub(in super::super) fn run(line: &[u8]) -> Result<Answer, CaseError> {
    let case: Case = serde_json::from_slice(line)?;
    let demand = match (&case.min_available, &case.max_unavailable) {
        (Some(text), None) => Demand::MinAvailable(int_or_percent("min_available", text)?),
        (None, Some(text)) => Demand::MaxUnavailable(int_or_percent("max_unavailable", text)?),
        _ => return Err(meaningless("min_available", "both or none of the two demands")),
    };
    if !matches!(case.owner.as_str(), "Deployment" | "ReplicaSet" | "StatefulSet" | "ReplicationController") {
        return Err(meaningless("owner", case.owner));
    }
    for pod in &case.pods {
        phase(&pod.phase)?;
    }
    let pods: Vec<Pod> = case
        .pods
        .iter()
        .map(|pod| Pod { ready: pod.ready, terminating: pod.terminating, disrupted_at: None })
        .collect();
    // The scale is that of the controllers of existing pods.
    let scale = if pods.is_empty() { 0 } else { case.owner_replicas };
    let answer = |status: Option<Status>| {
        status.map_or_else(Default::default, |status| {
            json!({
                "current_healthy": status.current_healthy,
                "desired_healthy": status.desired_healthy,
                "expected_pods": status.expected_pods,
                "disruptions_allowed": status.disruptions_allowed,
            })
        })
    };
    let expected = Status {
        current_healthy: case.current_healthy,
        desired_healthy: case.desired_healthy,
        expected_pods: case.expected_pods,
        disruptions_allowed: case.disruptions_allowed,
    };
    Ok(Answer::compare(answer(Some(expected)), answer(status(demand, Some(scale), &pods, 0))))
}
