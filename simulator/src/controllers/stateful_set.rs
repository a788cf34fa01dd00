//! The StatefulSet controller: which pod to create or delete next. There is never a surge: a replacement has the same
//! name, so it is created only after the old pod object is gone.
//!
//! Source: kubernetes pkg/controller/statefulset/stateful_set_control.go:updateStatefulSet.

use super::PodPhase;

#[cfg(test)]
mod tests;

/// What the controller reads of a StatefulSet.
#[derive(Debug, Clone, Copy)]
pub struct StatefulSet {
    /// `spec.replicas`.
    pub replicas: i32,
    /// `spec.ordinals.start`: the lowest ordinal.
    pub start_ordinal: i32,
    /// `spec.podManagementPolicy` is `Parallel`, not the default `OrderedReady`.
    pub parallel: bool,
    /// The rolling update replaces ordinals from this one upward; `None`: strategy `OnDelete`.
    pub partition: Option<i32>,
}

/// A pod object of the StatefulSet.
#[derive(Debug, Clone, Copy)]
pub struct Pod {
    /// The number at the end of its name.
    pub ordinal: i32,
    /// Its phase.
    pub phase: PodPhase,
    /// Condition Ready.
    pub ready: bool,
    /// Ready for `minReadySeconds`.
    pub available: bool,
    /// Its deletion has begun.
    pub terminating: bool,
    /// It has the current template.
    pub updated: bool,
}

impl Pod {
    fn is_running_and_available(&self) -> bool {
        self.phase == PodPhase::Running && self.ready && self.available
    }

    fn is_unavailable(&self) -> bool {
        !self.is_running_and_available() || self.terminating
    }
}

/// What to do about one pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Create the pod of this ordinal.
    Create(i32),
    /// Delete the pod of this ordinal.
    Delete(i32),
}

/// What one reconciliation does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// These, in this order. One at a time with `OrderedReady`.
    Act(Vec<Action>),
    /// Nothing, until the pod of this ordinal is gone, or Ready and available.
    Wait {
        /// The pod that holds everything up.
        ordinal: i32,
    },
    /// Nothing: everything is as specified.
    Settled,
}

/// One reconciliation. `pods` are all pod objects of the set, in any order.
pub fn next_step(set: &StatefulSet, pods: &[Pod]) -> Step {
    let first = i64::from(set.start_ordinal);
    let slots = first..first + i64::from(set.replicas.max(0));
    let mut condemned: Vec<&Pod> =
        pods.iter().filter(|pod| !slots.contains(&i64::from(pod.ordinal))).collect();
    condemned.sort_by_key(|pod| std::cmp::Reverse(pod.ordinal));
    let mut kept: Vec<&Pod> = pods.iter().filter(|pod| slots.contains(&i64::from(pod.ordinal))).collect();
    kept.sort_by_key(|pod| pod.ordinal);

    let mut actions = Vec::new();
    let mut next = slots.start;
    for pod in &kept {
        let gap = next..i64::from(pod.ordinal);
        if let Some(step) = create(set, gap, &mut actions) {
            return step;
        }
        next = i64::from(pod.ordinal) + 1;
        if pod.phase.is_terminal() && !pod.terminating {
            actions.push(Action::Delete(pod.ordinal));
            if !set.parallel {
                return Step::Act(actions);
            }
        } else if !set.parallel && pod.is_unavailable() {
            return Step::Wait { ordinal: pod.ordinal };
        }
    }
    if let Some(step) = create(set, next..slots.end, &mut actions) {
        return step;
    }

    // Of unavailable pods an ordered scale-down removes the lowest alone: others wait until they are available.
    let lowest_unavailable = condemned.iter().rev().find(|pod| pod.is_unavailable()).map(|pod| pod.ordinal);
    for pod in &condemned {
        if pod.terminating {
            if !set.parallel {
                return Step::Wait { ordinal: pod.ordinal };
            }
            continue;
        }
        let exempt = lowest_unavailable == Some(pod.ordinal);
        if !set.parallel && !pod.is_running_and_available() && !exempt {
            return Step::Wait { ordinal: pod.ordinal };
        }
        actions.push(Action::Delete(pod.ordinal));
        if !set.parallel {
            return Step::Act(actions);
        }
    }
    if !actions.is_empty() {
        return Step::Act(actions);
    }
    roll(set, &kept)
}

/// Fills a gap between pods; with `OrderedReady` its first ordinal alone.
fn create(set: &StatefulSet, gap: std::ops::Range<i64>, actions: &mut Vec<Action>) -> Option<Step> {
    // Ordinals of a set whose numbers overflow cannot exist.
    let creations = gap.filter_map(|ordinal| i32::try_from(ordinal).ok()).map(Action::Create);
    if set.parallel {
        actions.extend(creations);
        return None;
    }
    creations.take(1).next().map(|action| Step::Act(vec![action]))
}

/// Replaces one pod with an old template: the highest ordinal, once all above it are available.
fn roll(set: &StatefulSet, kept: &[&Pod]) -> Step {
    let Some(partition) = set.partition else { return Step::Settled };
    let lowest = set.start_ordinal.saturating_add(partition);
    for pod in kept.iter().rev().take_while(|pod| pod.ordinal >= lowest) {
        if !pod.updated && !pod.terminating {
            return Step::Act(vec![Action::Delete(pod.ordinal)]);
        }
        if pod.is_unavailable() {
            return Step::Wait { ordinal: pod.ordinal };
        }
    }
    Step::Settled
}
