//! The ReplicaSet controller: how many pods to create, and which to delete.
//!
//! Deletion knows nothing of nodes being drained: cordons, taints and labels are not read. Within one scale-down the
//! younger half of a doubled workload goes first, unless `controller.kubernetes.io/pod-deletion-cost` says otherwise.
//!
//! Source: kubernetes pkg/controller/replicaset/replica_set.go:manageReplicas,
//! pkg/controller/controller_utils.go:ActivePodsWithRanks.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::{Millis, PodPhase};

#[cfg(test)]
mod tests;

/// Pods that one pass creates or deletes at most; the rest follows when these have been seen on the watch.
pub const BURST: usize = 500;

/// An active pod of the ReplicaSet, as far as the choice of victims looks at it.
#[derive(Debug, Clone, Copy)]
pub struct Pod<'a> {
    /// Decides between pods of similar age.
    pub uid: &'a str,
    /// Any number that tells nodes apart; `None`: not scheduled.
    pub node: Option<u32>,
    /// Never terminal: only active pods are asked about.
    pub phase: PodPhase,
    /// Whether the condition Ready is True; `minReadySeconds` does not matter.
    pub ready: bool,
    /// Nanoseconds since the pod became ready, see [`age_ns`]; not read unless it is ready.
    pub ready_age_ns: i64,
    /// Nanoseconds since the pod was created, see [`age_ns`].
    pub age_ns: i64,
    /// The most restarts of any regular container.
    pub restarts: i32,
    /// The most restarts of any sidecar (restartable init container).
    pub sidecar_restarts: i32,
    /// See [`deletion_cost`].
    pub deletion_cost: i32,
}

/// What to do about the number of pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Create so many pods, in the batches of [`batches`].
    Create(usize),
    /// Delete these pods, all at once; positions in the slice that was asked about.
    Delete(Vec<usize>),
    /// As many as wanted.
    Nothing,
}

/// Compares the active pods with the wanted number.
///
/// `related_nodes` are the nodes of all active pods of any ReplicaSet with the same owner, those of this one included.
pub fn plan(replicas: i32, pods: &[Pod<'_>], related_nodes: &[Option<u32>]) -> Plan {
    let wanted = usize::try_from(replicas).unwrap_or(0);
    match pods.len().cmp(&wanted) {
        Ordering::Less => Plan::Create((wanted - pods.len()).min(BURST)),
        Ordering::Equal => Plan::Nothing,
        Ordering::Greater => Plan::Delete(victims(pods, related_nodes, (pods.len() - wanted).min(BURST))),
    }
}

/// The `count` pods that are deleted, the first to go first; positions in `pods`.
///
/// Where everything goes, nothing is compared and the order is that of `pods`.
pub fn victims(pods: &[Pod<'_>], related_nodes: &[Option<u32>], count: usize) -> Vec<usize> {
    let all: Vec<usize> = (0..pods.len()).collect();
    if count >= pods.len() {
        return all;
    }
    let mut on_node: BTreeMap<Option<u32>, u32> = BTreeMap::new();
    for &node in related_nodes {
        *on_node.entry(node).or_default() += 1;
    }
    let colocated: Vec<u32> = pods.iter().map(|pod| on_node.get(&pod.node).copied().unwrap_or(0)).collect();
    let mut order = merge_sort(all, |&a, &b| less((&pods[a], colocated[a]), (&pods[b], colocated[b])));
    order.truncate(count);
    order
}

/// How many pods are created at a time: 1, 2, 4 and so on, so that a quota that refuses all of them is asked once.
/// Each batch waits for the one before; the first that fails is the last.
pub fn batches(create: usize) -> impl Iterator<Item = usize> {
    let mut remaining = create;
    let mut size = 1;
    std::iter::from_fn(move || {
        let batch = remaining.min(size);
        remaining -= batch;
        size = size.saturating_mul(2);
        (batch > 0).then_some(batch)
    })
}

/// The value of the annotation `controller.kubernetes.io/pod-deletion-cost`: a 32-bit integer without `+` or leading
/// zeros; anything else counts as 0, without a complaint.
///
/// Source: kubernetes pkg/apis/core/helper/helpers.go:GetDeletionCostFromPodAnnotations.
pub fn deletion_cost(annotation: Option<&str>) -> i32 {
    let Some(text) = annotation else { return 0 };
    match text.as_bytes() {
        [b'-' | b'1'..=b'9', ..] | b"0" => text.parse().unwrap_or(0),
        _ => 0,
    }
}

/// The age, in nanoseconds, of something that happened at `at`, as a controller sees it: timestamps of the API have
/// whole seconds, the controller's own clock is exact.
pub fn age_ns(at: Millis, now: Millis) -> i64 {
    let stored = at.div_euclid(1000).saturating_mul(1000);
    now.saturating_sub(stored).saturating_mul(1_000_000)
}

/// Whether `a` is deleted before `b`; each comes with the number of active related pods on its node.
///
/// Not an order in the mathematical sense: of pods that became ready at the same moment the restarts decide, of pods
/// that became ready at about the same time the UID, and the two may contradict each other in a circle.
fn less((a, colocated_a): (&Pod<'_>, u32), (b, colocated_b): (&Pod<'_>, u32)) -> bool {
    if a.node.is_none() != b.node.is_none() {
        return a.node.is_none();
    }
    // The phases are declared in this order.
    if a.phase != b.phase {
        return a.phase < b.phase;
    }
    if a.ready != b.ready {
        return !a.ready;
    }
    if a.deletion_cost != b.deletion_cost {
        return a.deletion_cost < b.deletion_cost;
    }
    if colocated_a != colocated_b {
        return colocated_a > colocated_b;
    }
    if a.ready && b.ready && a.ready_age_ns != b.ready_age_ns {
        return younger((a.ready_age_ns, a.uid), (b.ready_age_ns, b.uid));
    }
    if a.restarts != b.restarts {
        return a.restarts > b.restarts;
    }
    if a.sidecar_restarts != b.sidecar_restarts {
        return a.sidecar_restarts > b.sidecar_restarts;
    }
    a.age_ns != b.age_ns && younger((a.age_ns, a.uid), (b.age_ns, b.uid))
}

/// Ages count only by their order of magnitude (to the base of two), so that a scale-down spreads over pods of similar
/// age; the UID, which is random, decides within one.
fn younger((a, uid_a): (i64, &str), (b, uid_b): (i64, &str)) -> bool {
    match magnitude(a).cmp(&magnitude(b)) {
        Ordering::Equal => uid_a < uid_b,
        different => different.is_lt(),
    }
}

fn magnitude(age_ns: i64) -> i64 {
    age_ns.checked_ilog2().map_or(-1, i64::from)
}

/// A stable sort that any comparison satisfies, also one that runs in circles; the standard library's may panic there.
fn merge_sort<T: Copy>(items: Vec<T>, less: impl Fn(&T, &T) -> bool + Copy) -> Vec<T> {
    if items.len() < 2 {
        return items;
    }
    let right = items[items.len() / 2..].to_vec();
    let left = merge_sort(items[..items.len() / 2].to_vec(), less);
    let right = merge_sort(right, less);
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut l, mut r) = (left.iter().peekable(), right.iter().peekable());
    while let (Some(&a), Some(&b)) = (l.peek(), r.peek()) {
        merged.extend(if less(b, a) { r.next() } else { l.next() });
    }
    merged.extend(l);
    merged.extend(r);
    merged
}
