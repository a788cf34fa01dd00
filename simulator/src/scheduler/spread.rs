//! Topology spread constraints, required and preferred.
//!
//! Source: kubernetes pkg/scheduler/framework/plugins/podtopologyspread/{filtering,scoring}.go.

use super::logarithm::ln;
use super::{NO_DOMAIN, NodeState, PodRequest, Reason, sum_by_domain};
use crate::selector::untolerated;

#[cfg(test)]
mod tests;

/// How a pod spreads.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spread<'a> {
    /// Its constraints with `whenUnsatisfiable: DoNotSchedule`.
    pub required: &'a [SpreadConstraint<'a>],
    /// Its constraints with `whenUnsatisfiable: ScheduleAnyway`; or the default ones, see [`SpreadConstraint::default_for`].
    pub preferred: &'a [SpreadConstraint<'a>],
    /// `preferred` are the default ones: then a node that lacks one of the labels is scored by the others.
    pub is_default: bool,
}

impl Spread<'_> {
    pub(super) fn lengths(&self) -> impl Iterator<Item = usize> + '_ {
        self.required.iter().chain(self.preferred).flat_map(|one| [one.domains.len(), one.matching.len()])
    }
}

/// One constraint.
#[derive(Debug, Clone, Copy)]
pub struct SpreadConstraint<'a> {
    /// By how much a domain may exceed the smallest.
    pub max_skew: i32,
    /// With fewer domains the smallest counts as empty; default 1.
    pub min_domains: i32,
    /// Its selector matches the pod itself.
    pub matches_itself: bool,
    /// The topology key is `kubernetes.io/hostname`: every node is a domain of its own.
    pub is_hostname: bool,
    /// `nodeAffinityPolicy`, default Honor: nodes that the pod's node affinity excludes are no domains.
    pub honors_affinity: bool,
    /// `nodeTaintsPolicy`, by default not Honor: nodes whose taints the pod does not tolerate are no domains. A cordon
    /// counts as its taint alone.
    pub honors_taints: bool,
    /// Per node: its domain, or [`NO_DOMAIN`]. Domains are small numbers: memory is used up to the largest.
    pub domains: &'a [u32],
    /// Per node: its pods in the pod's namespace that match the selector, terminating ones left out.
    pub matching: &'a [u32],
}

impl<'a> SpreadConstraint<'a> {
    /// The two constraints of a pod that has none of its own but belongs to a Service, ReplicaSet, StatefulSet or
    /// ReplicationController, whose selectors together say what matches: hosts with skew 3, zones with skew 5.
    pub fn default_for(hosts: &'a [u32], zones: &'a [u32], matching: &'a [u32]) -> [SpreadConstraint<'a>; 2] {
        let hosts = SpreadConstraint {
            max_skew: 3,
            min_domains: 1,
            matches_itself: true,
            is_hostname: true,
            honors_affinity: true,
            honors_taints: false,
            domains: hosts,
            matching,
        };
        [hosts, SpreadConstraint { max_skew: 5, is_hostname: false, domains: zones, ..hosts }]
    }

    /// Whether the pods of a node count.
    fn includes(&self, pod: &PodRequest<'_>, nodes: &[NodeState], position: usize) -> bool {
        (!self.honors_affinity || pod.affinity_allows.is_none_or(|allows| allows[position]))
            && (!self.honors_taints || untolerated(&nodes[position].taints, pod.tolerations).is_none())
    }
}

/// The matching pods per domain of a required constraint.
pub(super) struct Domains {
    matching: Vec<i64>,
    minimum: i64,
}

