//! What to do next, from what the cluster shows. Remembers nothing: what a later decision needs is in the cluster.
//!
//! A strategy is a list of steps in order. Each looks at the cluster and says that it is done, or what to do about it;
//! the first that is not done decides. A crash, a lost node or a half-carried-out step therefore needs no code of its
//! own: the next decision finds the first step that is not done any more and goes on from there.

mod lock;
mod patience;
mod recipe;
pub mod rehearsal;
mod rollback;
mod single_move;

use std::ops::ControlFlow;

use jiff::Timestamp;

use crate::{
    action::{Action, Outcome, Poll, Step},
    journal::{self, Course, Journal, Status},
    kernel,
    plan::Plan,
    request::Strategy,
    situation::{POLL_NOW, Situation, TARGET_POLL, wait},
    view::{ClusterView, JournalObject},
};

/// Says what to do next.
///
/// The view must show every write of ours that was acknowledged (after one to AWS: a newer poll). The first call that
/// finds no answer from AWS asks for one.
pub fn decide(plan: &Plan, cluster: &ClusterView, now: Timestamp) -> Step {
    let journal = match opened(plan, cluster, now) {
        ControlFlow::Continue(journal) => journal,
        ControlFlow::Break(step) => return step,
    };
    let renew_at = match lock::held(plan, cluster, now) {
        ControlFlow::Continue(renew_at) => renew_at,
        ControlFlow::Break(step) => return step,
    };
    let step = match journal {
        None => begin(plan, cluster),
        Some((object, journal)) => {
            let situation = Situation::new(plan, cluster, journal, object, now);
            patience::limited(&situation, allowed(&situation, next(&situation)))
        }
    };
    lock::renewed_in_time(step, renew_at)
}

/// The next step of a migration that has a journal and holds the lock.
fn next(s: &Situation<'_>) -> Step {
    if s.cluster.aws.polled_at.is_none() {
        return wait("begin", "a first answer from AWS", "none", "one", Poll::NodeGroups(POLL_NOW));
    }
    match (&s.journal.status, s.plan.strategy) {
        (Status::Running { course: Course::Back }, _) => rollback::next(s),
        (Status::Running { .. }, Strategy::SingleMove) => single_move::next(s),
        (Status::Running { .. }, Strategy::Recipe) => recipe::next(s, recipe::Order::DeleteFirst),
        (Status::Running { .. }, Strategy::RecipeDescaleFirst) => {
            recipe::next(s, recipe::Order::DescaleFirst)
        }
        (Status::Paused { .. } | Status::Stopped { .. } | Status::Finished | Status::RolledBack, _) => wait(
            "paused",
            "somebody to resume the migration",
            s.journal.status.word(),
            "running",
            Poll::Nothing,
        ),
    }
}

/// What the safety kernel lets pass of a step; where it lets nothing pass, a wait for what it wants to see.
///
/// Judged here on the decision's own view, so that the two agree; the kernel judges again on fresh reads.
fn allowed(s: &Situation<'_>, step: Step) -> Step {
    let Step::Act(mut actions) = step else { return step };
    if s.plan.strategy != Strategy::SingleMove {
        return Step::Act(actions);
    }
    let mut refused = None;
    let mut taken = kernel::Taken::default();
    actions.retain(|action| match kernel::objection_beside(s, &action.write, &taken) {
        None => {
            taken.note(s, &action.write);
            true
        }
        Some(refusal) => {
            refused.get_or_insert((action.phase, refusal));
            false
        }
    });
    match refused {
        Some((phase, refusal)) if actions.is_empty() => {
            wait(phase, refusal.promise, refusal.why, "no objection", Poll::Targets(TARGET_POLL))
        }
        _ => Step::Act(actions),
    }
}

/// The journal of a migration that is to be carried on; `None` inside before its first write.
///
/// Breaks where nothing is to be done, with or without the lock: the migration has ended (and the lock is released), or
/// the journal is somebody else's.
fn opened<'a>(
    plan: &Plan,
    cluster: &'a ClusterView,
    now: Timestamp,
) -> ControlFlow<Step, Option<(&'a JournalObject, &'a Journal)>> {
    let Some(object) = cluster.journal.as_deref() else { return ControlFlow::Continue(None) };
    let journal = match Journal::read(object) {
        Ok(journal) => journal,
        Err(error) => {
            let why = error.source.as_ref().map_or_else(|| "it is missing".to_owned(), ToString::to_string);
            return ControlFlow::Break(Step::Finished(Outcome::Stopped(format!("{error}: {why}"))));
        }
    };
    let own = *journal.plan_id == *plan.id;
    let outcome = match &journal.status {
        Status::Finished | Status::RolledBack if !own => return ControlFlow::Continue(None),
        status if !own => {
            let text = format!("migration {} is {} and must end first", journal.plan_id, status.word());
            return ControlFlow::Break(Step::Finished(Outcome::Stopped(text)));
        }
        Status::Running { .. } | Status::Paused { .. } => {
            return ControlFlow::Continue(Some((object, journal)));
        }
        Status::Finished => Outcome::Migrated,
        Status::RolledBack => Outcome::RolledBack,
        Status::Stopped { reason, .. } => Outcome::Stopped(reason.clone()),
    };
    ControlFlow::Break(lock::released(plan, cluster, now).unwrap_or(Step::Finished(outcome)))
}

/// The first write: the plan, before anything is changed.
fn begin(plan: &Plan, cluster: &ClusterView) -> Step {
    let tombstone = cluster.journal.as_deref().filter(|object| journal::plan_id(object) != Some(&*plan.id));
    let write = Journal::begin(plan).first_write(plan, tombstone);
    Step::Act(vec![Action { phase: "begin", write }])
}

#[cfg(test)]
pub(crate) mod tests;
