//! The loop around the decisions without its waiting: what is to be sent, what answers mean, when to look again.
//!
//! Shared by whoever carries a migration out, against a cluster or against the simulation. Holds nothing that a crash must
//! not lose: how often in a row a write was refused, and how long to wait after a turn that changed nothing.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    action::{Action, Answer, Outcome, Step, Wait, Write},
    decide::decide,
    journal, kernel,
    plan::Plan,
    refusals::Refusals,
    view::ClusterView,
};

/// Shortest wait after a turn that changed nothing, and longest: it doubles. Short enough that a conflict costs nothing,
/// long enough that an API server which refuses everything is asked twice a minute.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// What is to be done now.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a turn that is not carried out stalls the migration"]
pub enum Turn {
    /// Send these, all at once; none, where the safety kernel let none pass. Then [`Driver::on_answers`].
    Send(Vec<Action>),
    /// Nothing, until the view changes or the moment comes.
    Wait(Wait),
    /// It has ended.
    Finished(Outcome),
}

/// What follows from answers.
#[derive(Debug, Clone, PartialEq)]
pub struct After {
    /// Something took effect.
    pub progress: bool,
    /// AWS has to be asked before the next decision.
    pub poll: bool,
    /// Send this as well: it records that the migration cannot go on, and why.
    pub stop: Option<Write>,
    /// Why the migration cannot go on, where that is to be recorded, or there is no journal to record it in.
    pub give_up: Option<String>,
    /// How long to wait before the next decision.
    pub backoff: Duration,
}

/// The loop's own state.
#[derive(Debug, Clone, Default)]
pub struct Driver {
    backoff: Duration,
    refused: Refusals,
    /// Actions that the safety kernel refused, in its words; the same one once in a row.
    pub refusals: Vec<String>,
    /// Decisions taken.
    pub decisions: u64,
}

impl Driver {
    /// Decides, and has the safety kernel judge what was decided. The view must show every write that was acknowledged.
    pub fn turn(&mut self, plan: &Plan, cluster: &ClusterView, now: Timestamp) -> Turn {
        self.decisions += 1;
        match decide(plan, cluster, now) {
            Step::Act(actions) => Turn::Send(self.judged(plan, cluster, actions)),
            Step::Wait(wait) => Turn::Wait(wait),
            Step::Finished(outcome) => Turn::Finished(outcome),
        }
    }

    fn judged(&mut self, plan: &Plan, cluster: &ClusterView, actions: Vec<Action>) -> Vec<Action> {
        let verdicts = kernel::judge_all(plan, cluster, &actions);
        let mut passed = Vec::with_capacity(actions.len());
        for (action, verdict) in actions.into_iter().zip(verdicts) {
            match verdict {
                Ok(()) => passed.push(action),
                Err(refusal) => {
                    let text = format!("{}: {refusal}", action.phase);
                    if self.refusals.last() != Some(&text) {
                        self.refusals.push(text);
                    }
                }
            }
        }
        passed
    }

    /// What was answered to the actions of a turn; `None` where no answer came. `cluster` is the view of that turn.
    pub fn on_answers<'a>(
        &mut self,
        cluster: &ClusterView,
        answers: impl IntoIterator<Item = (&'a Action, Option<&'a Answer>)>,
    ) -> After {
        let (mut asked, mut progress, mut aws) = (false, false, false);
        let mut stop = None;
        for (action, answer) in answers {
            asked = true;
            // What AWS was asked for before the lock was ours, somebody else may have changed since.
            aws |= matches!(answer, Some(Answer::Done(_))) && takes_lock(cluster, &action.write);
            aws |= action.write.is_for_aws() && matches!(answer, Some(Answer::Done(_) | Answer::Unknown));
            match answer {
                Some(Answer::Done(_)) => {
                    progress = true;
                    self.refused.on_accepted(&action.write);
                }
                // What was conflicting, is gone, or has an unknown outcome is decided again on a fresh view.
                Some(Answer::Conflict | Answer::NotFound | Answer::RetryLater(_) | Answer::Unknown)
                | None => {}
                Some(Answer::Refused(why)) => {
                    stop = stop.or(self.refused.on_refused(action.phase, &action.write, why));
                }
            }
        }
        let give_up = stop;
        let object = cluster.journal.as_deref();
        let stop = give_up.clone().zip(object).map(|(reason, object)| journal::stop(object, reason));
        let (shortest, longest) = BACKOFF;
        self.backoff = if progress { Duration::ZERO } else { (self.backoff * 2).clamp(shortest, longest) };
        After {
            progress,
            poll: aws || (asked && !progress),
            stop: stop.and_then(Result::ok),
            give_up,
            backoff: self.backoff,
        }
    }
}

/// Whether a write makes the lock ours that was not.
fn takes_lock(cluster: &ClusterView, write: &Write) -> bool {
    let Write::Lease { holder, .. } = write else { return false };
    !holder.is_empty() && cluster.lease.as_ref().is_none_or(|lease| lease.holder != *holder)
}
