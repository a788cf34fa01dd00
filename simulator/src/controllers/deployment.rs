//! The Deployment controller: how many pods each of its ReplicaSets shall have, and what its status says.
//!
//! [`next_step`] is one reconciliation; a rollout is many of them, each waiting for the ReplicaSets' status to follow.
//! Which ReplicaSet is the new one (its template equals the Deployment's) is the caller's comparison.
//!
//! Source: kubernetes pkg/controller/deployment/{sync,rolling,recreate,progress}.go and util/deployment_util.go.

use std::cmp::Reverse;

use super::{IntOrPercent, Millis};

pub use naming::{copies_annotation, pod_template_hash, replica_set_name};

mod naming;
#[cfg(test)]
mod tests;

/// How a changed template reaches the pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// All old pods end before the first new one starts.
    Recreate,
    /// Old and new pods overlap.
    RollingUpdate {
        /// Pods above the wanted number; a share is rounded up. Default 25 %.
        max_surge: IntOrPercent,
        /// Pods below the wanted number; a share is rounded down. Default 25 %.
        max_unavailable: IntOrPercent,
    },
}

/// What the controller reads of a Deployment.
#[derive(Debug, Clone, Copy)]
pub struct Deployment {
    /// `spec.replicas`.
    pub replicas: i32,
    /// `spec.strategy`.
    pub strategy: Strategy,
    /// `spec.paused`: it is scaled, but not rolled out.
    pub paused: bool,
    /// `status.replicas`, read only where a ReplicaSet lacks its max-replicas annotation.
    pub status_replicas: i32,
}

/// What the controller reads of one of the Deployment's ReplicaSets.
#[derive(Debug, Clone, Copy)]
pub struct ReplicaSet<'a> {
    /// Decides between ReplicaSets that were created at the same moment.
    pub name: &'a str,
    /// When it was created.
    pub created_at: Millis,
    /// `spec.replicas`.
    pub replicas: i32,
    /// `status.replicas`.
    pub status_replicas: i32,
    /// `status.readyReplicas`.
    pub ready_replicas: i32,
    /// `status.availableReplicas`.
    pub available_replicas: i32,
    /// Annotation `deployment.kubernetes.io/desired-replicas`: the Deployment's replicas when it was last scaled.
    pub desired_replicas_annotation: Option<i32>,
    /// Annotation `deployment.kubernetes.io/max-replicas`: the same, plus the surge of that time.
    pub max_replicas_annotation: Option<i32>,
}

/// One of the ReplicaSets that were asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Which {
    /// The one with the current template.
    New,
    /// The old one at this position.
    Old(usize),
}

/// A ReplicaSet shall have so many replicas, and annotations that say what the Deployment's numbers were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resize {
    /// Which ReplicaSet.
    pub replica_set: Which,
    /// Its new `spec.replicas`; may be what it has already, then only the annotations change.
    pub replicas: i32,
}

/// What one reconciliation does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Creates the ReplicaSet of the current template with so many replicas.
    Create {
        /// Its `spec.replicas`.
        replicas: i32,
    },
    /// Changes sizes.
    Resize(Vec<Resize>),
    /// Nothing, until a ReplicaSet's status or the Deployment changes.
    Nothing,
}

/// How far a rolling update may leave the wanted number, in pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fenceposts {
    /// Above it.
    pub max_surge: i32,
    /// Below it.
    pub max_unavailable: i32,
}

