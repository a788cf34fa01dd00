//! What can be read off a node or a pod by itself.

use crate::{
    marks::{DELETION_COST, EXCLUDE, LOW_COST, TAINT},
    view::{Node, OwnerKind, Pod},
};

/// Name of the mark that says since when a node has left its target groups.
pub(crate) fn departure(node: &Node) -> String {
    format!("left/{}", node.meta.name.name)
}

/// Whether the controllers keep a node out of load balancers. Any value counts but `false`, which 1.34 and later read.
pub(crate) fn is_excluded(node: &Node) -> bool {
    node.meta.labels.get(EXCLUDE).is_some_and(|value| value != "false")
}

/// Whether the taint of the migration is on a node.
pub(crate) fn is_tainted(node: &Node) -> bool {
    node.taints.iter().any(|taint| taint.key == TAINT)
}

/// Whether a pod has the cost that lets it go first.
pub(crate) fn is_cheap(pod: &Pod) -> bool {
    pod.meta.annotations.get(DELETION_COST).is_some_and(|cost| cost == LOW_COST)
}

/// The instance behind a node, from `aws:///zone/i-0123`.
pub(crate) fn instance_id(node: &Node) -> Option<&str> {
    node.provider_id.as_deref()?.rsplit('/').next()
}

/// Whether a pod belongs to a StatefulSet.
pub(crate) fn is_stateful(pod: &Pod) -> bool {
    pod.owner.as_ref().is_some_and(|owner| owner.kind == OwnerKind::StatefulSet)
}
