//! Room on a node: whether a pod fits, and how well it would use what there is.
//!
//! Source: kubernetes pkg/scheduler/framework/plugins/noderesources/{fit,least_allocated,balanced_allocation}.go.

use super::{Failures, NodeState, Reason, Resources};

/// Whether the pod fits; adds everything that is lacking to `failures`. What is not requested is never lacking.
pub(super) fn fits(requests: Resources, node: &NodeState, failures: &mut Failures) -> bool {
    let free = node.allocatable.minus(node.requested);
    let lacking = [
        (node.pods >= node.pods_allowed, Reason::TooManyPods),
        (requests.cpu_m > 0 && requests.cpu_m > free.cpu_m, Reason::InsufficientCpu),
        (requests.memory > 0 && requests.memory > free.memory, Reason::InsufficientMemory),
    ];
    for (_, reason) in lacking.iter().filter(|(lacks, _)| *lacks) {
        failures.add(*reason);
    }
    lacking.iter().all(|(lacks, _)| !lacks)
}

/// 100 for an empty node, 0 for a full one: the mean over cpu and memory.
pub(super) fn least_allocated(requests_nonzero: Resources, node: &NodeState) -> i64 {
    let used = node.requested_nonzero.plus(requests_nonzero);
    let parts = [(used.cpu_m, node.allocatable.cpu_m), (used.memory, node.allocatable.memory)];
    let (mut sum, mut count) = (0, 0);
    // What a node does not have at all says nothing.
    for (used, allocatable) in parts.into_iter().filter(|&(_, allocatable)| allocatable > 0) {
        sum += percent((allocatable - used.max(0)).max(0), allocatable);
        count += 1;
    }
    if count == 0 { 0 } else { sum / count }
}

/// 50 where the pod leaves the balance of cpu and memory as it is; more where it improves it, less where it does not.
pub(super) fn balanced_allocation(requests: Resources, node: &NodeState) -> i64 {
    let before = balance(node.requested, node.allocatable);
    let after = balance(node.requested.plus(requests), node.allocatable);
    50 + (50 + after - before) / 2
}

/// 100 where cpu and memory are used to the same share, 50 where one is used up and the other untouched.
fn balance(requested: Resources, allocatable: Resources) -> i64 {
    if allocatable.cpu_m <= 0 || allocatable.memory <= 0 {
        return 100;
    }
    let share = |requested: i64, allocatable: i64| (requested as f64 / allocatable as f64).clamp(0.0, 1.0);
    let cpu = share(requested.cpu_m, allocatable.cpu_m);
    let memory = share(requested.memory, allocatable.memory);
    let deviation = ((cpu - memory) / 2.0).abs();
    ((1.0 - deviation) * 100.0) as i64
}

/// Rounded down; the wide multiplication is for amounts that no machine has.
fn percent(part: i64, whole: i64) -> i64 {
    match part.checked_mul(100) {
        Some(hundredfold) => hundredfold / whole,
        None => i64::try_from(i128::from(part) * 100 / i128::from(whole)).unwrap_or(i64::MAX),
    }
}