pub(super) fn domains(pod: &PodRequest<'_>, nodes: &[NodeState]) -> Vec<Domains> {
    let constraints = pod.spread.required;
    constraints
        .iter()
        .map(|constraint| {
            let counts = |i: usize| has_all_labels(constraints, i) && constraint.includes(pod, nodes, i);
            let matching = sum_by_domain(constraint.domains, constraint.matching, counts);
            let mut exists = vec![false; matching.len()];
            for (i, &domain) in constraint.domains.iter().enumerate() {
                if domain != NO_DOMAIN && counts(i) {
                    exists[domain as usize] = true;
                }
            }
            let existing =
                || matching.iter().zip(&exists).filter(|(_, exists)| **exists).map(|(&count, _)| count);
            let enough =
                i64::try_from(existing().count()).is_ok_and(|n| n >= i64::from(constraint.min_domains));
            // Without any domain nothing can be exceeded.
            let minimum = if enough { existing().min().unwrap_or(i64::from(i32::MAX)) } else { 0 };
            Domains { matching, minimum }
        })
        .collect()
}

/// Whether the pod on this node would exceed the skew of a required constraint.
pub(super) fn violated(spread: &Spread<'_>, domains: &[Domains], position: usize) -> Option<Reason> {
    for (constraint, domains) in spread.required.iter().zip(domains) {
        let domain = constraint.domains[position];
        if domain == NO_DOMAIN {
            return Some(Reason::SpreadLabelMissing);
        }
        let matching = domains.matching.get(domain as usize).copied().unwrap_or(0);
        if matching + i64::from(constraint.matches_itself) - domains.minimum > i64::from(constraint.max_skew)
        {
            return Some(Reason::Spread);
        }
    }
    None
}

/// The scores (0 to 100) of the candidates by the preferred constraints: the fewer matching pods, the more. `None`
/// where there are no such constraints.
pub(super) fn score(pod: &PodRequest<'_>, nodes: &[NodeState], candidates: &[usize]) -> Option<Vec<i64>> {
    let spread = &pod.spread;
    let constraints = spread.preferred;
    if constraints.is_empty() {
        return None;
    }
    let is_scored = |i: usize| spread.is_default || has_all_labels(constraints, i);
    let scored = candidates.iter().filter(|&&i| is_scored(i)).count();
    let mut raw = vec![0.0; candidates.len()];
    for constraint in constraints {
        let counts = |i: usize| is_scored(i) && constraint.includes(pod, nodes, i);
        let matching = match constraint.is_hostname {
            true => Vec::new(),
            false => sum_by_domain(constraint.domains, constraint.matching, counts),
        };
        let size = match constraint.is_hostname {
            true => scored,
            false => distinct(candidates.iter().filter(|&&i| is_scored(i)).map(|&i| constraint.domains[i])),
        };
        // A few large domains must not be drowned by many small ones.
        let weight = ln(size as u64 + 2);
        for (raw, &i) in raw.iter_mut().zip(candidates) {
            let domain = constraint.domains[i];
            if domain == NO_DOMAIN || !is_scored(i) {
                continue;
            }
            let count = match constraint.is_hostname {
                true => i64::from(constraint.matching[i]),
                false => matching.get(domain as usize).copied().unwrap_or(0),
            };
            *raw += count as f64 * weight + (f64::from(constraint.max_skew) - 1.0);
        }
    }
    let raw: Vec<Option<i64>> =
        raw.into_iter().zip(candidates).map(|(raw, &i)| is_scored(i).then_some(raw.round() as i64)).collect();
    let lowest = raw.iter().flatten().min().copied().unwrap_or(0);
    let highest = raw.iter().flatten().max().copied().unwrap_or(0).max(0);
    let normalised = |raw: Option<i64>| match raw {
        None => 0,
        Some(_) if highest == 0 => 100,
        Some(raw) => 100 * (highest + lowest - raw) / highest,
    };
    Some(raw.into_iter().map(normalised).collect())
}

fn has_all_labels(constraints: &[SpreadConstraint<'_>], position: usize) -> bool {
    constraints.iter().all(|constraint| constraint.domains[position] != NO_DOMAIN)
}

/// The number of different domains; nodes without the label are one together.
fn distinct(domains: impl Iterator<Item = u32>) -> usize {
    let mut domains: Vec<u32> = domains.collect();
    domains.sort_unstable();
    domains.dedup();
    domains.len()
}
