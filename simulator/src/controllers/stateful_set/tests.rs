use super::*;

const ORDERED: StatefulSet =
    StatefulSet { replicas: 3, start_ordinal: 0, parallel: false, partition: Some(0) };
const PARALLEL: StatefulSet = StatefulSet { parallel: true, ..ORDERED };

fn pod(ordinal: i32) -> Pod {
    Pod { ordinal, phase: PodPhase::Running, ready: true, available: true, terminating: false, updated: true }
}

fn starting(ordinal: i32) -> Pod {
    Pod { ready: false, available: false, ..pod(ordinal) }
}

fn terminating(ordinal: i32) -> Pod {
    Pod { terminating: true, ..pod(ordinal) }
}

#[track_caller]
fn acts(set: StatefulSet, pods: &[Pod], expected: &[Action]) {
    assert_eq!(next_step(&set, pods), Step::Act(expected.to_vec()));
}

#[track_caller]
fn waits(set: StatefulSet, pods: &[Pod], ordinal: i32) {
    assert_eq!(next_step(&set, pods), Step::Wait { ordinal });
}

#[test]
fn ordered_pods_start_one_after_the_other() {
    acts(ORDERED, &[], &[Action::Create(0)]);
    waits(ORDERED, &[starting(0)], 0);
    acts(ORDERED, &[pod(0)], &[Action::Create(1)]);
    assert_eq!(next_step(&ORDERED, &[pod(2), pod(1), pod(0)]), Step::Settled);
}

#[test]
fn an_evicted_pod_is_replaced_only_when_it_is_gone() {
    waits(ORDERED, &[pod(0), terminating(1), pod(2)], 1);
    acts(ORDERED, &[pod(0), pod(2)], &[Action::Create(1)]);
    // In parallel nothing waits for it either, but its name is still taken.
    assert_eq!(
        next_step(&StatefulSet { partition: None, ..PARALLEL }, &[pod(0), terminating(1), pod(2)]),
        Step::Settled
    );
}

#[test]
fn parallel_slots_are_independent() {
    acts(PARALLEL, &[starting(1)], &[Action::Create(0), Action::Create(2)]);
    let smaller = StatefulSet { replicas: 1, ..PARALLEL };
    acts(smaller, &[pod(0), pod(1), pod(2)], &[Action::Delete(2), Action::Delete(1)]);
}

#[test]
fn a_scale_down_removes_the_highest_ordinal_first() {
    let smaller = StatefulSet { replicas: 1, ..ORDERED };
    acts(smaller, &[pod(0), pod(1), pod(2)], &[Action::Delete(2)]);
    waits(smaller, &[pod(0), pod(1), terminating(2)], 2);
    acts(smaller, &[pod(0), pod(1)], &[Action::Delete(1)]);
}

#[test]
fn of_unavailable_condemned_pods_only_the_lowest_may_go() {
    let smaller = StatefulSet { replicas: 1, ..ORDERED };
    waits(smaller, &[pod(0), starting(1), starting(2)], 2);
    acts(smaller, &[pod(0), pod(1), starting(2)], &[Action::Delete(2)]);
    acts(smaller, &[pod(0), starting(1), pod(2)], &[Action::Delete(2)]);
}

#[test]
fn a_rolling_update_goes_from_the_top_one_at_a_time() {
    let stale = |ordinal| Pod { updated: false, ..pod(ordinal) };
    acts(ORDERED, &[stale(0), stale(1), stale(2)], &[Action::Delete(2)]);
    acts(ORDERED, &[stale(0), stale(1), pod(2)], &[Action::Delete(1)]);
    waits(PARALLEL, &[stale(0), stale(1), starting(2)], 2);
    waits(PARALLEL, &[stale(0), stale(1), Pod { available: false, ..pod(2) }], 2);
    let partitioned = StatefulSet { partition: Some(2), ..ORDERED };
    assert_eq!(next_step(&partitioned, &[stale(0), stale(1), pod(2)]), Step::Settled);
    let on_delete = StatefulSet { partition: None, ..ORDERED };
    assert_eq!(next_step(&on_delete, &[stale(0), stale(1), stale(2)]), Step::Settled);
}

#[test]
fn a_pod_that_ended_is_deleted_and_then_created_again() {
    let ended = Pod { phase: PodPhase::Failed, ready: false, ..pod(1) };
    acts(ORDERED, &[pod(0), ended, pod(2)], &[Action::Delete(1)]);
}

#[test]
fn ordinals_start_where_the_set_says() {
    let shifted = StatefulSet { start_ordinal: 5, replicas: 2, ..ORDERED };
    acts(shifted, &[pod(5)], &[Action::Create(6)]);
    acts(shifted, &[pod(5), pod(6), pod(0)], &[Action::Delete(0)]);
    let absurd = StatefulSet { start_ordinal: i32::MAX, replicas: 2, ..ORDERED };
    assert_eq!(next_step(&absurd, &[pod(i32::MAX)]), Step::Settled);
}
