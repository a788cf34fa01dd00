//! The Job controller: how many pods to start or stop, and when the Job has ended.
//!
//! Source: kubernetes pkg/controller/job/job_controller.go:manageJob, backoff_utils.go.

use super::{Millis, PodPhase};

#[cfg(test)]
mod tests;

/// The delay before the first failed pod is replaced; doubles with each failure since the last success.
pub const BACKOFF_FIRST_MS: i64 = 10_000;

/// The longest such delay.
pub const BACKOFF_MAX_MS: i64 = 600_000;

/// What the controller reads of a Job and counts among its pods.
#[derive(Debug, Clone, Copy)]
pub struct Job {
    /// `spec.completions`; `None`: a work queue, done when one pod succeeded and all have ended.
    pub completions: Option<i32>,
    /// `spec.parallelism`.
    pub parallelism: i32,
    /// `spec.backoffLimit`; default 6.
    pub backoff_limit: i32,
    /// Replacements wait until the old pod has ended: `podReplacementPolicy: Failed`, which every Job with a
    /// `podFailurePolicy` has. Otherwise a deleted pod is replaced while it still terminates.
    pub replaces_only_failed: bool,
    /// Pods that are neither terminating nor ended.
    pub active: i32,
    /// Pods whose deletion has begun and that have not ended.
    pub terminating: i32,
    /// Pods that succeeded.
    pub succeeded: i32,
    /// Pods that count against the limit, see [`counts_as_failed`].
    pub failed: i32,
    /// Failures since the last success.
    pub failures_in_a_row: u32,
    /// When the last of these ended.
    pub failed_at: Option<Millis>,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Start so many pods.
    Create(i32),
    /// Delete so many active pods.
    Delete(i32),
    /// Start pods, but not before then.
    Wait {
        /// When the backoff ends.
        until: Millis,
    },
    /// Nothing, until a pod changes.
    Nothing,
    /// Condition Complete.
    Complete,
    /// Condition Failed, reason `BackoffLimitExceeded`; all active pods are deleted.
    Failed,
}

/// Whether a pod counts as failed. `ignored` says that a `podFailurePolicy` rule tells the Job not to count it.
pub fn counts_as_failed(
    phase: PodPhase,
    terminating: bool,
    replaces_only_failed: bool,
    ignored: bool,
) -> bool {
    match phase {
        PodPhase::Failed => !ignored,
        PodPhase::Succeeded => false,
        _ => terminating && !replaces_only_failed,
    }
}

/// One reconciliation.
pub fn next_step(job: &Job, now: Millis) -> Step {
    if job.failed > job.backoff_limit {
        return Step::Failed;
    }
    let complete = match job.completions {
        Some(completions) => job.succeeded >= completions,
        None => job.succeeded > 0 && job.active == 0 && job.terminating == 0,
    };
    if complete {
        return Step::Complete;
    }
    let wanted = match job.completions {
        Some(completions) => completions.saturating_sub(job.succeeded).min(job.parallelism).max(0),
        None if job.succeeded > 0 => job.active,
        None => job.parallelism,
    };
    if job.active > wanted {
        return Step::Delete(job.active - wanted);
    }
    let occupied =
        if job.replaces_only_failed { job.active.saturating_add(job.terminating) } else { job.active };
    if occupied >= wanted {
        return Step::Nothing;
    }
    match job.failed_at.map(|at| at.saturating_add(backoff_ms(job.failures_in_a_row))) {
        Some(until) if until > now => Step::Wait { until },
        _ => Step::Create(wanted - occupied),
    }
}

/// The delay after so many failures in a row.
pub fn backoff_ms(failures_in_a_row: u32) -> i64 {
    match failures_in_a_row.checked_sub(1) {
        None => 0,
        // 10 s · 2^6 are 640 s already.
        Some(doublings) => (BACKOFF_FIRST_MS << doublings.min(6)).min(BACKOFF_MAX_MS),
    }
}
