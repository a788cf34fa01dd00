//! Every blocking finding stops the plan, and breaks a promise where it is accepted all the same: otherwise it would
//! stand in the way of migrations that harm nobody. One small cluster for each.

mod cases;
mod given;
mod neighbours;

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    sync::atomic::{AtomicUsize, Ordering},
};

use migrator::{
    action::Outcome,
    findings::{Code, Severity},
};
use scenarios::scenario::{Run, Verdict};

use cases::{CASES, Case};

/// Seeds under which a promise has to break once.
const SEEDS: std::ops::Range<u64> = 0..50;

/// What no cluster has by itself, but whoever asks it: behind the gate of the wire gear, in `scenarios/permissions.rs`. And
/// what only a real account can show: the simulated one is always that of the cluster.
const NEVER_SIMULATED: [Code; 2] = [Code::PermissionsMissing, Code::NodesElsewhere];

#[test]
fn every_blocking_code_has_a_case() {
    let simulated = Code::all().iter().filter(|code| !NEVER_SIMULATED.contains(code));
    let blocking = simulated.filter(|code| code.severity() == Severity::Blocking);
    let cases: BTreeSet<Code> = CASES.iter().map(|case| case.code).collect();
    assert_eq!(cases, blocking.copied().collect());
}

#[test]
fn a_blocking_finding_stops_the_plan_and_is_the_only_one_that_does() {
    every(|case| {
        let run = (case.given)().run(0, &[]);
        let found = blocking(&run);
        let wanted = BTreeSet::from([case.code]);
        if run.verdict == Verdict::Refused && found == wanted {
            return Ok(String::new());
        }
        Err(format!("{:?} with {found:?}\n{}", run.verdict, told(&run)))
    });
}

#[test]
fn a_blocking_finding_that_is_accepted_breaks_its_promise() {
    every(|case| {
        let given = (case.given)();
        let mut held = String::new();
        for seed in SEEDS {
            let run = given.run(seed, &[case.code.id()]);
            let broken = run.promises.iter().find(|promise| promise.name == case.breaks && !promise.held);
            if let Some(promise) = broken.filter(|_| run.verdict == Verdict::Broken) {
                return Ok(format!("seed {seed}: {}: {}", promise.name, promise.detail));
            }
            if held.is_empty() {
                held = format!("seed {seed}: {}", told(&run));
            }
        }
        Err(format!("{} held under all seeds of {SEEDS:?}; {held}", case.breaks))
    });
}

#[test]
fn a_request_that_is_refused_for_good_stops_the_migration_with_the_reason() {
    for (code, said) in [(Code::CustomImage, "AMI"), (Code::TwoBudgets, "more than one PodDisruptionBudget")]
    {
        let case = CASES.iter().find(|case| case.code == code).expect("every blocking code has a case");
        let run = (case.given)().run(0, &[code.id()]);
        let outcome = run.driven.as_ref().and_then(|driven| driven.outcome.clone());
        let Some(Outcome::Stopped(reason)) = outcome else { panic!("{code}: {}", told(&run)) };
        assert!(reason.contains("refused 8 times") && reason.contains(said), "{code}: {reason}");
    }
}

#[test]
fn what_no_finding_blocks_keeps_every_promise() {
    let numbers: Vec<u64> = neighbours::range(0..60).collect();
    let (mut failures, mut migrated) = (String::new(), 0);
    for (number, result) in numbers.iter().zip(in_parallel(&numbers, |&number| unblocked(number))) {
        match result {
            Ok(has_migrated) => migrated += usize::from(has_migrated),
            Err(why) => writeln!(failures, "cluster {number}: {why}").expect("a String takes it"),
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
    assert!(migrated * 3 >= numbers.len(), "only {migrated} of {} clusters were migrated", numbers.len());
}

/// Whether a cluster was migrated, rather than blocked.
fn unblocked(number: u64) -> Result<bool, String> {
    let neighbours::Drawn { given, words } = neighbours::drawn(number);
    for seed in number..number + 2 {
        let run = given.run(seed, &[]);
        match run.verdict {
            Verdict::Refused => return Ok(false),
            // A twin that is not clean proves nothing; too few sessions at stake are enough for the other promises.
            Verdict::Held | Verdict::Inconclusive => {}
            Verdict::Broken => return Err(format!("{words}; seed {seed}: {}", told(&run))),
        }
    }
    Ok(true)
}

/// Puts all cases to a check and reports all failures together.
#[track_caller]
fn every(check: fn(&Case) -> Result<String, String>) {
    let results = in_parallel(CASES, check);
    let mut failures = String::new();
    for (case, result) in CASES.iter().zip(results) {
        let code = case.code;
        match result {
            Ok(_) => {}
            Err(why) => writeln!(failures, "{code} ({}): {why}\n", code.title()).expect("a String takes it"),
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

/// The results of a check of everything, in order, on as many threads as there are processors.
fn in_parallel<T: Sync, R: Send>(all: &[T], check: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut results = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(one) = all.get(index) else { return results };
            results.push((index, check(one)));
        }
    };
    let mut results: Vec<(usize, R)> = std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, Into::into);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a check returns its failure")).collect()
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

fn blocking(run: &Run) -> BTreeSet<Code> {
    let findings = run.findings.iter().filter(|finding| finding.severity == Severity::Blocking);
    findings.map(|finding| finding.code).collect()
}

/// A run in words: what was found, what it waited for, what came of it.
fn told(run: &Run) -> String {
    let mut text = format!("{:?} {}\n", run.verdict, run.why.as_deref().unwrap_or(""));
    let mut line = |words: String| writeln!(text, "  {words}").expect("a String takes it");
    for finding in &run.findings {
        line(format!("{} {:?} {}: {}", finding.code, finding.severity, finding.object, finding.reason));
    }
    for promise in &run.promises {
        line(format!("{} {}: {}", promise.name, promise.held, promise.detail));
    }
    if let Some(driven) = &run.driven {
        line(format!("{:?} {:?}", driven.outcome, driven.refusals));
        for stretch in driven.stretches.iter().filter(|stretch| stretch.phase != "lock").take(60) {
            let waited = stretch.waited_for.as_ref();
            let waited = waited.map(|reason| format!("{}: {}", reason.what, reason.seen));
            let span = (stretch.until_at - stretch.from_at) / 1000;
            line(format!("{:>8} s {span:>6} s {} {waited:?}", stretch.from_at / 1000, stretch.phase));
        }
    }
    for drop in run.drops.iter().take(2) {
        line(format!("{drop:?}"));
        for cause in run.world.explain(drop.entry) {
            line(format!("  <- {cause}"));
        }
    }
    text
}
