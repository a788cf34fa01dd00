//! Which nodes are targets of a load balancer, for the two controllers that register them: the service controller of
//! the cloud controller manager, and the AWS Load Balancer Controller. They disagree on much of it.
//!
//! Both predicates are for instance targets; for ip targets no label or taint of a node matters.
//!
//! Source: kubernetes staging/src/k8s.io/cloud-provider/controllers/service/controller.go:stableNodeSetPredicates,
//! shouldSyncUpdatedNode; aws-load-balancer-controller pkg/backend/endpoint_utils.go, endpoint_resolver.go,
//! controllers/elbv2/eventhandlers/node.go.

use super::node_lifecycle::ConditionStatus;
use crate::selector::{Effect, Taint};

#[cfg(test)]
mod tests;

/// Label that takes a node out of external load balancers.
pub const EXCLUDE_LABEL: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

/// Taint of the cluster autoscaler on a node that it is about to remove.
pub const TO_BE_DELETED_TAINT: &str = "ToBeDeletedByClusterAutoscaler";

/// Taint of Karpenter, with effect `NoSchedule`, on a node that it is about to remove.
pub const DISRUPTED_TAINT: &str = "karpenter.sh/disrupted";

/// What the controllers read of a node.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a> {
    /// The value of [`EXCLUDE_LABEL`]; `None`: no such label.
    pub exclude_label: Option<&'a str>,
    /// Its taints.
    pub taints: &'a [Taint],
    /// Condition Ready.
    pub ready: ConditionStatus,
    /// Its deletion has begun.
    pub deleting: bool,
    /// `spec.providerID`, empty before the cloud controller has set it.
    pub provider_id: &'a str,
    /// A legacy label of control planes or for exclusion (`node-role.kubernetes.io/master`,
    /// `alpha.service-controller.kubernetes.io/exclude-balancer`), or the compute type Fargate: the AWS Load Balancer
    /// Controller leaves the node out.
    pub aws_excluded: bool,
}

/// Whether the service controller keeps this node among the targets. Readiness and cordons are irrelevant: a new node
/// is a target before it is Ready.
pub fn in_load_balancer(node: &Node<'_>) -> bool {
    !node.deleting && is_included(node) && !has_taint(node, TO_BE_DELETED_TAINT)
}

/// Whether a change of a node makes the service controller look at its load balancers at once. A node that appears or
/// disappears always does; taints, readiness and cordons do not, so that they take effect only with the next sync.
pub fn triggers_sync(before: &Node<'_>, after: &Node<'_>) -> bool {
    is_included(before) != is_included(after) || before.provider_id != after.provider_id
}

/// Which of the nodes the AWS Load Balancer Controller registers as instance targets; positions in `nodes`.
///
/// Where no suitable node is Ready, those whose state is Unknown take their place: rather uncertain targets than none.
pub fn aws_targets(nodes: &[Node<'_>]) -> Vec<usize> {
    let with = |status: ConditionStatus| -> Vec<usize> {
        (0..nodes.len()).filter(|&i| nodes[i].ready == status && is_aws_suitable(&nodes[i])).collect()
    };
    let ready = with(ConditionStatus::True);
    if ready.is_empty() { with(ConditionStatus::Unknown) } else { ready }
}

/// Whether the AWS Load Balancer Controller may register this node, its readiness apart. Any value of the label
/// excludes it, `false` too.
pub fn is_aws_suitable(node: &Node<'_>) -> bool {
    let disrupted = |taint: &Taint| taint.key == DISRUPTED_TAINT && taint.effect == Effect::NoSchedule;
    node.exclude_label.is_none()
        && !node.aws_excluded
        && !has_taint(node, TO_BE_DELETED_TAINT)
        && !node.taints.iter().any(disrupted)
}

/// Whether a change of a node makes the AWS Load Balancer Controller look at its target groups: while it is suitable a
/// change of readiness does, and a change of suitability unless its condition Ready was False on the suitable side.
/// A node that appears or disappears was or is unsuitable on the other side.
pub fn aws_triggers_sync(before: &Node<'_>, after: &Node<'_>) -> bool {
    match (is_aws_suitable(before), is_aws_suitable(after)) {
        (false, false) => false,
        (true, true) => before.ready != after.ready,
        (true, false) => before.ready != ConditionStatus::False,
        (false, true) => after.ready != ConditionStatus::False,
    }
}

/// The label excludes, unless its value is a boolean false (honoured since 1.34).
fn is_included(node: &Node<'_>) -> bool {
    match node.exclude_label {
        None => true,
        // These are the spellings that Go's strconv.ParseBool reads as false.
        Some(value) => matches!(value, "0" | "f" | "F" | "false" | "False" | "FALSE"),
    }
}

fn has_taint(node: &Node<'_>, key: &str) -> bool {
    node.taints.iter().any(|taint| taint.key == key)
}