/// One reconciliation.
///
/// `old_pods_exist` says whether any pod object of an old ReplicaSet is neither Succeeded nor Failed, terminating ones
/// included; only [`Strategy::Recreate`] asks.
pub fn next_step(
    deployment: &Deployment,
    new: Option<&ReplicaSet<'_>>,
    old: &[ReplicaSet<'_>],
    old_pods_exist: bool,
) -> Step {
    if deployment.paused || is_scaling_event(deployment, new, old) {
        return resize(scale(deployment, new, old));
    }
    match deployment.strategy {
        Strategy::Recreate => {
            let active = (0..old.len()).filter(|&i| old[i].replicas > 0);
            let down: Vec<Resize> =
                active.map(|i| Resize { replica_set: Which::Old(i), replicas: 0 }).collect();
            match new {
                _ if !down.is_empty() => Step::Resize(down),
                _ if old_pods_exist => Step::Nothing,
                None => Step::Create { replicas: deployment.replicas },
                Some(new) if new.replicas != deployment.replicas => {
                    resize(vec![Resize { replica_set: Which::New, replicas: deployment.replicas }])
                }
                Some(_) => Step::Nothing,
            }
        }
        Strategy::RollingUpdate { .. } => {
            let Some(new) = new else {
                return Step::Create { replicas: new_size(deployment, 0, total(None, old)) };
            };
            // Growth comes first; old pods go in a later pass.
            let wanted = if new.replicas >= deployment.replicas {
                deployment.replicas
            } else {
                new_size(deployment, new.replicas, total(Some(new), old))
            };
            if wanted != new.replicas {
                return resize(vec![Resize { replica_set: Which::New, replicas: wanted }]);
            }
            resize(shrink_old(deployment, new, old))
        }
    }
}

/// The limits of a rolling update at this size. Both zero would never move, so one may then be unavailable.
///
/// Source: kubernetes pkg/controller/deployment/util/deployment_util.go:ResolveFenceposts.
pub fn resolve_fenceposts(
    max_surge: IntOrPercent,
    max_unavailable: IntOrPercent,
    replicas: i32,
) -> Fenceposts {
    let total = i64::from(replicas);
    let max_surge = narrow(max_surge.of_rounded_up(total));
    let max_unavailable = narrow(max_unavailable.of_rounded_down(total));
    if max_surge == 0 && max_unavailable == 0 {
        return Fenceposts { max_surge, max_unavailable: 1 };
    }
    Fenceposts { max_surge, max_unavailable }
}

/// Whether `spec.replicas` changed since a ReplicaSet with pods was last scaled; comes before any rollout.
pub fn is_scaling_event(
    deployment: &Deployment,
    new: Option<&ReplicaSet<'_>>,
    old: &[ReplicaSet<'_>],
) -> bool {
    new.into_iter()
        .chain(old)
        .filter(|set| set.replicas > 0)
        .any(|set| set.desired_replicas_annotation.is_some_and(|desired| desired != deployment.replicas))
}

/// What a change of `spec.replicas` does: one ReplicaSet with pods takes all of it, several share it in proportion.
///
/// Names every ReplicaSet whose size or annotations are written.
///
/// Source: kubernetes pkg/controller/deployment/sync.go:scale.
pub fn scale(deployment: &Deployment, new: Option<&ReplicaSet<'_>>, old: &[ReplicaSet<'_>]) -> Vec<Resize> {
    let find = |which: Which| match which {
        Which::New => new,
        Which::Old(i) => old.get(i),
    };
    let everyone = (0..old.len()).map(Which::Old).chain(new.map(|_| Which::New));
    let mut active: Vec<(Which, &ReplicaSet<'_>)> = everyone
        .filter_map(|which| Some((which, find(which)?)))
        .filter(|(_, set)| set.replicas > 0)
        .collect();

    if active.len() < 2 {
        let newest_old = || (0..old.len()).max_by_key(|&i| (old[i].created_at, old[i].name)).map(Which::Old);
        let only = active.first().map(|(which, _)| *which).or(new.map(|_| Which::New)).or_else(newest_old);
        return only
            .filter(|&which| find(which).is_some_and(|set| set.replicas != deployment.replicas))
            .map(|replica_set| Resize { replica_set, replicas: deployment.replicas })
            .into_iter()
            .collect();
    }
    if new.is_some_and(|new| is_saturated(deployment, new)) {
        let old_ones = active.iter().filter(|(which, _)| *which != Which::New);
        return old_ones.map(|&(replica_set, _)| Resize { replica_set, replicas: 0 }).collect();
    }
    let Strategy::RollingUpdate { .. } = deployment.strategy else { return Vec::new() };

    let allowed = if deployment.replicas > 0 { max_total(deployment) } else { 0 };
    let to_add = allowed - active.iter().map(|(_, set)| i64::from(set.replicas)).sum::<i64>();
    // The largest come first. Among equals the newer grow and the older shrink first.
    if to_add > 0 {
        active.sort_by_key(|(_, set)| Reverse((set.replicas, set.created_at, set.name)));
    } else {
        active.sort_by_key(|(_, set)| (Reverse(set.replicas), set.created_at, set.name));
    }
    let mut added = 0;
    let mut sizes: Vec<i64> = Vec::with_capacity(active.len());
    for (_, set) in &active {
        let share = if to_add == added { 0 } else { proportion(deployment, set) };
        let share = if to_add > 0 { share.min(to_add - added) } else { share.max(to_add - added) };
        sizes.push(i64::from(set.replicas) + share);
        added += share;
    }
    // What rounding leaves over goes to the largest.
    if let Some(largest) = sizes.first_mut() {
        *largest = (*largest + to_add - added).max(0);
    }
    active
        .iter()
        .zip(sizes)
        .map(|(&(replica_set, _), size)| Resize { replica_set, replicas: narrow(size) })
        .collect()
}

/// The size that a rolling update gives the new ReplicaSet, which now has `new_replicas` of `total_replicas` in all.
///
/// Source: kubernetes pkg/controller/deployment/util/deployment_util.go:NewRSNewReplicas.
pub fn new_size(deployment: &Deployment, new_replicas: i32, total_replicas: i64) -> i32 {
    let Strategy::RollingUpdate { .. } = deployment.strategy else { return deployment.replicas };
    let room = max_total(deployment) - total_replicas;
    if room <= 0 {
        return new_replicas;
    }
    let missing = i64::from(deployment.replicas) - i64::from(new_replicas);
    narrow(i64::from(new_replicas) + room.min(missing))
}

/// The status that a Deployment reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Pods of all its ReplicaSets.
    pub replicas: i32,
    /// Pods with the current template.
    pub updated_replicas: i32,
    /// Ready pods.
    pub ready_replicas: i32,
    /// Pods that have been ready for `minReadySeconds`.
    pub available_replicas: i32,
    /// Pods that are not available.
    pub unavailable_replicas: i32,
    /// Condition Available: enough pods are.
    pub available: bool,
}

/// Adds up the ReplicaSets.
///
/// Source: kubernetes pkg/controller/deployment/sync.go:calculateStatus.
pub fn status(deployment: &Deployment, new: Option<&ReplicaSet<'_>>, old: &[ReplicaSet<'_>]) -> Status {
    let sum = |part: fn(&ReplicaSet<'_>) -> i32| {
        narrow(new.into_iter().chain(old).map(|set| i64::from(part(set))).sum())
    };
    let replicas = sum(|set| set.status_replicas);
    let available_replicas = sum(|set| set.available_replicas);
    let needed = i64::from(deployment.replicas) - max_unavailable(deployment);
    Status {
        replicas,
        updated_replicas: new.map_or(0, |new| new.status_replicas),
        ready_replicas: sum(|set| set.ready_replicas),
        available_replicas,
        unavailable_replicas: replicas.saturating_sub(available_replicas).max(0),
        available: i64::from(available_replicas) >= needed,
    }
}

