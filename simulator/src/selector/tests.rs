use super::*;
use k8s_openapi::api::core::v1::{
    Affinity, NodeAffinity as ApiNodeAffinity, Taint as ApiTaint, Toleration as ApiToleration,
};

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn term(json: serde_json::Value) -> NodeSelectorTerm {
    serde_json::from_value(json).unwrap()
}

#[track_caller]
fn check_labels(selector: serde_json::Value, on: &[(&str, &str)], expected: Result<bool, &str>) {
    let selector: ApiLabelSelector = serde_json::from_value(selector).unwrap();
    let got = LabelSelector::compile(Some(&selector)).map(|s| s.matches(&labels(on)));
    match expected {
        Ok(expected) => assert_eq!(got, Ok(expected)),
        Err(part) => assert!(got.as_ref().is_err_and(|e| e.to_string().contains(part)), "{got:?}"),
    }
}

#[test]
fn an_absent_selector_matches_nothing_and_an_empty_one_everything() {
    assert!(!LabelSelector::compile(None).unwrap().matches(&labels(&[("app", "web")])));
    check_labels(serde_json::json!({}), &[], Ok(true));
    assert!(LabelSelector::compile(Some(&ApiLabelSelector::default())).unwrap().is_empty());
}

#[test]
fn labels_and_expressions_must_all_hold() {
    let selector = serde_json::json!({"matchLabels": {"app": "web"},
        "matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["test"]}]});
    check_labels(selector.clone(), &[("app", "web")], Ok(true)); // NotIn holds where the label is absent
    check_labels(selector.clone(), &[("app", "web"), ("tier", "test")], Ok(false));
    check_labels(selector, &[("app", "api")], Ok(false));
}

#[test]
fn an_unknown_operator_is_an_error_that_names_it() {
    let with = |operator: &str, values: &[&str]| serde_json::json!({"matchExpressions": [{"key": "a", "operator": operator, "values": values}]});
    check_labels(with("Near", &[]), &[], Err("Near"));
    check_labels(with("Gt", &["1"]), &[], Err("Gt")); // exists for nodes alone
    check_labels(with("In", &[]), &[], Err("0 such"));
    check_labels(with("Exists", &["x"]), &[], Err("1 such"));
}

#[track_caller]
fn check_node(terms: &[serde_json::Value], name: &str, on: &[(&str, &str)], expected: bool) {
    let selector = ApiNodeSelector { node_selector_terms: terms.iter().cloned().map(term).collect() };
    assert_eq!(NodeSelector::compile(&selector).unwrap().matches(name, &labels(on)), expected);
}

#[test]
fn node_terms_are_alternatives_and_an_empty_one_selects_nothing() {
    let zone =
        serde_json::json!({"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a", "b"]}]});
    let named =
        serde_json::json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]});
    let empty = serde_json::json!({});
    check_node(&[zone.clone(), named.clone()], "n1", &[("zone", "c")], true);
    check_node(&[zone.clone(), named], "n2", &[("zone", "c")], false);
    check_node(std::slice::from_ref(&empty), "n1", &[], false);
    check_node(&[empty, zone], "n2", &[("zone", "b")], true);
    check_node(&[], "n1", &[], false);
}

#[test]
fn greater_and_less_compare_integers_and_fail_on_anything_else() {
    let more = serde_json::json!({"matchExpressions": [{"key": "cpu", "operator": "Gt", "values": ["4"]}]});
    let less = serde_json::json!({"matchExpressions": [{"key": "cpu", "operator": "Lt", "values": ["4"]}]});
    check_node(std::slice::from_ref(&more), "n", &[("cpu", "16")], true);
    check_node(std::slice::from_ref(&more), "n", &[("cpu", "4")], false);
    check_node(std::slice::from_ref(&less), "n", &[("cpu", "-3")], true);
    check_node(&[more], "n", &[("cpu", "many")], false);
    check_node(&[less], "n", &[], false);
    let wrong = ApiNodeSelector {
        node_selector_terms: vec![term(
            serde_json::json!({"matchExpressions": [{"key": "cpu", "operator": "Gt", "values": ["four"]}]}),
        )],
    };
    assert!(NodeSelector::compile(&wrong).is_err());
}

#[test]
fn a_pod_combines_its_node_selector_with_its_affinity() {
    let spec = PodSpec {
        node_selector: Some(labels(&[("os", "linux")])),
        affinity: Some(Affinity {
            node_affinity: Some(ApiNodeAffinity {
                preferred_during_scheduling_ignored_during_execution: Some(
                    serde_json::from_value(serde_json::json!([
                        {"weight": 10, "preference": {"matchExpressions": [{"key": "zone", "operator": "Exists"}]}},
                        {"weight": 5, "preference": {"matchExpressions": [
                            {"key": "zone", "operator": "In", "values": ["a"]}]}},
                        {"weight": 100, "preference": {}}]))
                    .unwrap(),
                ),
                required_during_scheduling_ignored_during_execution: Some(ApiNodeSelector {
                    node_selector_terms: vec![term(
                        serde_json::json!({"matchExpressions": [{"key": "gpu", "operator": "DoesNotExist"}]}),
                    )],
                }),
            }),
            ..Affinity::default()
        }),
        ..PodSpec::default()
    };
    let affinity = NodeAffinity::compile(&spec).unwrap();
    assert!(affinity.allows("n", &labels(&[("os", "linux")])));
    assert!(!affinity.allows("n", &labels(&[("os", "windows")])));
    assert!(!affinity.allows("n", &labels(&[("os", "linux"), ("gpu", "1")])));
    assert_eq!(affinity.preference("n", &labels(&[("zone", "a")])), 15);
    assert_eq!(affinity.preference("n", &labels(&[("zone", "b")])), 10);
    assert_eq!(affinity.preference("n", &labels(&[])), 0);
    assert!(!affinity.requires_nothing() && !affinity.prefers_nothing());
}

#[track_caller]
fn check_toleration(toleration: serde_json::Value, expected: bool) {
    let toleration: ApiToleration = serde_json::from_value(toleration).unwrap();
    let taint = Taint { key: "mig".into(), value: "old".into(), effect: Effect::NoSchedule };
    assert_eq!(Toleration::compile(&toleration).unwrap().covers(&taint), expected);
}

#[test]
fn empty_parts_of_a_toleration_cover_everything() {
    check_toleration(serde_json::json!({"operator": "Exists"}), true);
    check_toleration(serde_json::json!({"key": "mig", "operator": "Exists"}), true);
    check_toleration(serde_json::json!({"key": "mig", "operator": "Exists", "effect": "NoExecute"}), false);
    check_toleration(serde_json::json!({"key": "mig", "value": "old"}), true); // the operator defaults to Equal
    check_toleration(serde_json::json!({"key": "mig", "operator": "Equal", "value": "new"}), false);
    check_toleration(serde_json::json!({"key": "other", "operator": "Exists"}), false);
    check_toleration(serde_json::json!({"value": "old"}), true);
}

#[test]
fn soft_taints_keep_nobody_away() {
    let taint = |effect: &str| ApiTaint { key: "k".into(), effect: effect.into(), ..ApiTaint::default() };
    let soft = Taint::compile(&taint("PreferNoSchedule")).unwrap();
    let hard = Taint::compile(&taint("NoExecute")).unwrap();
    assert_eq!(untolerated(&[soft.clone(), hard.clone()], &[]), Some(&hard));
    assert_eq!(untolerated(&[soft], &[]), None);
    assert!(Taint::compile(&taint("NoWay")).is_err());
}
