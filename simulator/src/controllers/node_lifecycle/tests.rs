use super::*;

const HEALTHY: NodeConditions = NodeConditions {
    ready: ConditionStatus::True,
    unschedulable: false,
    memory_pressure: false,
    disk_pressure: false,
    pid_pressure: false,
    network_unavailable: false,
};

#[test]
fn silence_is_noticed_at_the_first_check_after_the_grace_period() {
    // Heard at 1 s: the grace period ends at 51 s, the next check of 0, 5, 10 … is at 55 s.
    assert_eq!(unknown_at(1_000, false, 0), 55_000);
    assert_eq!(unknown_at(1_000, false, 100_000), 55_000);
    assert_eq!(unknown_at(5_000, false, 0), 60_000); // at 55 s exactly it is not over yet
    assert_eq!(unknown_at(5_000, true, 0), 70_000);
    assert_eq!(unknown_at(-100_000, false, 0), -45_000);
}

#[test]
fn pods_lose_their_readiness_only_when_the_node_loses_its_own() {
    use ConditionStatus::{False, True, Unknown};
    assert!(marks_pods_not_ready(True, Unknown) && marks_pods_not_ready(True, False));
    assert!(!marks_pods_not_ready(False, Unknown) && !marks_pods_not_ready(True, True));
}

#[track_caller]
fn check(node: NodeConditions, no_schedule: &[&str], no_execute: Option<&str>) {
    let taints = no_schedule_taints(&node);
    let short = |taint: &Taint| taint.key.trim_start_matches("node.kubernetes.io/").to_owned();
    assert_eq!(taints.iter().map(short).collect::<Vec<_>>(), no_schedule);
    assert_eq!(no_execute_taint(node.ready).as_ref().map(short).as_deref(), no_execute);
}

#[test]
fn a_cordon_becomes_a_taint_and_drives_nobody_away() {
    check(HEALTHY, &[], None);
    check(NodeConditions { unschedulable: true, ..HEALTHY }, &["unschedulable"], None);
    let silent = NodeConditions { ready: ConditionStatus::Unknown, memory_pressure: true, ..HEALTHY };
    check(silent, &["unreachable", "memory-pressure"], Some("unreachable"));
    check(NodeConditions { ready: ConditionStatus::False, ..HEALTHY }, &["not-ready"], Some("not-ready"));
}

#[test]
fn the_more_nodes_are_lost_the_fewer_are_tainted() {
    let zone = |ready, not_ready| Zone { ready, not_ready };
    assert_eq!(taints_per_100_seconds(&[zone(4, 2)]), [10]);
    assert_eq!(taints_per_100_seconds(&[zone(2, 3)]), [0]); // 60 %, small
    assert_eq!(taints_per_100_seconds(&[zone(20, 31)]), [1]); // 61 %, more than 50 nodes
    assert_eq!(taints_per_100_seconds(&[zone(0, 3)]), [0]);
    assert_eq!(taints_per_100_seconds(&[zone(0, 3), zone(3, 0)]), [10, 10]);
    assert_eq!(taints_per_100_seconds(&[]), [] as [u32; 0]);
}
