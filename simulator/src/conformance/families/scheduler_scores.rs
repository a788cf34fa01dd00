//! Which nodes suit a pod, and how the default profile scores them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Taint as ApiTaint, Toleration as ApiToleration};
use serde::Deserialize;
use serde_json::json;

use super::{Answer, CaseError, meaningless};
use crate::scheduler::{
    CPU_M_ASSUMED, MEMORY_ASSUMED, NodeState, PluginScores, PodRequest, Resources, Spread, SpreadConstraint,
    evaluate,
};
use crate::selector::{SelectorError, Taint, Toleration};

#[derive(Deserialize)]
struct Case {
    nodes: Vec<CaseNode>,
    pod: CasePod,
    scores: BTreeMap<String, i64>,
    plugin_scores: BTreeMap<String, BTreeMap<String, i64>>,
    chosen: Option<String>,
}

#[derive(Deserialize)]
struct CaseNode {
    name: String,
    zone: String,
    allocatable_cpu_m: i64,
    allocatable_mem_mib: i64,
    allocatable_pods: u32,
    taints: Vec<ApiTaint>,
    unschedulable: bool,
    pods: Vec<BoundPod>,
}

#[derive(Deserialize)]
struct BoundPod {
    cpu_m: i64,
    mem_mib: i64,
    app: String,
}

#[derive(Deserialize)]
struct CasePod {
    cpu_m: i64,
    mem_mib: i64,
    app: String,
    tolerations: Vec<ApiToleration>,
    matched_by_service: bool,
}

/// The pods that the Service of a case selects.
const SERVED_APP: &str = "web";

pub(in super::super) fn run(line: &[u8]) -> Result<Answer, CaseError> {
    let case: Case = serde_json::from_slice(line)?;
    let tolerations: Vec<Toleration> =
        case.pod.tolerations.iter().map(Toleration::compile).collect::<Result<_, _>>().map_err(unreadable)?;
    let nodes: Vec<NodeState> = case.nodes.iter().map(node_state).collect::<Result<_, _>>()?;

    let mut zone_ids: BTreeMap<&str, u32> = BTreeMap::new();
    for node in &case.nodes {
        let next = u32::try_from(zone_ids.len()).unwrap_or(u32::MAX);
        zone_ids.entry(&node.zone).or_insert(next);
    }
    let zones: Vec<u32> = case.nodes.iter().map(|node| zone_ids[node.zone.as_str()]).collect();
    let hosts: Vec<u32> = (0..).take(nodes.len()).collect();
    let served = |node: &CaseNode| {
        (0..).zip(node.pods.iter().filter(|pod| pod.app == SERVED_APP)).map(|(n, _)| n + 1).last()
    };
    let matching: Vec<u32> = case.nodes.iter().map(|node| served(node).unwrap_or(0)).collect();
    let constraints = SpreadConstraint::default_for(&hosts, &zones, &matching);
    let spreads = case.pod.matched_by_service && case.pod.app == SERVED_APP;
    let pod = PodRequest {
        tolerations: &tolerations,
        requests: requests(case.pod.cpu_m, case.pod.mem_mib),
        requests_nonzero: requests_nonzero(case.pod.cpu_m, case.pod.mem_mib),
        spread: Spread {
            required: &[],
            preferred: if spreads { &constraints } else { &[] },
            is_default: true,
        },
        containers: 1,
        ..PodRequest::default()
    };
    let (feasible, scores) = evaluate(&pod, &nodes);

    let name = |position: usize| case.nodes[position].name.clone();
    let totals: BTreeMap<String, i64> =
        feasible.iter().zip(&scores).map(|(&i, scores)| (name(i), scores.total())).collect();
    let by_plugin: BTreeMap<String, BTreeMap<String, i64>> =
        feasible.iter().zip(&scores).map(|(&i, scores)| (name(i), plugin_scores(scores))).collect();
    // Which of several best nodes was taken is chance.
    let best: Vec<String> = match totals.values().max() {
        Some(highest) => {
            totals.iter().filter(|(_, total)| *total == highest).map(|(name, _)| name.clone()).collect()
        }
        None => feasible.iter().map(|&i| name(i)).collect(),
    };
    let chosen_agrees = match &case.chosen {
        Some(chosen) => best.contains(chosen),
        None => best.is_empty(),
    };
    Ok(Answer {
        agrees: totals == case.scores && by_plugin == case.plugin_scores && chosen_agrees,
        expected: json!({
            "scores": case.scores, "plugin_scores": case.plugin_scores, "chosen": case.chosen,
        }),
        got: json!({ "scores": totals, "plugin_scores": by_plugin, "chosen_one_of": best }),
    })
}

fn node_state(node: &CaseNode) -> Result<NodeState, CaseError> {
    let mut state = NodeState {
        taints: node.taints.iter().map(Taint::compile).collect::<Result<_, _>>().map_err(unreadable)?,
        unschedulable: node.unschedulable,
        allocatable: requests(node.allocatable_cpu_m, node.allocatable_mem_mib),
        pods_allowed: node.allocatable_pods,
        ..NodeState::default()
    };
    for pod in &node.pods {
        state.on_bound(requests(pod.cpu_m, pod.mem_mib), requests_nonzero(pod.cpu_m, pod.mem_mib), &[]);
    }
    Ok(state)
}

fn requests(cpu_m: i64, mem_mib: i64) -> Resources {
    Resources { cpu_m, memory: mem_mib.saturating_mul(1024 * 1024) }
}

/// 0 stands for a request that is not there.
fn requests_nonzero(cpu_m: i64, mem_mib: i64) -> Resources {
    let written = requests(cpu_m, mem_mib);
    Resources {
        cpu_m: if cpu_m == 0 { CPU_M_ASSUMED } else { written.cpu_m },
        memory: if mem_mib == 0 { MEMORY_ASSUMED } else { written.memory },
    }
}

fn plugin_scores(scores: &PluginScores) -> BTreeMap<String, i64> {
    let named = [
        ("TaintToleration", Some(scores.taint_toleration)),
        ("NodeAffinity", scores.node_affinity),
        ("NodeResourcesFit", Some(scores.resources_fit)),
        ("NodeResourcesBalancedAllocation", scores.balanced_allocation),
        ("PodTopologySpread", scores.topology_spread),
        ("InterPodAffinity", scores.pod_affinity),
        ("ImageLocality", Some(scores.image_locality)),
        // No pod of the model claims devices.
        ("DynamicResources", Some(0)),
    ];
    named.into_iter().filter_map(|(name, score)| Some((name.to_owned(), score?))).collect()
}

fn unreadable(error: SelectorError) -> CaseError {
    meaningless("taints or tolerations", error.to_string())
}
