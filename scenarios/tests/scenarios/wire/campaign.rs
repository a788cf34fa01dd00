//! A migration in the wire gear, told again and again, each time with something else in its way.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use migrator::action::Outcome;
use scenarios::{
    scenario::Run,
    wire::{Begins, Call, Disturbances, Does, Fate},
};
use simulator::world::Time;

use crate::story::Story;

pub(super) const MIGRATE: Begins = Begins { at: 0, does: Does::Migrate };

/// A migration that nothing disturbed, with every request that was made.
pub(super) struct Undisturbed {
    pub(super) calls: Vec<Call>,
    pub(super) run: Run,
}

pub(super) fn undisturbed(story: &Story, seed: u64, processes: &[Begins]) -> Undisturbed {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let noted = calls.clone();
    let script = move |call: &Call| {
        noted.lock().expect("nobody panics while it is held").push(call.clone());
        Fate::Served
    };
    let run = story.disturbed(
        seed,
        Disturbances { script: Box::new(script), processes: processes.to_vec(), ..Disturbances::default() },
    );
    let calls = std::mem::take(&mut *calls.lock().expect("nobody panics while it is held"));
    Undisturbed { calls, run }
}

impl Undisturbed {
    /// Every request that changes something.
    pub(super) fn writes(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(|call| call.mutates)
    }

    /// The first request of each kind that reads, and the last: at the start, and while the migration is under way.
    pub(super) fn reads(&self) -> impl Iterator<Item = &Call> {
        let sites: BTreeSet<&str> =
            self.calls.iter().filter(|call| !call.mutates).map(|call| call.site.as_str()).collect();
        sites.into_iter().flat_map(|site| {
            let mut those = self.calls.iter().filter(move |call| call.site == site);
            let first = those.next();
            first.into_iter().chain(those.next_back())
        })
    }

    /// When its steps begin.
    pub(super) fn boundaries(&self) -> Vec<(&'static str, Time)> {
        let mut seen = BTreeSet::new();
        let stretches = self.run.driven.iter().flat_map(|driven| &driven.stretches);
        let steps = stretches.filter(|stretch| stretch.phase != "lock");
        steps
            .filter(|stretch| seen.insert(stretch.phase))
            .map(|stretch| (stretch.phase, stretch.from_at))
            .collect()
    }

    pub(super) fn ended_at(&self) -> Time {
        self.run.driven.as_ref().map_or(0, |driven| driven.ended_at)
    }
}

/// One request has this fate, the others are served.
pub(super) fn one(number: usize, fate: &Fate, processes: &[Begins]) -> Disturbances {
    let fate = fate.clone();
    let script = move |call: &Call| if call.number == number { fate.clone() } else { Fate::Served };
    Disturbances { script: Box::new(script), processes: processes.to_vec(), ..Disturbances::default() }
}

pub(super) fn outcome(run: &Run) -> Option<&Outcome> {
    run.driven.as_ref().and_then(|driven| driven.outcome.as_ref())
}

/// Names of the promises that were not kept.
pub(super) fn broken(run: &Run) -> Vec<&'static str> {
    run.promises.iter().filter(|promise| !promise.held).map(|promise| promise.name).collect()
}

#[expect(clippy::print_stdout, reason = "figures of a campaign, shown with --nocapture")]
pub(super) fn tell(figures: &str) {
    println!("{figures}");
}

/// How many were tried and what went wrong, to be told together: one failure says less than all.
pub(super) struct Tally {
    /// One of so many points is tried.
    one_of: usize,
    asked: usize,
    tried: usize,
    failures: Vec<String>,
}

impl Tally {
    /// Tries one of so many points, unless all are asked for (`NODEFERRY_CAMPAIGN=all`): whole campaigns take minutes.
    pub(super) fn one_of(one_of: usize) -> Tally {
        let all = std::env::var_os("NODEFERRY_CAMPAIGN").is_some_and(|asked| asked == "all");
        Tally { one_of: if all { 1 } else { one_of }, asked: 0, tried: 0, failures: Vec::new() }
    }

    /// Whether the next point is among those that are tried.
    pub(super) fn takes_next(&mut self) -> bool {
        self.asked += 1;
        (self.asked - 1).is_multiple_of(self.one_of)
    }

    pub(super) fn note(&mut self, result: Result<(), String>) {
        self.tried += 1;
        self.failures.extend(result.err());
    }

    /// Prints the figures.
    ///
    /// # Panics
    /// Where something went wrong, or nothing was tried.
    #[track_caller]
    pub(super) fn judge(self, what: &str) {
        let survived = self.tried - self.failures.len();
        tell(&format!("{what}: {} of {} points tried, {survived} survived", self.tried, self.asked));
        assert!(self.tried > 0, "{what}: nothing was tried");
        assert!(
            self.failures.is_empty(),
            "{what}: {} of {} failed; the first:\n{}",
            self.failures.len(),
            self.tried,
            self.failures.iter().take(3).map(String::as_str).collect::<Vec<_>>().join("\n\n")
        );
    }
}
