use super::*;

fn between(min_replicas: i32, max_replicas: i32) -> Autoscaler {
    Autoscaler { min_replicas, max_replicas, behavior: None }
}

/// `load` in units of one pod's target, times ten.
fn metric(load: u64, ready_pods: i32) -> Metric {
    Metric { load, target: 10, ready_pods, unready_pods: 0 }
}

#[test]
fn the_bounds_act_without_any_metric() {
    let mut history = History::default();
    assert_eq!(reconcile(&between(3, 3), 6, None, &mut history, 0), Some(3));
    assert_eq!(reconcile(&between(3, 9), 1, None, &mut history, 0), Some(3));
    assert_eq!(reconcile(&between(3, 9), 6, None, &mut history, 0), None);
    assert_eq!(reconcile(&between(3, 9), 0, None, &mut history, 0), None);
}

#[track_caller]
fn check_proposal(current: i32, metric: Metric, expected: Option<i32>) {
    assert_eq!(proposal(&between(1, 100), current, &metric), expected);
}

#[test]
fn a_load_within_a_tenth_of_the_target_changes_nothing() {
    check_proposal(10, metric(110, 10), Some(10));
    check_proposal(10, metric(111, 10), Some(12)); // 11.1
    check_proposal(10, metric(90, 10), Some(10));
    check_proposal(10, metric(89, 10), Some(9)); // 8.9
    check_proposal(10, metric(0, 10), Some(0));
    check_proposal(10, metric(0, 0), None);
}

#[test]
fn pods_that_are_not_ready_yet_stop_further_growth() {
    let doubled = Metric { unready_pods: 3, ..metric(50, 3) };
    check_proposal(6, doubled, Some(6)); // 5 of 6 would do
    let still_too_few = Metric { unready_pods: 1, ..metric(90, 3) };
    check_proposal(4, still_too_few, Some(9));
}

#[test]
fn a_manual_doubling_is_undone_when_the_window_has_passed() {
    // Load for 3: the doubled target is proposed back at once, but the 6 that was current at the start holds it.
    let mut history = History::default();
    let scaler = between(1, 10);
    assert_eq!(reconcile(&scaler, 6, Some(&metric(30, 6)), &mut history, 0), None);
    assert_eq!(reconcile(&scaler, 6, Some(&metric(30, 6)), &mut history, 300_000), None);
    assert_eq!(reconcile(&scaler, 6, Some(&metric(30, 6)), &mut history, 300_001), Some(3));
}

#[test]
fn a_doubling_of_a_settled_target_is_undone_at_the_next_tick_if_its_load_was_low() {
    let mut history = History::default();
    let scaler = between(3, 10);
    // Idle at its minimum: proposals of 1 fill the window.
    for tick in 0..30 {
        assert_eq!(reconcile(&scaler, 3, Some(&metric(10, 3)), &mut history, tick * SYNC_PERIOD_MS), None);
    }
    assert_eq!(reconcile(&scaler, 6, Some(&metric(10, 6)), &mut history, 30 * SYNC_PERIOD_MS), Some(3));
}

#[test]
fn growth_is_at_most_a_doubling_or_to_four() {
    let grow = |current| {
        reconcile(&between(1, 100), current, Some(&metric(500, current)), &mut History::default(), 0)
    };
    assert_eq!(grow(1), Some(4));
    assert_eq!(grow(5), Some(10));
    assert_eq!(reconcile(&between(1, 7), 5, Some(&metric(500, 5)), &mut History::default(), 0), Some(7));
}

#[test]
fn policies_limit_the_change_within_their_period() {
    let policy = |change, period_ms| vec![Policy { change, period_ms }];
    let behavior = Behavior {
        up: Rules { policies: policy(Change::Pods(2), 60_000), ..Rules::up() },
        down: Rules { policies: policy(Change::Percent(50), 60_000), window_ms: 0, ..Rules::down() },
    };
    let scaler = Autoscaler { behavior: Some(behavior), ..between(1, 100) };
    let mut history = History::default();
    assert_eq!(reconcile(&scaler, 4, Some(&metric(500, 4)), &mut history, 0), Some(6));
    assert_eq!(reconcile(&scaler, 6, Some(&metric(500, 6)), &mut history, 15_000), None);
    assert_eq!(reconcile(&scaler, 6, Some(&metric(500, 6)), &mut history, 60_000), Some(8));
    // Two were added within the period: it started at 6, of which half may go.
    assert_eq!(reconcile(&scaler, 8, Some(&metric(10, 8)), &mut history, 75_000), Some(3));
}

#[test]
fn a_disabled_direction_is_frozen_for_the_metric_but_not_for_the_bounds() {
    let down = Rules { select: Select::Disabled, window_ms: 0, ..Rules::down() };
    let scaler = Autoscaler { behavior: Some(Behavior { up: Rules::up(), down }), ..between(1, 5) };
    assert_eq!(reconcile(&scaler, 4, Some(&metric(10, 4)), &mut History::default(), 0), None);
    assert_eq!(reconcile(&scaler, 6, Some(&metric(10, 6)), &mut History::default(), 0), Some(5));
}
