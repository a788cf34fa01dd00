use super::*;

const SECOND: i64 = 1_000_000_000;

fn pod(uid: &str) -> Pod<'_> {
    Pod {
        uid,
        node: Some(0),
        phase: PodPhase::Running,
        ready: true,
        ready_age_ns: 1000 * SECOND,
        age_ns: 1000 * SECOND,
        restarts: 0,
        sidecar_restarts: 0,
        deletion_cost: 0,
    }
}

/// The UIDs in the order in which the pods would go; all share the related pods that are given.
#[track_caller]
fn check(pods: &[Pod<'_>], related: &[Option<u32>], expected: &[&str]) {
    let order: Vec<&str> = victims(pods, related, expected.len()).into_iter().map(|i| pods[i].uid).collect();
    assert_eq!(order, expected);
}

#[test]
fn each_rule_outranks_the_ones_after_it() {
    let pods = [
        pod("e-old"),
        Pod { age_ns: 10 * SECOND, ..pod("d-created-later") },
        Pod { restarts: 3, ..pod("c-restarted") },
        Pod { ready_age_ns: 10 * SECOND, restarts: 0, ..pod("b-ready-later") },
        Pod { node: Some(1), ready_age_ns: 99_999 * SECOND, ..pod("a5-crowded") },
        Pod { deletion_cost: -1, ready_age_ns: 99_999 * SECOND, ..pod("a4-cheap") },
        Pod { ready: false, deletion_cost: 9, ..pod("a3-not-ready") },
        Pod { phase: PodPhase::Unknown, deletion_cost: 9, ..pod("a2-unknown") },
        Pod { phase: PodPhase::Pending, ready: false, deletion_cost: 9, ..pod("a1-pending") },
        Pod { node: None, deletion_cost: 9, ..pod("a0-unscheduled") },
    ];
    let related: Vec<Option<u32>> = [Some(0); 8].into_iter().chain([Some(1); 9]).collect();
    check(
        &pods,
        &related,
        &[
            "a0-unscheduled",
            "a1-pending",
            "a2-unknown",
            "a3-not-ready",
            "a4-cheap",
            "a5-crowded",
            "b-ready-later",
            "c-restarted",
            "d-created-later",
        ],
    );
}

#[test]
fn doubling_and_halving_removes_the_new_half() {
    // Two old pods, ready for a day, and two that have been ready for 40 s: different magnitudes of age.
    let old = |uid| Pod { ready_age_ns: 86_400 * SECOND, ..pod(uid) };
    let new = |uid| Pod { ready_age_ns: 40 * SECOND, node: Some(1), ..pod(uid) };
    let pods = [old("a"), old("b"), new("x"), new("y")];
    check(&pods, &[Some(0), Some(0), Some(1), Some(1)], &["x", "y"]);
}

#[test]
fn within_one_magnitude_of_age_the_uid_decides() {
    // 2^46 ns are 70,369 s: 90,000 s and 100,000 s share a bucket, 70,000 s lie below its border.
    let aged = |uid, seconds| Pod { ready_age_ns: seconds * SECOND, ..pod(uid) };
    check(&[aged("b", 90_000), aged("a", 100_000)], &[], &["a"]);
    check(&[aged("b", 70_000), aged("a", 100_000)], &[], &["b"]);
}

#[test]
fn a_low_cost_on_the_old_half_removes_exactly_the_old_half() {
    let old = |uid| Pod { ready_age_ns: 86_400 * SECOND, deletion_cost: -100, ..pod(uid) };
    let pods = [pod("x"), old("a"), pod("y"), old("b")];
    check(&pods, &[], &["a", "b"]);
}

#[test]
fn pods_that_rank_in_a_circle_are_sorted_all_the_same() {
    // a before b by restarts (ready at once), b before c and c before a by UID.
    let a = Pod { restarts: 1, ..pod("3") };
    let b = pod("1");
    let c = Pod { ready_age_ns: 1001 * SECOND, ..pod("2") };
    for pods in [[a, b, c], [b, c, a], [c, b, a]] {
        assert_eq!(victims(&pods, &[], 2).len(), 2);
    }
}

#[test]
fn one_pass_creates_or_deletes_at_most_a_burst() {
    assert_eq!(plan(3, &[], &[]), Plan::Create(3));
    assert_eq!(plan(501, &[], &[]), Plan::Create(BURST));
    assert_eq!(plan(1, &[pod("a")], &[]), Plan::Nothing);
    assert_eq!(plan(-1, &[pod("a")], &[]), Plan::Delete(vec![0]));
    let many = vec![pod("a"); 502];
    assert!(matches!(plan(1, &many, &[]), Plan::Delete(victims) if victims.len() == BURST));
}

#[test]
fn creations_come_in_growing_batches() {
    assert_eq!(batches(10).collect::<Vec<_>>(), [1, 2, 4, 3]);
    assert_eq!(batches(0).count(), 0);
}

#[test]
fn a_deletion_cost_is_read_as_kubernetes_reads_it() {
    let cases = [
        (None, 0),
        (Some("10"), 10),
        (Some("-100"), -100),
        (Some("-05"), -5),
        (Some("0"), 0),
        (Some("+10"), 0),
        (Some("008"), 0),
        (Some("ten"), 0),
        (Some(""), 0),
        (Some("-"), 0),
        (Some("2147483648"), 0),
        (Some("-2147483648"), i32::MIN),
    ];
    for (text, expected) in cases {
        assert_eq!(deletion_cost(text), expected, "{text:?}");
    }
}

#[test]
fn timestamps_are_stored_in_whole_seconds() {
    assert_eq!(age_ns(1999, 3500), 2_500_000_000);
    assert_eq!(age_ns(-1, 0), 1_000_000_000);
    assert_eq!(age_ns(i64::MIN, i64::MAX), i64::MAX);
}