/// Condition Progressing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// True, `NewReplicaSetAvailable`: the rollout is complete.
    Complete,
    /// True, `ReplicaSetUpdated`: the latest change of the numbers was for the better.
    Progressing {
        /// The condition's lastUpdateTime.
        updated_at: Millis,
    },
    /// False, `ProgressDeadlineExceeded`. Nothing is rolled back.
    TimedOut,
}

/// Judges the progress of a rollout from two statuses. `before` is `None` where the condition is absent so far.
///
/// Source: kubernetes pkg/controller/deployment/progress.go:syncRolloutStatus.
pub fn progress(
    deployment: &Deployment,
    before: Option<(Progress, Status)>,
    status: &Status,
    deadline_ms: i64,
    now: Millis,
) -> Option<Progress> {
    let known = before.map(|(progress, _)| progress);
    if known == Some(Progress::Complete) && status.replicas == status.updated_replicas {
        return known;
    }
    if [status.updated_replicas, status.replicas, status.available_replicas] == [deployment.replicas; 3] {
        return Some(Progress::Complete);
    }
    let old = |status: &Status| status.replicas.saturating_sub(status.updated_replicas);
    let better = |was: &Status| {
        status.updated_replicas > was.updated_replicas
            || old(status) < old(was)
            || status.ready_replicas > was.ready_replicas
            || status.available_replicas > was.available_replicas
    };
    match before {
        Some((_, was)) if better(&was) => Some(Progress::Progressing { updated_at: now }),
        None if better(&Status::NONE) => Some(Progress::Progressing { updated_at: now }),
        Some((Progress::Progressing { updated_at }, _)) if updated_at.saturating_add(deadline_ms) < now => {
            Some(Progress::TimedOut)
        }
        _ => known,
    }
}

impl Status {
    const NONE: Status = Status {
        replicas: 0,
        updated_replicas: 0,
        ready_replicas: 0,
        available_replicas: 0,
        unavailable_replicas: 0,
        available: false,
    };
}

fn resize(resizes: Vec<Resize>) -> Step {
    if resizes.is_empty() { Step::Nothing } else { Step::Resize(resizes) }
}

