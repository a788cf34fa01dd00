//! The pod garbage collector: removes pods that no kubelet will finish.
//!
//! Source: kubernetes pkg/controller/podgc/gc_controller.go.

use super::{Millis, PodPhase};

#[cfg(test)]
mod tests;

/// Time between two passes.
pub const PERIOD_MS: i64 = 20_000;

/// How long a node must have been missing before its pods are collected: it might only have been re-created.
pub const QUARANTINE_MS: i64 = 40_000;

/// Ended pods that may remain in the cluster; beyond this the oldest go.
pub const TERMINATED_PODS_MAX: usize = 12_500;

/// What the collector reads of a pod.
#[derive(Debug, Clone, Copy)]
pub struct Pod {
    /// Its phase.
    pub phase: PodPhase,
    /// Its deletion has begun.
    pub terminating: bool,
    /// Where it runs.
    pub node: Node,
}

/// The node of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// Not scheduled.
    None,
    /// The Node object exists.
    Present {
        /// It has the taint `node.kubernetes.io/out-of-service` and is not Ready.
        out_of_service: bool,
    },
    /// The Node object does not exist.
    Missing {
        /// The first pass that noticed.
        since_at: Millis,
    },
}

/// What happens to the pod in this pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It stays.
    Keep,
    /// It gets condition DisruptionTarget and phase Failed unless it has ended, then is deleted without grace.
    FailAndDelete,
    /// It is deleted without grace.
    Delete,
}

/// Judges one pod in a pass at `now`.
pub fn collect(pod: &Pod, now: Millis) -> Verdict {
    let quarantined = |since_at: Millis| now.saturating_sub(since_at) >= QUARANTINE_MS;
    match pod.node {
        Node::Present { out_of_service: true } if pod.terminating => Verdict::FailAndDelete,
        Node::Missing { since_at } if quarantined(since_at) => Verdict::FailAndDelete,
        Node::None if pod.terminating => Verdict::Delete,
        _ => Verdict::Keep,
    }
}

/// The ended pods that go because there are too many, the oldest first. `ended` are their creation and any number
/// that tells them apart.
pub fn surplus(mut ended: Vec<(Millis, usize)>) -> Vec<usize> {
    ended.sort_unstable();
    let count = ended.len().saturating_sub(TERMINATED_PODS_MAX);
    ended.into_iter().take(count).map(|(_, position)| position).collect()
}
