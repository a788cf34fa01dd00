use super::*;
use crate::selector::{Effect, Taint};

fn constraint<'a>(max_skew: i32, domains: &'a [u32], matching: &'a [u32]) -> SpreadConstraint<'a> {
    SpreadConstraint {
        max_skew,
        min_domains: 1,
        matches_itself: true,
        is_hostname: false,
        honors_affinity: true,
        honors_taints: false,
        domains,
        matching,
    }
}

/// Which nodes a pod with this required constraint may run on.
#[track_caller]
fn check(constraint: SpreadConstraint<'_>, nodes: &[NodeState], allows: Option<&[bool]>, expected: &[bool]) {
    let required = [constraint];
    let pod = PodRequest {
        affinity_allows: allows,
        spread: Spread { required: &required, ..Spread::default() },
        ..PodRequest::default()
    };
    let domains = domains(&pod, nodes);
    let got: Vec<bool> = (0..nodes.len()).map(|i| violated(&pod.spread, &domains, i).is_none()).collect();
    assert_eq!(got, expected);
}

#[test]
fn a_domain_may_exceed_the_smallest_by_the_skew() {
    let nodes = vec![NodeState::default(); 3];
    check(constraint(1, &[0, 1, 1], &[1, 0, 1]), &nodes, None, &[true; 3]);
    check(constraint(1, &[0, 1, 1], &[1, 0, 0]), &nodes, None, &[false, true, true]);
    check(constraint(2, &[0, 1, 1], &[1, 0, 0]), &nodes, None, &[true; 3]);
    check(constraint(1, &[0, 1, NO_DOMAIN], &[1, 0, 0]), &nodes, None, &[false, true, false]);
}

#[test]
fn an_empty_old_node_blocks_new_pods_unless_its_taint_is_honoured() {
    let tainted = NodeState {
        taints: vec![Taint { key: "mig".into(), value: String::new(), effect: Effect::NoSchedule }],
        ..NodeState::default()
    };
    let nodes = [tainted, NodeState::default()];
    let hosts = constraint(1, &[0, 1], &[0, 1]);
    check(hosts, &nodes, None, &[true, false]);
    check(SpreadConstraint { honors_taints: true, ..hosts }, &nodes, None, &[true, true]);
    // The same with a node that the pod's own affinity excludes.
    check(hosts, &nodes, Some(&[false, true]), &[true, true]);
    check(SpreadConstraint { honors_affinity: false, ..hosts }, &nodes, Some(&[false, true]), &[true, false]);
}

#[test]
fn too_few_domains_count_as_one_that_is_empty() {
    let nodes = vec![NodeState::default(); 2];
    let zones = constraint(1, &[0, 1], &[1, 1]);
    check(zones, &nodes, None, &[true, true]);
    check(SpreadConstraint { min_domains: 3, ..zones }, &nodes, None, &[false, false]);
}

#[test]
fn scores_favour_the_empty_domain() {
    let nodes = vec![NodeState::default(); 3];
    let preferred = SpreadConstraint::default_for(&[0, 1, 2], &[0, 0, 1], &[2, 0, 0]);
    let pod = PodRequest {
        spread: Spread { required: &[], preferred: &preferred, is_default: true },
        ..PodRequest::default()
    };
    // Hosts weigh ln 5 = 1.609, zones ln 4 = 1.386. Raw: 3.22 + 2 + 2.77 + 4 = 12; 0 + 2 + 2.77 + 4 = 9; 2 + 4 = 6.
    assert_eq!(score(&pod, &nodes, &[0, 1, 2]), Some(vec![50, 75, 100]));
    let unlabelled = SpreadConstraint::default_for(&[0, 1, 2], &[0, 0, NO_DOMAIN], &[2, 0, 0]);
    let own = PodRequest {
        spread: Spread { required: &[], preferred: &unlabelled, is_default: false },
        ..PodRequest::default()
    };
    // The node without the label is not scored; hosts weigh ln 4, zones ln 3 = 1.099. Raw: 2.77 + 2 + 2.2 + 4 = 11; 8.
    assert_eq!(score(&own, &nodes, &[0, 1, 2]), Some(vec![72, 100, 0]));
    assert_eq!(score(&PodRequest::default(), &nodes, &[0, 1, 2]), None);
}
