//! The scheduling queue: in which order pods are tried, and when one that did not fit is tried again.
//!
//! Source: kubernetes pkg/scheduler/backend/queue/{backoff_queue,scheduling_queue}.go; queueing hints of the plugins.

use std::cmp::Reverse;

use super::{Failures, Reason};
use crate::controllers::Millis;

#[cfg(test)]
mod tests;

/// Pods whose backoff has ended are looked for this often.
pub const FLUSH_PERIOD_MS: i64 = 1_000;

/// A pod that nothing woke is tried again after this time all the same.
pub const UNSCHEDULABLE_MAX_MS: i64 = 300_000;

/// Such pods are looked for this often.
pub const UNSCHEDULABLE_CHECK_PERIOD_MS: i64 = 30_000;

/// Sorts pods into the order in which they are tried: by priority, then by arrival, then by a number of the caller's.
pub fn order(priority: i32, queued_at: Millis, sequence: u64) -> (Reverse<i32>, Millis, u64) {
    (Reverse(priority), queued_at, sequence)
}

/// How long a pod waits after so many attempts in vain: 1 s, doubling to 10 s.
pub fn backoff_ms(attempts: u32) -> i64 {
    match attempts.checked_sub(1) {
        None => 0,
        // 1 s · 2^4 are 16 s already.
        Some(doublings) => (1_000_i64 << doublings.min(4)).min(10_000),
    }
}

/// When the backoff of a pod ends that failed at `failed_at`, counted from the whole second before; it is noticed by the
/// next flush.
pub fn backoff_ends_at(failed_at: Millis, attempts: u32) -> Millis {
    failed_at.div_euclid(1_000).saturating_mul(1_000).saturating_add(backoff_ms(attempts))
}

/// Something that changed in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A node appeared.
    NodeAdded,
    /// A node disappeared.
    NodeRemoved,
    /// A node was uncordoned.
    NodeUncordoned,
    /// A taint of a node changed.
    NodeTaintsChanged,
    /// A label of a node changed.
    NodeLabelsChanged,
    /// A node has more room.
    NodeAllocatableGrown,
    /// A pod was bound, or the labels of a bound pod changed.
    PodBound,
    /// A bound pod has ended or is gone.
    PodRemoved,
}

/// Whether an event wakes a pod that failed for these reasons: it then waits for its backoff only.
pub fn wakes(event: Event, failures: &Failures) -> bool {
    failures.iter().any(|(reason, _)| may_help(event, reason))
}

fn may_help(event: Event, reason: Reason) -> bool {
    use Reason::{
        ExistingPodAntiAffinity, InsufficientCpu, InsufficientMemory, NodeAffinity, NodePorts,
        NodeUnschedulable, PodAffinity, PodAntiAffinity, Spread, SpreadLabelMissing, TooManyPods,
        UntoleratedTaint, VolumeZone,
    };
    match event {
        Event::NodeAdded => true,
        Event::NodeRemoved => reason == Spread,
        Event::NodeUncordoned => reason == NodeUnschedulable,
        Event::NodeTaintsChanged => matches!(reason, UntoleratedTaint | Spread),
        Event::NodeLabelsChanged => matches!(
            reason,
            NodeAffinity
                | VolumeZone
                | SpreadLabelMissing
                | Spread
                | PodAffinity
                | PodAntiAffinity
                | ExistingPodAntiAffinity
        ),
        Event::NodeAllocatableGrown => matches!(reason, TooManyPods | InsufficientCpu | InsufficientMemory),
        Event::PodBound => matches!(reason, Spread | PodAffinity),
        Event::PodRemoved => matches!(
            reason,
            NodePorts
                | TooManyPods
                | InsufficientCpu
                | InsufficientMemory
                | Spread
                | PodAntiAffinity
                | ExistingPodAntiAffinity
        ),
    }
}