/// Shrinks old ReplicaSets, the oldest first: unhealthy pods as far as the total allows, then healthy ones as far as
/// the available pods allow.
///
/// Source: kubernetes pkg/controller/deployment/rolling.go:reconcileOldReplicaSets.
fn shrink_old(deployment: &Deployment, new: &ReplicaSet<'_>, old: &[ReplicaSet<'_>]) -> Vec<Resize> {
    let min_available = i64::from(deployment.replicas) - max_unavailable(deployment);
    let new_unavailable = i64::from(new.replicas) - i64::from(new.available_replicas);
    let mut unhealthy_budget = total(Some(new), old) - min_available - new_unavailable;
    if unhealthy_budget <= 0 {
        return Vec::new();
    }
    let mut by_age: Vec<usize> = (0..old.len()).filter(|&i| old[i].replicas > 0).collect();
    by_age.sort_by_key(|&i| (old[i].created_at, old[i].name));
    let mut sizes: Vec<i64> = by_age.iter().map(|&i| i64::from(old[i].replicas)).collect();
    for (&i, size) in by_age.iter().zip(&mut sizes) {
        let unhealthy = *size - i64::from(old[i].available_replicas);
        let down = unhealthy.min(unhealthy_budget).max(0);
        *size -= down;
        unhealthy_budget -= down;
    }
    let active_available = by_age.iter().map(|&i| i64::from(old[i].available_replicas)).sum::<i64>();
    let mut healthy_budget = i64::from(new.available_replicas) + active_available - min_available;
    for size in &mut sizes {
        let down = (*size).min(healthy_budget).max(0);
        *size -= down;
        healthy_budget -= down;
    }
    let changed = by_age.iter().zip(sizes).filter(|&(&i, size)| size != i64::from(old[i].replicas));
    changed.map(|(&i, size)| Resize { replica_set: Which::Old(i), replicas: narrow(size) }).collect()
}

/// The new ReplicaSet has all the pods that are wanted, knows it, and all of them are available.
fn is_saturated(deployment: &Deployment, new: &ReplicaSet<'_>) -> bool {
    new.replicas == deployment.replicas
        && new.desired_replicas_annotation == Some(deployment.replicas)
        && new.available_replicas == deployment.replicas
}

/// How much a ReplicaSet grows (or, negative, shrinks) to keep its share of the whole.
///
/// Source: kubernetes pkg/controller/deployment/util/deployment_util.go:getReplicaSetFraction.
fn proportion(deployment: &Deployment, set: &ReplicaSet<'_>) -> i64 {
    let size = i64::from(set.replicas);
    if deployment.replicas == 0 {
        return -size;
    }
    let annotated = set.max_replicas_annotation.filter(|&max| max != 0);
    let max_before = i64::from(annotated.unwrap_or(deployment.status_replicas));
    if max_before == 0 {
        return 0;
    }
    rounded(i128::from(size) * i128::from(max_total(deployment)), i128::from(max_before)) - size
}

/// The quotient, rounded half away from zero.
fn rounded(numerator: i128, denominator: i128) -> i64 {
    let (n, d) = (numerator.abs(), denominator.abs());
    let rounded = (2 * n + d) / (2 * d);
    let signed = if (numerator < 0) == (denominator < 0) { rounded } else { -rounded };
    i64::try_from(signed.clamp(i128::from(i32::MIN), i128::from(i32::MAX))).unwrap_or(0)
}

fn total(new: Option<&ReplicaSet<'_>>, old: &[ReplicaSet<'_>]) -> i64 {
    new.into_iter().chain(old).map(|set| i64::from(set.replicas)).sum()
}

fn max_total(deployment: &Deployment) -> i64 {
    let surge = match deployment.strategy {
        Strategy::Recreate => 0,
        Strategy::RollingUpdate { max_surge, max_unavailable } => {
            resolve_fenceposts(max_surge, max_unavailable, deployment.replicas).max_surge
        }
    };
    i64::from(deployment.replicas) + i64::from(surge)
}

fn max_unavailable(deployment: &Deployment) -> i64 {
    match deployment.strategy {
        Strategy::RollingUpdate { max_surge, max_unavailable } if deployment.replicas > 0 => {
            let fenceposts = resolve_fenceposts(max_surge, max_unavailable, deployment.replicas);
            i64::from(fenceposts.max_unavailable.min(deployment.replicas))
        }
        _ => 0,
    }
}

/// Replica counts are 32 bits wide; what lies beyond is cut off there.
fn narrow(count: i64) -> i32 {
    i32::try_from(count).unwrap_or(if count < 0 { i32::MIN } else { i32::MAX })
}
