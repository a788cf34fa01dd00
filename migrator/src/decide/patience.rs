//! When to give up: a wait for evidence that has seen the same thing for longer than the plan's patience.
//!
//! Waits that time ends are not counted, nor is a pod's own goodbye: its grace period is added. The journal holds one
//! mark {phase, what was seen, what is waited for}, renewed when the phase changes, and otherwise only when patience would run out and
//! something did change: a phase that makes progress costs one write per patience, not one per change.

use crate::{
    action::{Outcome, Step, Wait},
    journal::{Event, Journal},
    situation::{Situation, later},
};

/// The step as it is, or what becomes of it when it has been waited for in vain. A step that says `Stopped` becomes the
/// journal entry that says so; the end is reported once that is written and the lock released.
pub(super) fn limited(s: &Situation<'_>, step: Step) -> Step {
    match step {
        Step::Wait(wait) if wait.until.is_none() && wait.for_what.phase != "paused" => waited(s, wait),
        Step::Finished(Outcome::Stopped(reason)) => stopped(s, reason),
        step => step,
    }
}

fn waited(s: &Situation<'_>, mut wait: Wait) -> Step {
    let reason = &wait.for_what;
    let Some(mark) =
        s.mark(Journal::PROGRESS).filter(|mark| mark.objects.first().is_some_and(|p| p == reason.phase))
    else {
        return noted(s, &wait);
    };
    let until = later(mark.since_at, s.plan.settings.patience + s.longest_goodbye());
    if s.now < until {
        wait.until = Some(until);
        Step::Wait(wait)
    } else if mark.objects.get(1..) != Some(&[reason.seen.clone(), reason.what.clone()]) {
        noted(s, &wait)
    } else {
        let text = format!(
            "{}: no progress for {} s: waited for {}, saw {}, wanted {}",
            reason.phase,
            s.now.duration_since(mark.since_at).as_secs(),
            reason.what,
            reason.seen,
            reason.wanted
        );
        stopped(s, text)
    }
}

fn noted(s: &Situation<'_>, wait: &Wait) -> Step {
    let reason = &wait.for_what;
    let mark = s.fresh_mark(vec![reason.phase.to_owned(), reason.seen.clone(), reason.what.clone()]);
    s.journal(wait.for_what.phase, |journal| {
        journal.marks.insert(Journal::PROGRESS.to_owned(), mark);
    })
}

fn stopped(s: &Situation<'_>, reason: String) -> Step {
    s.journal("stop", |journal| {
        let status = journal.status.clone().on(Event::Stopped(reason));
        journal.status = status.expect("only a running migration decides to stop");
    })
}
