use std::collections::BTreeSet;

use super::*;

fn calls(role: Role) -> BTreeSet<String> {
    let kubernetes = kubernetes().filter(|call| call.role <= role).map(|call| call.shown());
    let aws =
        AWS.iter().filter(|call| call.role <= role).map(|call| format!("{} {:?}", call.shown(), call.limit));
    kubernetes.chain(aws).collect()
}

#[test]
fn no_call_stands_twice_in_the_table() {
    let all = kubernetes().count() + AWS.len();
    assert_eq!(calls(Role::Apply).len(), all);
}

#[test]
fn a_plan_needs_what_an_observer_has_and_nothing_of_it_writes() {
    assert_eq!(calls(Role::Plan), calls(Role::Observe));
    let asks = |call: &KubernetesCall| {
        matches!(call.verb, "get" | "list" | "watch") || call.resource == "selfsubjectaccessreviews"
    };
    assert!(kubernetes().filter(|call| call.role < Role::Apply).all(|call| asks(&call)));
    let reads = |call: &AwsCall| call.action.starts_with("Describe") || call.action.starts_with("List");
    assert!(AWS.iter().filter(|call| call.role < Role::Apply).all(reads));
}

#[test]
fn whoever_applies_writes_no_other_config_map_and_no_other_lease() {
    let manifests = rbac(Role::Apply, "deployers");
    let rules = manifests.iter().flat_map(Manifest::rules);
    for rule in rules.filter(|rule| rule.verbs.iter().any(|verb| matches!(verb.as_str(), "patch" | "update")))
    {
        for resource in rule.resources.iter().flatten() {
            let named = match resource.as_str() {
                "configmaps" => Some(vec!["nodeferry-journal".to_owned()]),
                "leases" => Some(vec!["nodeferry".to_owned()]),
                _ => None,
            };
            assert_eq!(rule.resource_names, named, "{resource}");
        }
    }
}

#[test]
fn nothing_is_granted_by_a_wildcard() {
    for manifest in rbac(Role::Apply, "deployers") {
        for rule in manifest.rules() {
            let all = [&rule.api_groups, &rule.resources].into_iter().flatten().flatten();
            assert!(all.chain(&rule.verbs).all(|one| one != "*"), "{rule:?}");
        }
    }
    let policy = iam(Role::Apply, &Account::default());
    let statements = policy["Statement"].as_array().expect("a list");
    let actions = statements.iter().flat_map(|one| one["Action"].as_array().expect("a list"));
    assert!(actions.clone().count() >= AWS.len());
    assert!(actions.into_iter().all(|action| !action.as_str().expect("a text").contains('*')));
}

#[test]
fn a_policy_is_for_one_cluster_in_its_partition() {
    let account = Account {
        region: "cn-north-1".to_owned(),
        account: "111122223333".to_owned(),
        cluster: "clinic".to_owned(),
        node_role: "arn:aws-cn:iam::111122223333:role/node".to_owned(),
    };
    let policy = iam(Role::Apply, &account).to_string();
    assert!(policy.contains("arn:aws-cn:eks:cn-north-1:111122223333:nodegroup/clinic/*"), "{policy}");
    assert!(policy.contains(r#"{"aws:ResourceTag/eks:cluster-name":"clinic"}"#), "{policy}");
    assert!(!policy.contains("arn:aws:") && !policy.contains("CLUSTER"), "{policy}");
}
