use super::*;

fn taint(key: &str, effect: Effect) -> Taint {
    Taint { key: key.into(), value: String::new(), effect }
}

fn toleration(key: &str, seconds: Option<i64>) -> Toleration {
    Toleration { seconds, ..Toleration::exists(key, Effect::NoExecute) }
}

#[track_caller]
fn check(keys: &[&str], tolerations: &[Toleration], expected: Option<Millis>) {
    let taints: Vec<Taint> = keys.iter().map(|key| taint(key, Effect::NoExecute)).collect();
    assert_eq!(delete_at(&taints, tolerations, 5_000), expected);
}

#[test]
fn a_pod_that_tolerates_nothing_goes_at_once() {
    check(&["a"], &[], Some(5_000));
    check(&["a", "b"], &[toleration("a", None)], Some(5_000));
    check(&[], &[], None);
    assert_eq!(delete_at(&[taint("a", Effect::NoSchedule)], &[], 5_000), None);
}

#[test]
fn the_shortest_toleration_in_use_decides() {
    check(&["a"], &[toleration("a", None)], None);
    check(&["a"], &[toleration("a", Some(300))], Some(305_000));
    check(&["a", "b"], &[toleration("a", Some(300)), toleration("b", Some(60))], Some(65_000));
    check(&["a"], &[toleration("a", Some(300)), toleration("b", Some(60))], Some(305_000));
    check(&["a", "b"], &[toleration("a", None), toleration("b", Some(60))], Some(65_000));
    check(&["a"], &[toleration("a", Some(-1))], Some(5_000));
    check(&["a"], &[toleration("a", Some(i64::MAX))], Some(i64::MAX));
}

#[test]
fn every_pod_tolerates_a_lost_node_for_five_minutes_unless_it_says_otherwise() {
    let keys = |tolerations: &[Toleration]| {
        default_tolerations(tolerations).into_iter().map(|toleration| toleration.key).collect::<Vec<_>>()
    };
    assert_eq!(keys(&[]), ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]);
    assert_eq!(
        keys(&[toleration("node.kubernetes.io/not-ready", Some(5))]),
        ["node.kubernetes.io/unreachable"]
    );
    assert!(keys(&[Toleration { effect: None, ..toleration("", None) }]).is_empty());
    assert_eq!(keys(&[Toleration::exists("", Effect::NoSchedule)]).len(), 2);
}
