use super::*;

#[track_caller]
fn check(key: &str, effect: Effect, host_network: bool, expected: Placement) {
    let taint = Taint { key: key.into(), value: String::new(), effect };
    assert_eq!(placement(true, &[taint], &[], host_network), expected);
}

#[test]
fn a_cordon_does_not_stop_a_daemon_pod() {
    check("node.kubernetes.io/unschedulable", Effect::NoSchedule, false, Placement::Run);
    check("node.kubernetes.io/unreachable", Effect::NoExecute, false, Placement::Run);
    check("soft", Effect::PreferNoSchedule, false, Placement::Run);
}

#[test]
fn a_taint_of_ones_own_keeps_the_pod_but_does_not_replace_it() {
    check("mig", Effect::NoSchedule, false, Placement::Keep);
    check("mig", Effect::NoExecute, false, Placement::Remove);
    let taint = Taint { key: "mig".into(), value: "old".into(), effect: Effect::NoExecute };
    let blanket =
        Toleration { key: String::new(), effect: None, ..Toleration::exists("", Effect::NoExecute) };
    assert_eq!(placement(true, &[taint], &[blanket], false), Placement::Run);
}

#[test]
fn only_host_network_pods_run_where_there_is_no_network() {
    check("node.kubernetes.io/network-unavailable", Effect::NoSchedule, false, Placement::Keep);
    check("node.kubernetes.io/network-unavailable", Effect::NoSchedule, true, Placement::Run);
}

#[test]
fn a_node_that_no_longer_matches_loses_its_pod() {
    assert_eq!(placement(false, &[], &[], false), Placement::Remove);
}
