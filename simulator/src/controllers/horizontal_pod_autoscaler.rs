//! The HorizontalPodAutoscaler: how many replicas its target shall have.
//!
//! Bounds come first and need no metric: a target that somebody scaled beyond them is set back at the next tick.
//! The metric here is one load that spreads over the ready pods; several metrics are the caller's maximum.
//!
//! Source: kubernetes pkg/controller/podautoscaler/{horizontal,replica_calculator}.go.

use super::Millis;

#[cfg(test)]
mod tests;

/// Every autoscaler is evaluated once in this time; edits of its spec wait for that tick.
pub const SYNC_PERIOD_MS: i64 = 15_000;

/// How long the highest recent proposal holds a scale-down back, unless the behaviour says otherwise.
pub const DOWN_WINDOW_MS: i64 = 300_000;

/// Default tolerance of the ratio between use and target, per mille.
pub const TOLERANCE_PER_MILLE: u32 = 100;

/// `spec` of an autoscaler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Autoscaler {
    /// `minReplicas`; default 1.
    pub min_replicas: i32,
    /// `maxReplicas`.
    pub max_replicas: i32,
    /// `behavior`; setting any part of it fills the rest with [`Rules::up`] and [`Rules::down`].
    pub behavior: Option<Behavior>,
}

/// `spec.behavior`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behavior {
    /// For growth.
    pub up: Rules,
    /// For shrinking.
    pub down: Rules,
}

/// The rules of one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// `stabilizationWindowSeconds`, here in milliseconds.
    pub window_ms: i64,
    /// `selectPolicy`.
    pub select: Select,
    /// `policies`.
    pub policies: Vec<Policy>,
    /// `tolerance`, per mille.
    pub tolerance_per_mille: u32,
}

impl Rules {
    /// The defaults for growth: no window; within 15 s four pods or twice as many, whichever is more.
    pub fn up() -> Self {
        let policy = |change| Policy { change, period_ms: 15_000 };
        Rules {
            window_ms: 0,
            select: Select::Max,
            policies: vec![policy(Change::Pods(4)), policy(Change::Percent(100))],
            tolerance_per_mille: TOLERANCE_PER_MILLE,
        }
    }

    /// The defaults for shrinking: a window of 300 s, then everything at once.
    pub fn down() -> Self {
        Rules {
            window_ms: DOWN_WINDOW_MS,
            select: Select::Max,
            policies: vec![Policy { change: Change::Percent(100), period_ms: 15_000 }],
            tolerance_per_mille: TOLERANCE_PER_MILLE,
        }
    }
}

/// Which of several policies counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Select {
    /// The one that allows the greatest change.
    Max,
    /// The one that allows the smallest change.
    Min,
    /// None: the metric does not move the target in this direction.
    Disabled,
}

/// How much may change within a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The limit.
    pub change: Change,
    /// `periodSeconds`, here in milliseconds.
    pub period_ms: i64,
}

/// A limit on the change of the replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// So many pods.
    Pods(i32),
    /// So many of a hundred of the replicas at the start of the period.
    Percent(i32),
}

/// What the metrics server knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// The use of all ready pods together, in any unit.
    pub load: u64,
    /// The use that one pod should have, in the same unit; not 0.
    pub target: u64,
    /// Pods whose use is known.
    pub ready_pods: i32,
    /// Pods that are not ready yet, and so do not use anything.
    pub unready_pods: i32,
}

/// What the controller remembers of one autoscaler; lost when it restarts or the autoscaler is deleted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// Proposals as they came from the metric.
    proposals: Vec<(Millis, i32)>,
    /// Changes that were made: when, and by how many replicas.
    changes: Vec<(Millis, i32)>,
}

/// One tick. The answer is the number of replicas to set, `None` where there is nothing to do.
///
/// `metric` is `None` without a metrics server, or before it knows the pods: then only the bounds act.
pub fn reconcile(
    autoscaler: &Autoscaler,
    current: i32,
    metric: Option<&Metric>,
    history: &mut History,
    now: Millis,
) -> Option<i32> {
    let Autoscaler { min_replicas: min, max_replicas: max, .. } = *autoscaler;
    if history.proposals.is_empty() {
        history.proposals.push((now, current));
    }
    // Scaled to zero by hand: switched off.
    if current == 0 && min != 0 {
        return None;
    }
    let desired = if current > max {
        max
    } else if current < min {
        min
    } else {
        let proposal = proposal(autoscaler, current, metric?)?;
        let desired = match &autoscaler.behavior {
            None => stabilized(proposal, current, history, now).clamp(min, max.max(min)),
            Some(behavior) => {
                let desired = stabilized_within(proposal, current, behavior, history, now);
                limited(desired, current, autoscaler, behavior, history, now)
            }
        };
        if desired == current {
            return None;
        }
        desired
    };
    history.changes.push((now, desired.saturating_sub(current)));
    Some(desired)
}

