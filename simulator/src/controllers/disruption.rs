//! Pod disruption budgets: what the disruption controller reports, and what the eviction handler answers.
//!
//! The two look at different times: the handler trusts the last report and counts down from it. Who matches a budget,
//! and that an empty selector protects nothing, is the caller's affair.
//!
//! Source: kubernetes pkg/controller/disruption/disruption.go:updatePdbStatus,
//! pkg/registry/core/pod/storage/eviction.go:Create.

use super::{IntOrPercent, Millis, PodPhase};

#[cfg(test)]
mod tests;

/// How long an evicted pod counts as gone although nobody has seen it deleted.
pub const DISRUPTED_POD_MEMORY_MS: i64 = 120_000;

/// Evictions that the controller has not confirmed yet; with more, the handler refuses all.
pub const DISRUPTED_PODS_MAX: usize = 2000;

/// What a budget asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// `spec.minAvailable`.
    MinAvailable(IntOrPercent),
    /// `spec.maxUnavailable`.
    MaxUnavailable(IntOrPercent),
}

/// A pod that the budget selects.
#[derive(Debug, Clone, Copy)]
pub struct Pod {
    /// Condition Ready.
    pub ready: bool,
    /// Its deletion has begun.
    pub terminating: bool,
    /// When an eviction entered it in the budget's `status.disruptedPods`.
    pub disrupted_at: Option<Millis>,
}

/// The report of the disruption controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Status {
    /// Pods that are Ready, not terminating and not about to be.
    pub current_healthy: i32,
    /// Pods that must stay healthy.
    pub desired_healthy: i32,
    /// Pods that should exist.
    pub expected_pods: i32,
    /// Healthy pods that may be evicted now.
    pub disruptions_allowed: i32,
}

/// Computes the report.
///
/// `scale` is the sum of `spec.replicas` over the distinct controllers of `pods` (a Deployment through its
/// ReplicaSets), 0 where there are no pods: pods without a controller count for nothing. `None` says that a controller
/// is of a kind without a scale, or could not be read.
///
/// The answer is `None` where the scale is needed and unknown: then `disruptionsAllowed` is set to 0 and the rest of
/// the report stays what it was.
pub fn status(demand: Demand, scale: Option<i32>, pods: &[Pod], now: Millis) -> Option<Status> {
    let pod_count = i64::try_from(pods.len()).unwrap_or(i64::MAX);
    let (expected, desired) = match (demand, scale.map(i64::from)) {
        (Demand::MinAvailable(IntOrPercent::Number(number)), _) => (pod_count, i64::from(number)),
        (Demand::MinAvailable(share), Some(scale)) => (scale, share.of_rounded_up(scale)),
        (Demand::MaxUnavailable(share), Some(scale)) => (scale, (scale - share.of_rounded_up(scale)).max(0)),
        (_, None) => return None,
    };
    let remembered = |at: Millis| at.saturating_add(DISRUPTED_POD_MEMORY_MS) > now;
    let is_healthy = |pod: &&Pod| pod.ready && !pod.terminating && !pod.disrupted_at.is_some_and(remembered);
    let healthy = i64::try_from(pods.iter().filter(is_healthy).count()).unwrap_or(i64::MAX);
    let allowed = if expected <= 0 { 0 } else { (healthy - desired).max(0) };
    Some(Status {
        current_healthy: narrow(healthy),
        desired_healthy: narrow(desired),
        expected_pods: narrow(expected),
        disruptions_allowed: narrow(allowed),
    })
}

/// When a pod may be evicted that is not Ready and so not protected as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnhealthyPodEvictionPolicy {
    /// While the budget is healthy without it.
    #[default]
    IfHealthyBudget,
    /// Always.
    AlwaysAllow,
}

/// A budget, as the eviction handler reads it.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// The last report, counted down by the evictions since.
    pub status: Status,
    /// The report belongs to the current spec.
    pub observed: bool,
    /// Entries in `status.disruptedPods`.
    pub disrupted_pods: usize,
    /// `spec.unhealthyPodEvictionPolicy`.
    pub unhealthy_policy: UnhealthyPodEvictionPolicy,
}

/// The pod that somebody wants to evict.
#[derive(Debug, Clone, Copy)]
pub struct Candidate {
    /// Its phase.
    pub phase: PodPhase,
    /// Condition Ready.
    pub ready: bool,
    /// Its deletion has begun.
    pub terminating: bool,
}

/// The answer to an eviction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eviction {
    /// 201, and the pod is deleted.
    Allowed {
        /// Take one from the budget's `disruptionsAllowed` and enter the pod in its `disruptedPods` first.
        consumes_budget: bool,
    },
    /// 429, cause `DisruptionBudget`.
    TooManyRequests {
        /// Seconds in the header Retry-After; `None`: the answer has no such header.
        retry_after: Option<u32>,
    },
    /// 500: more than one budget selects the pod. No retry helps.
    MultipleBudgets,
    /// 403: the budget's status is broken, or too many evictions are unconfirmed.
    Forbidden,
}

/// Answers an eviction. `budgets` are those in the pod's namespace that select it.
pub fn check_eviction(pod: &Candidate, budgets: &[Budget]) -> Eviction {
    if pod.phase.is_terminal() || pod.phase == PodPhase::Pending || pod.terminating {
        return Eviction::Allowed { consumes_budget: false };
    }
    let budget = match budgets {
        [] => return Eviction::Allowed { consumes_budget: false },
        [budget] => budget,
        _ => return Eviction::MultipleBudgets,
    };
    let Status { current_healthy, desired_healthy, disruptions_allowed, .. } = budget.status;
    if !pod.ready {
        let budget_is_healthy = current_healthy >= desired_healthy && desired_healthy > 0;
        if budget.unhealthy_policy == UnhealthyPodEvictionPolicy::AlwaysAllow || budget_is_healthy {
            return Eviction::Allowed { consumes_budget: false };
        }
    }
    if !budget.observed {
        return Eviction::TooManyRequests { retry_after: Some(10) };
    }
    if disruptions_allowed < 0 || budget.disrupted_pods > DISRUPTED_PODS_MAX {
        return Eviction::Forbidden;
    }
    if disruptions_allowed == 0 {
        return Eviction::TooManyRequests { retry_after: None };
    }
    Eviction::Allowed { consumes_budget: true }
}

fn narrow(count: i64) -> i32 {
    i32::try_from(count).unwrap_or(if count < 0 { i32::MIN } else { i32::MAX })
}
