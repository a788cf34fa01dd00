//! The node lifecycle controller: when a silent node counts as gone, which taints a node gets, and how fast the ones
//! that drive pods away spread.
//!
//! Source: kubernetes pkg/controller/nodelifecycle/node_lifecycle_controller.go.

use super::Millis;
use crate::selector::{Effect, Taint};

#[cfg(test)]
mod tests;

/// Nodes are looked at this often.
pub const CHECK_PERIOD_MS: i64 = 5_000;

/// How long a node may be silent (lease and status) before its conditions become Unknown. 40 s before Kubernetes 1.32.
pub const GRACE_PERIOD_MS: i64 = 50_000;

/// The same for a node that was never heard of since it was created.
pub const STARTUP_GRACE_PERIOD_MS: i64 = 60_000;

/// A condition of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not.
    False,
    /// The node is silent.
    Unknown,
}

/// What taints follow from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeConditions {
    /// Condition Ready.
    pub ready: ConditionStatus,
    /// `spec.unschedulable`: the node is cordoned.
    pub unschedulable: bool,
    /// Condition MemoryPressure is True.
    pub memory_pressure: bool,
    /// Condition DiskPressure is True.
    pub disk_pressure: bool,
    /// Condition PIDPressure is True.
    pub pid_pressure: bool,
    /// Condition NetworkUnavailable is True.
    pub network_unavailable: bool,
}

/// When the conditions of a node become Unknown if nothing more is heard of it.
///
/// `heard_at` is the last renewal of its lease or status, or, with `never_heard`, its creation. `check_at` is any check
/// of the controller. The check must come later than the end of the grace period; at its very end it still passes.
pub fn unknown_at(heard_at: Millis, never_heard: bool, check_at: Millis) -> Millis {
    let grace_period = if never_heard { STARTUP_GRACE_PERIOD_MS } else { GRACE_PERIOD_MS };
    let ends_at = heard_at.saturating_add(grace_period);
    let since_check = ends_at.saturating_sub(check_at).rem_euclid(CHECK_PERIOD_MS);
    ends_at.saturating_add(CHECK_PERIOD_MS - since_check)
}

/// Whether all pods of a node are set to Ready False, which takes them out of the endpoints at once.
pub fn marks_pods_not_ready(before: ConditionStatus, after: ConditionStatus) -> bool {
    before == ConditionStatus::True && after != ConditionStatus::True
}

/// The taints with effect NoSchedule that the controller keeps on a node; of these keys it removes all others.
pub fn no_schedule_taints(node: &NodeConditions) -> Vec<Taint> {
    let keys = [
        (node.ready == ConditionStatus::False, "node.kubernetes.io/not-ready"),
        (node.ready == ConditionStatus::Unknown, "node.kubernetes.io/unreachable"),
        (node.unschedulable, "node.kubernetes.io/unschedulable"),
        (node.memory_pressure, "node.kubernetes.io/memory-pressure"),
        (node.disk_pressure, "node.kubernetes.io/disk-pressure"),
        (node.pid_pressure, "node.kubernetes.io/pid-pressure"),
        (node.network_unavailable, "node.kubernetes.io/network-unavailable"),
    ];
    let wanted = keys.into_iter().filter(|&(holds, _)| holds);
    wanted.map(|(_, key)| taint(key, Effect::NoSchedule)).collect()
}

/// The taint that drives pods away from a node which is not Ready; comes at the rate of [`taints_per_100_seconds`].
pub fn no_execute_taint(ready: ConditionStatus) -> Option<Taint> {
    match ready {
        ConditionStatus::True => None,
        ConditionStatus::False => Some(taint("node.kubernetes.io/not-ready", Effect::NoExecute)),
        ConditionStatus::Unknown => Some(taint("node.kubernetes.io/unreachable", Effect::NoExecute)),
    }
}

/// The nodes of a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone {
    /// Nodes with Ready True.
    pub ready: u32,
    /// All others.
    pub not_ready: u32,
}

impl Zone {
    fn is_lost(self) -> bool {
        self.ready == 0 && self.not_ready > 0
    }

    /// More than two nodes, and 55 % or more of all.
    fn is_partly_lost(self) -> bool {
        let total = u64::from(self.ready) + u64::from(self.not_ready);
        self.not_ready > 2 && u64::from(self.not_ready) * 100 >= total * 55
    }
}

/// Nodes per 100 seconds that get [`no_execute_taint`] in each of the zones.
///
/// A zone that is partly lost is spared if it is small; where every zone is lost, the fault is taken to be the
/// controller's own connection and no node is tainted.
pub fn taints_per_100_seconds(zones: &[Zone]) -> Vec<u32> {
    if zones.iter().all(|zone| zone.is_lost()) {
        return vec![0; zones.len()];
    }
    let rate = |zone: &Zone| match (zone.is_lost(), zone.is_partly_lost()) {
        (false, true) if zone.ready.saturating_add(zone.not_ready) > 50 => 1,
        (false, true) => 0,
        _ => 10,
    };
    zones.iter().map(rate).collect()
}

fn taint(key: &str, effect: Effect) -> Taint {
    Taint { key: key.to_owned(), value: String::new(), effect }
}
