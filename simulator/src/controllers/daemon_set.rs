//! The DaemonSet controller: on which nodes its pod runs. A cordon does not keep it away, and nothing drains it.
//!
//! Source: kubernetes pkg/controller/daemon/daemon_controller.go:NodeShouldRunDaemonPod,
//! pkg/controller/daemon/util/daemonset_util.go:AddOrUpdateDaemonPodTolerations.

use crate::selector::{Effect, Taint, Toleration, tolerates};

#[cfg(test)]
mod tests;

/// What a DaemonSet wants of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// A pod runs there; create one where there is none.
    Run,
    /// A pod that runs there stays; one that is lost is not created again.
    Keep,
    /// No pod runs there; one that does is deleted.
    Remove,
}

/// Decides about one node. `tolerations` are the template's own; the automatic ones are added here.
pub fn placement(
    affinity_allows: bool,
    taints: &[Taint],
    tolerations: &[Toleration],
    host_network: bool,
) -> Placement {
    if !affinity_allows {
        return Placement::Remove;
    }
    let automatic = automatic_tolerations(host_network);
    let tolerated = |taint: &Taint| tolerates(tolerations, taint) || tolerates(&automatic, taint);
    if taints.iter().any(|taint| taint.effect == Effect::NoExecute && !tolerated(taint)) {
        return Placement::Remove;
    }
    if taints.iter().any(|taint| taint.effect == Effect::NoSchedule && !tolerated(taint)) {
        return Placement::Keep;
    }
    Placement::Run
}

/// The tolerations that every pod of a DaemonSet gets, for ever.
pub fn automatic_tolerations(host_network: bool) -> Vec<Toleration> {
    let mut tolerations = vec![
        Toleration::exists("node.kubernetes.io/not-ready", Effect::NoExecute),
        Toleration::exists("node.kubernetes.io/unreachable", Effect::NoExecute),
        Toleration::exists("node.kubernetes.io/disk-pressure", Effect::NoSchedule),
        Toleration::exists("node.kubernetes.io/memory-pressure", Effect::NoSchedule),
        Toleration::exists("node.kubernetes.io/pid-pressure", Effect::NoSchedule),
        Toleration::exists("node.kubernetes.io/unschedulable", Effect::NoSchedule),
    ];
    if host_network {
        tolerations.push(Toleration::exists("node.kubernetes.io/network-unavailable", Effect::NoSchedule));
    }
    tolerations
}
