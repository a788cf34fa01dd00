use migrator::action::Reason;

use super::*;

fn stretch(phase: &'static str, from_at: Time, until_at: Time, waited_for: Option<&str>) -> Stretch {
    let reason = |what: &str| Reason {
        phase,
        what: what.to_owned(),
        seen: format!("at {until_at}"),
        wanted: "all".to_owned(),
    };
    Stretch { phase, from_at, until_at, requests: 1, waited_for: waited_for.map(reason) }
}

/// Step, begin, end, requests and waits, as text.
fn told(stretches: &[Stretch]) -> Vec<String> {
    steps(stretches)
        .iter()
        .map(|step| {
            let waits: Vec<String> = step
                .waits
                .iter()
                .map(|wait| format!("{} {} {}", wait.what, wait.lasted, wait.seen))
                .collect();
            format!(
                "{} {}-{} x{} [{}]",
                step.step,
                step.from_at,
                step.until_at,
                step.requests,
                waits.join("; ")
            )
        })
        .collect()
}

#[test]
fn renewals_of_the_lock_do_not_cut_a_step_in_two() {
    let stretches = [
        stretch("lock", 0, 10, None),
        stretch("gate", 10, 40_000, Some("targets")),
        stretch("lock", 40_000, 40_020, None),
        stretch("gate", 40_020, 70_000, Some("targets")),
        stretch("lock", 70_000, 70_010, None),
    ];
    // 39,990 ms and 29,980 ms of waiting; the lock is one row from its first request to its release.
    assert_eq!(told(&stretches), ["lock 0-70010 x2 []", "gate 10-70000 x2 [targets 69970 at 70000]"]);
}

#[test]
fn steps_that_alternate_are_one_line_each_and_later_ones_are_not_taken_for_the_same() {
    let stretches = [
        stretch("new-group", 0, 100, None),
        stretch("exclude-new", 100, 110, None),
        stretch("new-group", 110, 200, None),
        stretch("exclude-new", 200, 210, None),
        stretch("taint", 210, 220, None),
        stretch("surge", 220, 300, None),
        stretch("admit", 300, 310, None),
        stretch("new-group", 310, 320, None),
    ];
    assert_eq!(
        told(&stretches),
        [
            "new-group 0-200 x2 []",
            "exclude-new 100-210 x2 []",
            "taint 210-220 x1 []",
            "surge 220-300 x1 []",
            "admit 300-310 x1 []",
            "new-group 310-320 x1 []"
        ]
    );
}

#[test]
fn of_many_waits_the_long_ones_are_told_and_of_short_ones_the_longest() {
    let gate = [
        stretch("gate", 0, 60_000, Some("targets")),
        stretch("gate", 60_000, 60_100, Some("a moment")),
        stretch("gate", 60_100, 70_000, Some("propagation")),
    ];
    assert_eq!(told(&gate), ["gate 0-70000 x3 [targets 60000 at 60000; propagation 9900 at 70000]"]);
    let short = [stretch("surge", 0, 100, Some("a")), stretch("surge", 100, 300, Some("b"))];
    assert_eq!(told(&short), ["surge 0-300 x2 [b 200 at 300]"]);
}
