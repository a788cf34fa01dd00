//! The taint eviction controller: when a running pod is deleted because of the taints of its node. Budgets are not
//! asked.
//!
//! Source: kubernetes pkg/controller/tainteviction/taint_eviction.go:processPodOnNode,
//! plugin/pkg/admission/defaulttolerationseconds/admission.go:Admit.

use super::Millis;
use crate::selector::{Effect, Operator, Taint, Toleration};

#[cfg(test)]
mod tests;

/// For how long every pod tolerates that its node is not ready or unreachable, in seconds, unless it says otherwise.
pub const DEFAULT_TOLERATION_SECONDS: i64 = 300;

/// When the pod is deleted: `Some(since_at)` at once, `None` never. Among the taints only those with effect
/// `NoExecute` count; `since_at` is when the controller first saw these taints on the node.
///
/// For each taint the first toleration that covers it counts; of all these the shortest.
pub fn delete_at(taints: &[Taint], tolerations: &[Toleration], since_at: Millis) -> Option<Millis> {
    let mut earliest: Option<i64> = None;
    for taint in taints.iter().filter(|taint| taint.effect == Effect::NoExecute) {
        let Some(used) = tolerations.iter().find(|toleration| toleration.covers(taint)) else {
            return Some(since_at);
        };
        if let Some(seconds) = used.seconds {
            let seconds = seconds.max(0);
            earliest = Some(earliest.map_or(seconds, |earliest| earliest.min(seconds)));
        }
    }
    earliest.map(|seconds| since_at.saturating_add(seconds.saturating_mul(1000)))
}

/// The tolerations that admission adds to a new pod which has these.
pub fn default_tolerations(tolerations: &[Toleration]) -> Vec<Toleration> {
    let covers = |toleration: &Toleration, key: &str| {
        (toleration.key.is_empty() || toleration.key == key)
            && toleration.effect.is_none_or(|effect| effect == Effect::NoExecute)
    };
    ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]
        .into_iter()
        .filter(|key| !tolerations.iter().any(|toleration| covers(toleration, key)))
        .map(|key| Toleration {
            key: key.to_owned(),
            operator: Operator::Exists,
            value: String::new(),
            effect: Some(Effect::NoExecute),
            seconds: Some(DEFAULT_TOLERATION_SECONDS),
        })
        .collect()
}
