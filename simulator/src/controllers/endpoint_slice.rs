//! The EndpointSlice controller: whether a pod is an endpoint of the Services that select it, and how it is marked.
//!
//! Source: kubernetes staging/src/k8s.io/endpointslice/utils.go:podToEndpoint, reconciler.go:reconcileByAddressType,
//! util/controller_utils.go:ShouldPodBeInEndpoints.

use super::PodPhase;

#[cfg(test)]
mod tests;

/// A pod that the Service selects.
#[derive(Debug, Clone, Copy)]
pub struct Pod {
    /// Its phase.
    pub phase: PodPhase,
    /// It has an IP address.
    pub has_address: bool,
    /// Condition Ready.
    pub ready: bool,
    /// Its deletion has begun.
    pub terminating: bool,
    /// The Node object it runs on exists.
    pub node_exists: bool,
}

/// The conditions of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conditions {
    /// New connections may come: serving and not terminating.
    pub ready: bool,
    /// The pod is Ready, terminating or not.
    pub serving: bool,
    /// The deletion of the pod has begun.
    pub terminating: bool,
}

/// The endpoint that the pod is, or `None` where it is none.
///
/// A pod whose Node object was deleted is left out although it may well run on.
pub fn endpoint(pod: &Pod, publish_not_ready_addresses: bool) -> Option<Conditions> {
    if !pod.has_address || pod.phase.is_terminal() {
        return None;
    }
    if !pod.node_exists && !publish_not_ready_addresses {
        return None;
    }
    Some(Conditions {
        ready: publish_not_ready_addresses || (pod.ready && !pod.terminating),
        serving: pod.ready,
        terminating: pod.terminating,
    })
}
