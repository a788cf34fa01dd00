//! A Deployment that is moved: its pods, its scale before and now, and whether its controllers are done.

use super::steps::patch;
use crate::{
    action::{Change, Kind, Write},
    marks::{Changed, Marks, ReplicaBounds},
    plan::Plan,
    view::{Deployment, HorizontalPodAutoscaler, Pod, ReplicaSet},
};

/// A Deployment that is moved, with its pods.
#[derive(Debug)]
pub(crate) struct Workload<'a> {
    pub(crate) deployment: &'a Deployment,
    pub(crate) autoscaler: Option<&'a HorizontalPodAutoscaler>,
    /// Remembers the scale: on the autoscaler where there is one, else on the Deployment.
    pub(crate) marks: Option<&'a Marks>,
    pub(crate) system: bool,
    /// Replica sets with or wanting replicas.
    pub(crate) replica_sets: Vec<&'a ReplicaSet>,
    /// Active pods.
    pub(crate) pods: Vec<Member<'a>>,
    /// Moved by eviction instead of a surge, and why.
    pub(crate) by_eviction: Option<&'static str>,
}

/// An active pod of a workload.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member<'a> {
    pub(crate) pod: &'a Pod,
    /// Index of its node among the seats; `None` while it has none.
    pub(crate) seat: Option<usize>,
    pub(crate) leaving: bool,
}

impl<'a> Workload<'a> {
    /// A workload of which nothing is known yet but its Deployment.
    pub(super) fn new(deployment: &'a Deployment) -> Workload<'a> {
        Workload {
            deployment,
            autoscaler: None,
            marks: None,
            system: false,
            replica_sets: Vec::new(),
            pods: Vec::new(),
            by_eviction: None,
        }
    }

    /// Replicas before the migration.
    pub(crate) fn original(&self) -> u32 {
        let remembered = match self.autoscaler {
            Some(_) => self.marks.and_then(|marks| marks.target_replicas),
            None => self.marks.and_then(|marks| marks.replicas).map(|replicas| replicas.was),
        };
        remembered.unwrap_or(self.deployment.replicas)
    }

    /// Replicas that are asked for now: by the frozen autoscaler, else by the Deployment.
    pub(crate) fn asked(&self) -> u32 {
        match (self.autoscaler, self.marks) {
            (Some(autoscaler), Some(marks)) if marks.bounds.is_some() => autoscaler.max,
            _ => self.deployment.replicas,
        }
    }

    /// Active pods on nodes that are left.
    pub(crate) fn leaving(&self) -> impl Iterator<Item = &Member<'a>> {
        self.pods.iter().filter(|member| member.leaving)
    }

    /// Active pods on other nodes, or on none yet.
    pub(crate) fn moved(&self) -> impl Iterator<Item = &Member<'a>> {
        self.pods.iter().filter(|member| !member.leaving)
    }

    /// Whether the controllers have done all that was asked of them, and the view has caught up with it: only then is
    /// the next change made, because every count below must mean the same moment.
    pub(crate) fn is_converged(&self) -> bool {
        let deployment = self.deployment;
        let wanted = deployment.replicas;
        let one_active = match self.replica_sets.as_slice() {
            [] => wanted == 0,
            [set] => set.replicas == wanted && set.status_replicas == wanted,
            _ => false,
        };
        deployment.observed_generation >= deployment.generation
            && one_active
            && self.asked() == wanted
            && u32::try_from(self.pods.len()) == Ok(wanted)
    }

    /// Whether somebody else changed the scale after us: from then on it is theirs.
    pub(crate) fn is_theirs(&self) -> bool {
        let Some(marks) = self.marks else { return false };
        match self.autoscaler {
            Some(autoscaler) => marks
                .bounds
                .is_some_and(|bounds| (bounds.set.min, bounds.set.max) != (autoscaler.min, autoscaler.max)),
            None => marks.replicas.is_some_and(|replicas| replicas.set != self.deployment.replicas),
        }
    }

    /// The request that asks for another number of replicas, remembering the first.
    pub(crate) fn scaled(&self, plan: &Plan, replicas: u32) -> Write {
        match self.autoscaler {
            Some(autoscaler) => {
                let now = ReplicaBounds { min: autoscaler.min, max: autoscaler.max };
                let set = ReplicaBounds { min: replicas, max: replicas };
                let mut marks = Marks::of_or_new(&autoscaler.meta, &plan.id);
                let was = marks.bounds.map_or(now, |bounds| bounds.was);
                marks.bounds = Some(Changed { was, set });
                marks.target_replicas = marks.target_replicas.or(Some(self.deployment.replicas));
                let bounds = Change::ReplicaBounds { min: set.min, max: set.max };
                patch(Kind::HorizontalPodAutoscaler, &autoscaler.meta, vec![marks.written(), bounds])
            }
            None => {
                let deployment = &self.deployment.meta;
                let mut marks = Marks::of_or_new(deployment, &plan.id);
                let was = marks.replicas.map_or(self.deployment.replicas, |replicas| replicas.was);
                marks.replicas = Some(Changed { was, set: replicas });
                patch(Kind::Deployment, deployment, vec![marks.written(), Change::Replicas(replicas)])
            }
        }
    }
}
