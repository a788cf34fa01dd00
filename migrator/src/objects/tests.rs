use k8s_openapi::{api::core::v1 as core, serde::de::DeserializeOwned};
use serde_json::{Value, json};

use super::*;
use crate::view::PodPhase;

fn read<T: DeserializeOwned>(from: Value) -> T {
    serde_json::from_value(from).expect("a test's object is well-formed")
}

#[test]
fn what_is_absent_has_the_defaults_of_the_api() {
    let pod = pod(&core::Pod::default());
    assert_eq!((pod.phase, pod.ready_since, pod.owner, pod.node), (PodPhase::Pending, None, None, None));
    assert_eq!((pod.spec.grace_period, pod.spec.pre_stop), (Duration::from_secs(30), Some(Duration::ZERO)));
    let deployment = deployment(&read(json!({})));
    assert_eq!((deployment.replicas, deployment.recreate, deployment.paused), (1, false, false));
    let node = node(&core::Node::default());
    assert!(!node.ready && !node.unschedulable && node.zone.is_none());
    let hpa =
        read(json!({"spec": {"maxReplicas": 4, "scaleTargetRef": {"kind": "Deployment", "name": "web"}}}));
    assert_eq!(horizontal_pod_autoscaler(&hpa).min, 1);
}

#[test]
fn only_the_controlling_owner_counts() {
    let reference = |kind: &str, controller: bool| json!({"apiVersion": "v1", "kind": kind, "name": kind, "uid": kind, "controller": controller});
    let owners = json!([reference("Widget", false), reference("StatefulSet", true)]);
    let pod = pod(&read(json!({"metadata": {"ownerReferences": owners}})));
    assert_eq!(
        pod.owner.map(|owner| (owner.kind, &*owner.name == "StatefulSet")),
        Some((OwnerKind::StatefulSet, true))
    );
}

#[test]
fn the_longest_hook_counts_and_one_that_cannot_be_told_makes_it_unknown() {
    let pre_stop = |hooks: &[Value]| {
        let containers: Vec<Value> =
            hooks.iter().map(|hook| json!({"name": "c", "lifecycle": {"preStop": hook}})).collect();
        pod(&read(json!({"spec": {"containers": containers}}))).spec.pre_stop
    };
    let sleep = json!({"sleep": {"seconds": 20}});
    let exec = json!({"exec": {"command": ["/bin/sh", "-c", "sleep 45; nginx -s quit"]}});
    assert_eq!(pre_stop(&[sleep.clone(), exec.clone()]), Some(Duration::from_secs(45)));
    assert_eq!(pre_stop(&[sleep, json!({"httpGet": {"port": 80}})]), None);
}

#[test]
fn requests_are_summed_as_the_scheduler_does() {
    let container =
        |cpu: &str| json!({"name": "c", "resources": {"requests": {"cpu": cpu, "memory": "1Mi"}}});
    let sidecar = |cpu: &str| {
        let mut container = container(cpu);
        container["restartPolicy"] = json!("Always");
        container
    };
    let cpu = |spec: Value| pod(&read(json!({ "spec": spec }))).spec.requests.cpu_milli;
    // 100 + 200 in all; the init container alone needs more; beside a sidecar of 50 before it, 50 more still.
    assert_eq!(cpu(json!({"containers": [container("100m"), container("200m")]})), 300);
    assert_eq!(cpu(json!({"initContainers": [container("1")], "containers": [container("100m")]})), 1_000);
    let init = json!([sidecar("50m"), container("1")]);
    assert_eq!(
        cpu(json!({"initContainers": init, "containers": [container("100m")], "overhead": {"cpu": "10m"}})),
        1_060
    );
}

#[test]
fn a_claim_knows_the_zones_of_its_volume() {
    let claim = read(json!({"spec": {"accessModes": ["ReadWriteOnce"], "volumeName": "v"}}));
    let volume =
        read(json!({"spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
        {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["eu-central-1a"]}]}]}}}}));
    let bound = volume_claim(&claim, Some(&volume));
    assert!(bound.single_node);
    assert_eq!(bound.zones, ["eu-central-1a".into()]);
    assert!(volume_claim(&claim, None).zones.is_empty());
}

/// Source: Kubernetes API, `PodDisruptionBudgetSpec`: null selects no pod, `{}` every pod of the namespace.
#[test]
fn a_budget_without_a_selector_selects_nothing_and_one_with_an_empty_selector_everything() {
    let selects = |spec: Value| {
        let budget = disruption_budget(&read(json!({ "spec": spec })));
        ["app", "nothing"].map(|key| {
            let labels = BTreeMap::from([(key.to_owned(), "web".to_owned())]);
            crate::selector::selects(&budget.selector, &labels)
        })
    };
    assert_eq!(selects(json!({ "maxUnavailable": 1 })), [false, false]);
    assert_eq!(selects(json!({ "maxUnavailable": 1, "selector": null })), [false, false]);
    assert_eq!(selects(json!({ "maxUnavailable": 1, "selector": {} })), [true, true]);
}

#[test]
fn who_manages_the_replicas_is_read_from_the_managed_fields() {
    let entry =
        |manager: &str, fields: Value| json!({"manager": manager, "operation": "Apply", "fieldsV1": fields});
    let replicas = json!({"f:spec": {"f:replicas": {}, "f:template": {}}});
    let entries = json!([
        entry("kustomize-controller", replicas.clone()),
        entry("kubectl", json!({"f:spec": {"f:paused": {}}})),
        entry("keda", replicas),
    ]);
    let deployment = deployment(&read(json!({"metadata": {"managedFields": entries}})));
    assert_eq!(*deployment.replicas_managers, ["keda".into(), "kustomize-controller".into()]);
}

#[test]
fn an_autoscaler_that_does_not_say_how_evicts() {
    let target = json!({"kind": "Deployment", "name": "web"});
    let mode = |spec: Value| vertical_pod_autoscaler(&json!({ "spec": spec })).mode;
    assert_eq!(&*mode(json!({"targetRef": target})), "Recreate");
    assert_eq!(&*mode(json!({"targetRef": target, "updatePolicy": {"updateMode": "Off"}})), "Off");
}