/// The replicas at which each pod would have its target; `current` within the tolerance. `None` where no pod's use is
/// known.
pub fn proposal(autoscaler: &Autoscaler, current: i32, metric: &Metric) -> Option<i32> {
    let (up, down) = match &autoscaler.behavior {
        Some(behavior) => (behavior.up.tolerance_per_mille, behavior.down.tolerance_per_mille),
        None => (TOLERANCE_PER_MILLE, TOLERANCE_PER_MILLE),
    };
    if metric.ready_pods <= 0 || metric.target == 0 {
        return None;
    }
    let load = u128::from(metric.load);
    let wanted = |pods: i32| u128::from(metric.target) * u128::from(pods.max(0).cast_unsigned());
    // The ratio is load / wanted(pods); in whole numbers it needs no rounding.
    let is_close = |pods: i32| {
        load * 1000 <= wanted(pods) * u128::from(1000_u32.saturating_add(up))
            && load * 1000 >= wanted(pods) * u128::from(1000_u32.saturating_sub(down))
    };
    if is_close(metric.ready_pods) {
        return Some(current);
    }
    let proposed = i32::try_from(load.div_ceil(u128::from(metric.target))).unwrap_or(i32::MAX);
    let grows = load > wanted(metric.ready_pods);
    if !grows || metric.unready_pods <= 0 {
        return Some(proposed);
    }
    // On the way up pods that are not ready count, without any use: they may be the growth that is needed.
    let pods = metric.ready_pods.saturating_add(metric.unready_pods);
    if is_close(pods) || load < wanted(pods) || proposed < current {
        return Some(current);
    }
    Some(proposed)
}

/// The highest proposal of the window; growth at most to twice the current size, or to four.
fn stabilized(proposal: i32, current: i32, history: &mut History, now: Millis) -> i32 {
    let cutoff = now.saturating_sub(DOWN_WINDOW_MS);
    history.proposals.retain(|&(at, _)| at >= cutoff);
    let highest = history.proposals.iter().map(|&(_, proposed)| proposed).fold(proposal, i32::max);
    history.proposals.push((now, proposal));
    highest.min(current.saturating_mul(2).max(4))
}

/// The current size, moved no further than every proposal of the window asks.
fn stabilized_within(
    proposal: i32,
    current: i32,
    behavior: &Behavior,
    history: &mut History,
    now: Millis,
) -> i32 {
    let up_cutoff = now.saturating_sub(behavior.up.window_ms);
    let down_cutoff = now.saturating_sub(behavior.down.window_ms);
    history.proposals.retain(|&(at, _)| at > up_cutoff.min(down_cutoff));
    let since =
        |cutoff: Millis| history.proposals.iter().filter(move |&&(at, _)| at > cutoff).map(|&(_, p)| p);
    let low = since(up_cutoff).fold(proposal, i32::min);
    let high = since(down_cutoff).fold(proposal, i32::max);
    history.proposals.push((now, proposal));
    current.max(low).min(high)
}

/// Holds a change to the policies of its direction and to the bounds.
fn limited(
    desired: i32,
    current: i32,
    autoscaler: &Autoscaler,
    behavior: &Behavior,
    history: &mut History,
    now: Millis,
) -> i32 {
    let periods = behavior.up.policies.iter().chain(&behavior.down.policies).map(|policy| policy.period_ms);
    let oldest = now.saturating_sub(periods.max().unwrap_or(0));
    history.changes.retain(|&(at, _)| at > oldest);
    if desired > current {
        let limit = limit(current, &behavior.up, true, history, now).max(current);
        desired.min(limit.min(autoscaler.max_replicas))
    } else if desired < current {
        let limit = limit(current, &behavior.down, false, history, now).min(current);
        desired.max(limit.max(autoscaler.min_replicas))
    } else {
        desired
    }
}

/// The furthest size that the policies of one direction allow.
fn limit(current: i32, rules: &Rules, up: bool, history: &History, now: Millis) -> i32 {
    let sizes = rules.policies.iter().map(|policy| {
        let cutoff = now.saturating_sub(policy.period_ms);
        let changed: i64 =
            history.changes.iter().filter(|&&(at, _)| at > cutoff).map(|&(_, by)| i64::from(by)).sum();
        let start = i64::from(current) - changed;
        let change = match policy.change {
            Change::Pods(pods) => i64::from(pods),
            // The size after growth is rounded up, the size after shrinking down.
            Change::Percent(percent) => -(-start.saturating_mul(i64::from(percent))).div_euclid(100),
        };
        narrow(if up { start.saturating_add(change) } else { start.saturating_sub(change) })
    });
    let furthest = match (rules.select, up) {
        (Select::Disabled, _) => None,
        (Select::Max, true) | (Select::Min, false) => sizes.max(),
        (Select::Min, true) | (Select::Max, false) => sizes.min(),
    };
    furthest.unwrap_or(current)
}

fn narrow(count: i64) -> i32 {
    i32::try_from(count).unwrap_or(if count < 0 { i32::MIN } else { i32::MAX })
}
