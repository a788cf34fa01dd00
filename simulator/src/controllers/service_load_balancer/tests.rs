use super::*;

const NODE: Node<'_> = Node {
    exclude_label: None,
    taints: &[],
    ready: ConditionStatus::True,
    deleting: false,
    provider_id: "aws:///eu-west-1a/i-1",
    aws_excluded: false,
};

fn taint(key: &str) -> [Taint; 1] {
    [Taint { key: key.into(), value: String::new(), effect: Effect::NoSchedule }]
}

fn labelled(value: &str) -> Node<'_> {
    Node { exclude_label: Some(value), ..NODE }
}

#[test]
fn the_two_controllers_read_the_label_differently() {
    // Label value → service controller, AWS Load Balancer Controller.
    for (value, service, aws) in [
        ("true", false, false),
        ("", false, false),
        ("false", true, false),
        ("0", true, false),
        ("no", false, false),
    ] {
        let node = labelled(value);
        assert_eq!((in_load_balancer(&node), is_aws_suitable(&node)), (service, aws), "{value:?}");
    }
    assert!(in_load_balancer(&NODE) && is_aws_suitable(&NODE));
}

#[test]
fn only_the_aws_controller_asks_for_readiness() {
    let silent = Node { ready: ConditionStatus::Unknown, ..NODE };
    let sick = Node { ready: ConditionStatus::False, ..NODE };
    assert!(in_load_balancer(&silent) && in_load_balancer(&sick));
    assert_eq!(aws_targets(&[NODE, silent, sick, labelled("true")]), [0]);
    assert_eq!(aws_targets(&[silent, sick]), [0]); // fails open
    assert!(aws_targets(&[sick]).is_empty());
}

#[test]
fn taints_of_an_autoscaler_exclude() {
    let autoscaler = taint(TO_BE_DELETED_TAINT);
    let karpenter = taint(DISRUPTED_TAINT);
    let own = taint("mig");
    let with = |taints| Node { taints, ..NODE };
    assert!(!in_load_balancer(&with(&autoscaler)) && !is_aws_suitable(&with(&autoscaler)));
    assert!(in_load_balancer(&with(&karpenter)) && !is_aws_suitable(&with(&karpenter)));
    assert!(in_load_balancer(&with(&own)) && is_aws_suitable(&with(&own)));
    assert!(!in_load_balancer(&Node { deleting: true, ..NODE }));
}

#[test]
fn a_taint_waits_for_the_next_sync_of_the_service_controller() {
    let autoscaler = taint(TO_BE_DELETED_TAINT);
    let tainted = Node { taints: &autoscaler, ..NODE };
    assert!(!triggers_sync(&NODE, &tainted) && aws_triggers_sync(&NODE, &tainted));
    assert!(triggers_sync(&NODE, &labelled("true")) && aws_triggers_sync(&NODE, &labelled("true")));
    assert!(!triggers_sync(&NODE, &labelled("false")));
    assert!(triggers_sync(&Node { provider_id: "", ..NODE }, &NODE));
    let sick = Node { ready: ConditionStatus::False, ..NODE };
    assert!(!triggers_sync(&NODE, &sick) && aws_triggers_sync(&NODE, &sick));
    assert!(!aws_triggers_sync(&sick, &Node { exclude_label: Some("true"), ..sick }));
    assert!(!aws_triggers_sync(
        &labelled("true"),
        &Node { ready: ConditionStatus::False, ..labelled("true") }
    ));
}
