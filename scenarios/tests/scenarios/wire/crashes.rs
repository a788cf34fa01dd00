//! A process that dies at any request, or stands still there while another one is started: whoever resumes ends well.

use migrator::{action::Outcome, request::Strategy};
use scenarios::{
    scenario::Run,
    wire::{Begins, Call, Does, Fate, When},
};
use simulator::world::Time;

use super::campaign::{MIGRATE, Tally, Undisturbed, broken, one, outcome, undisturbed};
use crate::story::{Story, story};

/// Long enough for the lock of the process that stands still to run out, and for another one to take it.
const STANDS: Time = 300_000;

/// The shipped example.
fn clinic() -> Story {
    story("the clinic").given_example(120)
}

/// Dies or stands still at every request that changes something, and once at each kind of request that reads.
fn befallen(
    story: &Story,
    processes: &[Begins],
    fates: &[Fate],
    check: impl Fn(&Undisturbed, &Run) -> bool,
) -> Tally {
    let straight = undisturbed(story, 0, processes);
    let mut tally = Tally::one_of(29);
    for call in straight.writes().chain(straight.reads()) {
        for fate in fates {
            if !tally.takes_next() {
                continue;
            }
            let run = story.disturbed(0, one(call.number, fate, processes));
            // Who has the answer to the last request has ended before it can die.
            let befell = restarted(&run) || call.number + 1 == straight.calls.len();
            let well = befell && check(&straight, &run);
            let result = if well { Ok(()) } else { Err(told(story, call, fate, &run)) };
            tally.note(result);
        }
    }
    tally
}

fn told(story: &Story, call: &Call, fate: &Fate, run: &Run) -> String {
    let processes = run.driven.as_ref().map(|driven| (&driven.processes, &driven.outcome, &driven.troubles));
    format!(
        "request {} ({} at {} ms) {fate:?}: {processes:?}\n{}",
        call.number,
        call.site,
        call.at,
        story.told(0, run)
    )
}

/// Migrated, and every promise kept.
fn held(_: &Undisturbed, run: &Run) -> bool {
    outcome(run) == Some(&Outcome::Migrated) && broken(run).is_empty()
}

/// Something befell it: more than one process ran.
fn restarted(run: &Run) -> bool {
    run.driven.as_ref().is_some_and(|driven| driven.processes.len() > 1)
}

/// The recipes break what they break without a crash, and no more: while nobody drives it, some target may have become
/// healthy that was not waited for.
fn no_worse(straight: &Undisturbed, run: &Run) -> bool {
    let without = broken(&straight.run);
    outcome(run) == outcome(&straight.run)
        && broken(run).iter().all(|promise| without.contains(promise))
        && !broken(run).is_empty()
        && ["nothing_left_behind", "others_respected", "finishes"]
            .iter()
            .all(|promise| !without.contains(promise))
}

const DEATHS: [Fate; 3] = [Fate::Dies(When::Before), Fate::Dies(When::Served), Fate::Dies(When::Answered)];

#[test]
fn single_move_survives_a_death_before_each_request() {
    befallen(&clinic(), &[MIGRATE], &DEATHS[..1], held).judge("single-move, death before the effect");
}

#[test]
fn single_move_survives_a_death_after_each_effect_and_after_each_answer() {
    befallen(&clinic(), &[MIGRATE], &DEATHS[1..], held)
        .judge("single-move, death after the effect and after the answer");
}

#[test]
fn single_move_survives_a_process_that_stands_still_and_goes_on() {
    let stands = [Fate::Stands(When::Before, STANDS), Fate::Stands(When::Served, STANDS)];
    befallen(&clinic(), &[MIGRATE], &stands, held)
        .judge("single-move, standing still before and after the effect");
}

#[test]
fn the_recipe_breaks_no_more_for_a_death() {
    let recipe = clinic().by(Strategy::Recipe);
    befallen(&recipe, &[MIGRATE], &DEATHS, no_worse).judge("recipe, death");
}

#[test]
fn the_recipe_that_scales_back_first_breaks_no_more_for_a_death() {
    let recipe = clinic().by(Strategy::RecipeDescaleFirst);
    befallen(&recipe, &[MIGRATE], &DEATHS, no_worse).judge("recipe-descale-first, death");
}

#[test]
fn a_rollback_is_asked_for_at_each_step() {
    let clinic = clinic();
    let straight = undisturbed(&clinic, 0, &[MIGRATE]);
    let mut tally = Tally::one_of(4);
    let (mut turned, mut late) = (0, 0);
    for (step, at) in straight.boundaries() {
        if !tally.takes_next() {
            continue;
        }
        let processes = [MIGRATE, Begins { at: at + 1, does: Does::Rollback }];
        let run = undisturbed(&clinic, 0, &processes).run;
        match outcome(&run) {
            Some(Outcome::RolledBack) => turned += 1,
            Some(Outcome::Migrated) => late += 1,
            _ => {}
        }
        let ended = matches!(outcome(&run), Some(Outcome::RolledBack | Outcome::Migrated));
        let result = if ended && broken(&run).is_empty() {
            Ok(())
        } else {
            let processes = run.driven.as_ref().map(|driven| (&driven.processes, &driven.outcome));
            Err(format!("at {step}: {processes:?}\n{}", clinic.told(0, &run)))
        };
        tally.note(result);
    }
    tally.judge("single-move, rollback at each step");
    assert!(turned >= 4, "only {turned} were turned round, {late} were too late");
}

#[test]
fn a_rollback_survives_a_death_at_each_of_its_requests() {
    let clinic = clinic();
    let straight = undisturbed(&clinic, 0, &[MIGRATE]);
    let quiet = straight.boundaries().into_iter().find(|(step, _)| *step == "quiet");
    let (_, at) = quiet.expect("a group is quiet before it is deleted");
    let processes = [MIGRATE, Begins { at: at + 1, does: Does::Rollback }];
    let back = undisturbed(&clinic, 0, &processes);
    assert_eq!(outcome(&back.run), Some(&Outcome::RolledBack));
    let mut tally = Tally::one_of(29);
    for call in back.writes().filter(|call| call.at > at) {
        for fate in &DEATHS {
            if !tally.takes_next() {
                continue;
            }
            let run = clinic.disturbed(0, one(call.number, fate, &processes));
            let well = outcome(&run) == Some(&Outcome::RolledBack) && broken(&run).is_empty();
            tally.note(if well { Ok(()) } else { Err(told(&clinic, call, fate, &run)) });
        }
    }
    tally.judge("rollback from the last step, death");
}
