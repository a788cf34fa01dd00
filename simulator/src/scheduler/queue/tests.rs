use super::*;

#[test]
fn attempts_are_further_and_further_apart() {
    assert_eq!(
        [0, 1, 2, 3, 4, 5, 6, 99].map(backoff_ms),
        [0, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]
    );
    assert_eq!(backoff_ends_at(5_999, 1), 6_000);
    assert_eq!(backoff_ends_at(-1, 2), 1_000);
}

#[test]
fn priority_comes_before_arrival() {
    let mut queue = [order(0, 1, 0), order(0, 0, 1), order(5, 9, 2), order(0, 0, 0)];
    queue.sort_unstable();
    assert_eq!(queue, [order(5, 9, 2), order(0, 0, 0), order(0, 0, 1), order(0, 1, 0)]);
}

#[test]
fn a_pod_wakes_only_for_what_may_help_it() {
    let mut failures = Failures::default();
    failures.add(Reason::InsufficientCpu);
    failures.add(Reason::UntoleratedTaint);
    assert!(wakes(Event::PodRemoved, &failures) && wakes(Event::NodeTaintsChanged, &failures));
    assert!(!wakes(Event::NodeUncordoned, &failures) && !wakes(Event::PodBound, &failures));
    assert!(wakes(Event::NodeAdded, &failures));
    assert!(!wakes(Event::NodeAdded, &Failures::default()));
}
