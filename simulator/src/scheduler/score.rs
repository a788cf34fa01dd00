//! The scores of the default profile and their weights.
//!
//! Source: kubernetes pkg/scheduler/apis/config/v1/default_plugins.go:getDefaultPlugins and the plugins' Score and
//! NormalizeScore.

use super::{NodeState, PodRequest, affinity, resources, spread};
use crate::selector::{Effect, tolerates};

/// Images below this size do not matter, in bytes.
const IMAGES_MIN: i64 = 23 * 1024 * 1024;

/// Per container: larger images do not matter more, in bytes.
const IMAGES_MAX: i64 = 1000 * 1024 * 1024;

/// The weighted scores of one node; `None` where a plugin has nothing to say about the pod on any node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PluginScores {
    /// Fewer soft taints that the pod does not tolerate; weight 3, the strongest steering without force.
    pub taint_toleration: i64,
    /// Preferred node affinity; weight 2.
    pub node_affinity: Option<i64>,
    /// Room that is left; weight 1.
    pub resources_fit: i64,
    /// Balance of cpu and memory; weight 1. `None` for pods that request nothing.
    pub balanced_allocation: Option<i64>,
    /// Preferred spreading; weight 2.
    pub topology_spread: Option<i64>,
    /// Preferred affinity between pods; weight 2.
    pub pod_affinity: Option<i64>,
    /// Images that are there already; weight 1.
    pub image_locality: i64,
}

impl PluginScores {
    /// What decides.
    pub fn total(&self) -> i64 {
        let optional =
            [self.node_affinity, self.balanced_allocation, self.topology_spread, self.pod_affinity];
        self.taint_toleration
            + self.resources_fit
            + self.image_locality
            + optional.into_iter().flatten().sum::<i64>()
    }
}

/// Scores the candidates, in their order.
pub(super) fn score(pod: &PodRequest<'_>, nodes: &[NodeState], candidates: &[usize]) -> Vec<PluginScores> {
    let soft_taints = candidates.iter().map(|&i| untolerated_soft_taints(pod, &nodes[i])).collect();
    let taints = normalised(soft_taints);
    let preference =
        pod.affinity_preference.map(|of| normalised(candidates.iter().map(|&i| of[i]).collect()));
    let spread = spread::score(pod, nodes, candidates);
    let affinity = affinity::score(&pod.pod_affinity, candidates);
    let asks_nothing = pod.requests.cpu_m == 0 && pod.requests.memory == 0;
    let of = |scores: &Option<Vec<i64>>, k: usize| scores.as_ref().map(|scores| 2 * scores[k]);
    let node_scores = |(k, &i): (usize, &usize)| PluginScores {
        taint_toleration: 3 * (100 - taints[k]),
        node_affinity: of(&preference, k),
        resources_fit: resources::least_allocated(pod.requests_nonzero, &nodes[i]),
        balanced_allocation: (!asks_nothing).then(|| resources::balanced_allocation(pod.requests, &nodes[i])),
        topology_spread: of(&spread, k),
        pod_affinity: of(&affinity, k),
        image_locality: image_locality(pod, i),
    };
    candidates.iter().enumerate().map(node_scores).collect()
}

fn untolerated_soft_taints(pod: &PodRequest<'_>, node: &NodeState) -> i64 {
    let soft = node.taints.iter().filter(|taint| taint.effect == Effect::PreferNoSchedule);
    soft.filter(|taint| !tolerates(pod.tolerations, taint)).map(|_| 1).sum()
}

/// Scaled so that the highest is 100; all 0 where none is above 0.
fn normalised(scores: Vec<i64>) -> Vec<i64> {
    match scores.iter().max().copied() {
        Some(highest @ 1..) => scores.into_iter().map(|score| score.saturating_mul(100) / highest).collect(),
        _ => vec![0; scores.len()],
    }
}

/// Images count by their size and by the share of nodes that have them, so that no node attracts everything.
fn image_locality(pod: &PodRequest<'_>, position: usize) -> i64 {
    let share = |on_node: &[bool]| on_node.iter().filter(|&&has| has).count() as f64 / on_node.len() as f64;
    let present = pod.images.iter().filter(|image| image.on_node[position]);
    let sum = present
        .fold(0_i64, |sum, image| sum.saturating_add((image.size as f64 * share(image.on_node)) as i64));
    let highest = IMAGES_MAX * i64::from(pod.containers.max(1));
    100 * (sum.clamp(IMAGES_MIN, highest) - IMAGES_MIN) / (highest - IMAGES_MIN)
}
