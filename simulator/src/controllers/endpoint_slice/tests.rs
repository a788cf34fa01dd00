use super::*;

const POD: Pod =
    Pod { phase: PodPhase::Running, has_address: true, ready: true, terminating: false, node_exists: true };

/// Expected: ready, serving, terminating.
#[track_caller]
fn check(pod: Pod, publish_not_ready_addresses: bool, expected: Option<[bool; 3]>) {
    let got = endpoint(&pod, publish_not_ready_addresses);
    assert_eq!(
        got.map(|conditions| [conditions.ready, conditions.serving, conditions.terminating]),
        expected
    );
}

#[test]
fn a_terminating_pod_serves_but_is_not_ready() {
    check(POD, false, Some([true, true, false]));
    check(Pod { terminating: true, ..POD }, false, Some([false, true, true]));
    check(Pod { ready: false, ..POD }, false, Some([false, false, false]));
}

#[test]
fn a_pod_without_address_or_after_its_end_is_no_endpoint() {
    check(Pod { has_address: false, ..POD }, true, None);
    check(Pod { phase: PodPhase::Succeeded, ..POD }, true, None);
    check(Pod { phase: PodPhase::Failed, ..POD }, false, None);
}

#[test]
fn pods_of_a_deleted_node_vanish_unless_published_regardless() {
    check(Pod { node_exists: false, ..POD }, false, None);
    check(Pod { node_exists: false, ..POD }, true, Some([true, true, false]));
    check(Pod { ready: false, terminating: true, ..POD }, true, Some([true, false, true]));
}
