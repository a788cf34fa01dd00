//! What an object was before we changed it: the annotation `nodeferry.io/was`, written in the same request as the
//! change that it remembers.
//!
//! A value is put back only where the object still shows the one that we set; what somebody else changed in between
//! is theirs. Whose plan wrote a mark is for people to read: the first `was` is the true one whichever plan wrote it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    action::Change,
    view::{Content, Meta},
};

/// The annotation that carries the marks.
pub const ANNOTATION: &str = "nodeferry.io/was";
/// Key of the taint on nodes that are being left, in Kubernetes and in the EKS API.
pub const TAINT: &str = "nodeferry.io/migrating";
/// Takes a node out of every load balancer with instance targets.
pub const EXCLUDE: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
/// Orders the victims of a scale-back: lowest first, after readiness. Source: kubernetes.md section 3.
pub const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
/// Low enough that nobody's own costs (usually within hundreds) undercut it, far from the end of its 32 bits.
pub const LOW_COST: &str = "-1000000";

/// A value of ours in place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed<T> {
    /// Before.
    pub was: T,
    /// What we wrote last.
    pub set: T,
}

/// Fewest and most replicas of an autoscaler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaBounds {
    /// `spec.minReplicas`.
    pub min: u32,
    /// `spec.maxReplicas`.
    pub max: u32,
}

/// Everything that we changed on one object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Marks {
    /// Plan that wrote the mark first.
    pub plan: String,
    /// `spec.replicas`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Changed<u32>>,
    /// Bounds of an autoscaler.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounds: Option<Changed<ReplicaBounds>>,
    /// Replicas that the autoscaler's target had when it was frozen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_replicas: Option<u32>,
    /// The exclude label. `set: null` says that the node was admitted: the mark stays until the end, because without
    /// it an admitted node and one that has just appeared look alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excluded: Option<Changed<Option<String>>>,
    /// Effect of our taint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taint: Option<Changed<Option<String>>>,
    /// `spec.unschedulable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unschedulable: Option<Changed<bool>>,
    /// The deletion cost of a pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_cost: Option<Changed<Option<String>>>,
}

impl Marks {
    /// The marks that an object carries; none where the annotation is absent or not ours to read.
    pub fn of(object: &Meta) -> Option<&Marks> {
        object.annotations.content()
    }

    /// The marks that an object carries, or empty ones to be filled in.
    pub fn of_or_new(object: &Meta, plan: &str) -> Marks {
        Self::of(object).cloned().unwrap_or_else(|| Marks { plan: plan.to_owned(), ..Marks::default() })
    }

    /// Whether nothing is remembered any more.
    pub fn is_empty(&self) -> bool {
        *self == Marks { plan: self.plan.clone(), ..Marks::default() }
    }

    /// The change that writes these marks, or takes the annotation away when they are empty.
    pub fn written(&self) -> Change {
        let text = (!self.is_empty()).then(|| serde_json::to_string(self).expect("marks are plain values"));
        Change::Annotation(ANNOTATION.to_owned(), text)
    }
}

impl Content for Marks {
    fn read(annotations: &BTreeMap<String, String>) -> Option<Marks> {
        annotations.get(ANNOTATION).and_then(|text| serde_json::from_str(text).ok())
    }
}
