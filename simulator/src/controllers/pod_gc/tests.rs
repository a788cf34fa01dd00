use super::*;

#[track_caller]
fn check(node: Node, terminating: bool, expected: Verdict) {
    let pod = Pod { phase: PodPhase::Running, terminating, node };
    assert_eq!(collect(&pod, 100_000), expected);
}

#[test]
fn pods_of_a_missing_node_are_force_deleted_after_the_quarantine() {
    check(Node::Missing { since_at: 60_001 }, false, Verdict::Keep);
    check(Node::Missing { since_at: 60_000 }, false, Verdict::FailAndDelete);
    check(Node::Present { out_of_service: false }, false, Verdict::Keep);
}

#[test]
fn a_terminating_pod_without_a_kubelet_is_finished_by_the_collector() {
    check(Node::None, true, Verdict::Delete);
    check(Node::None, false, Verdict::Keep);
    check(Node::Present { out_of_service: true }, true, Verdict::FailAndDelete);
    check(Node::Present { out_of_service: false }, true, Verdict::Keep);
}

#[test]
fn of_too_many_ended_pods_the_oldest_go() {
    let ended: Vec<(Millis, usize)> = (0..TERMINATED_PODS_MAX + 2).map(|i| (-(i as i64), i)).collect();
    assert_eq!(surplus(ended), [TERMINATED_PODS_MAX + 1, TERMINATED_PODS_MAX]);
    assert!(surplus(vec![(0, 1)]).is_empty());
}
