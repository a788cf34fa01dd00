//! The lock: one Lease, held before anything else and until the journal says that the migration has ended.

use std::{ops::ControlFlow, sync::Arc};

use jiff::Timestamp;

use crate::{
    action::{Action, Poll, Step, Write},
    plan::Plan,
    situation::{later, wait_until},
    view::{ClusterView, Lease},
};

/// The moment at which the lock has to be renewed, or what to do to hold it.
///
/// Renewed after two thirds of its duration, as client-go does (renew deadline 10 s of 15 s): a third is left for slow
/// requests, and a migration of two hours writes it 180 times. A silent holder is timed out by our own clock since we
/// last saw the record change; the Lease's own times are its holder's.
pub(super) fn held(plan: &Plan, cluster: &ClusterView, now: Timestamp) -> ControlFlow<Step, Timestamp> {
    let Some(lease) = cluster.lease.as_deref() else {
        return ControlFlow::Break(written(plan, &plan.boot_id, None));
    };
    if lease.holder == plan.boot_id {
        let renew_at = later(lease.renewed_at, plan.settings.lease_duration * 2 / 3);
        return if now < renew_at {
            ControlFlow::Continue(renew_at)
        } else {
            ControlFlow::Break(written(plan, &plan.boot_id, Some(lease)))
        };
    }
    let expires_at = later(lease.seen_at, lease.duration);
    ControlFlow::Break(if lease.holder.is_empty() || expires_at <= now {
        written(plan, &plan.boot_id, Some(lease))
    } else {
        wait_until(
            expires_at,
            "lock",
            format!("the silence of {}, who holds the lock", lease.holder),
            Poll::Nothing,
        )
    })
}

/// Gives the lock back once the journal says that the migration has ended; nothing to do where nobody holds it.
///
/// A holder that died between its last two writes is waited out and its lock given back for it.
pub(super) fn released(plan: &Plan, cluster: &ClusterView, now: Timestamp) -> Option<Step> {
    let lease = cluster.lease.as_deref().filter(|lease| !lease.holder.is_empty())?;
    let expires_at = later(lease.seen_at, lease.duration);
    Some(if lease.holder == plan.boot_id || expires_at <= now {
        written(plan, &"".into(), Some(lease))
    } else {
        wait_until(
            expires_at,
            "lock",
            format!("the silence of {}, who holds the lock", lease.holder),
            Poll::Nothing,
        )
    })
}

/// No wait outlasts the lock.
pub(super) fn renewed_in_time(step: Step, renew_at: Timestamp) -> Step {
    match step {
        Step::Wait(mut wait) => {
            wait.until = Some(wait.until.map_or(renew_at, |until| until.min(renew_at)));
            Step::Wait(wait)
        }
        step => step,
    }
}

fn written(plan: &Plan, holder: &Arc<str>, lease: Option<&Lease>) -> Step {
    Step::Act(vec![Action {
        phase: "lock",
        write: Write::Lease {
            holder: holder.clone(),
            duration: plan.settings.lease_duration,
            resource_version: lease.map(|lease| lease.meta.resource_version),
        },
    }])
}
