//! One way through: what a live cluster's watchers would make of the API's objects is what the core gear's observer shows.

use std::{collections::BTreeMap, fmt::Debug, sync::Arc};

use jiff::Timestamp;
use migrator::{
    names, objects,
    view::{ClusterView, ObjectName, Pod},
};
use scenarios::observe::Observer;
use serde_json::{Value, json};
use simulator::{
    import::{self, Typed},
    world::World,
};

use crate::{
    cluster::{
        Thing, autoscaler, budget, cluster, cluster_autoscaler, daemon_set, deployment, service, stateful_set,
    },
    configuration::online_boutique,
    story::{Load, Story, load, story},
};

#[test]
fn a_view_of_the_apis_objects_is_that_of_the_core_gear() {
    let shop = story("a shop of every kind")
        .given(
            cluster()
                .nodes("blue", "abc")
                .with(cluster_autoscaler())
                .with(daemon_set("agent"))
                .with(deployment("web").replicas(3).grace_period(60).one_per_node())
                .with(stateful_set("store").replicas(2))
                .with(service("web").local())
                .with(autoscaler("web", 2, 6))
                .with(budget("web", "minAvailable", 2))
                .with(of_nothing())
                .with(deployed_by_flux())
                .with(vertical_autoscaler())
                .with(node_roles()),
        )
        .under(load("web", 100).sessions(1, 50));
    compared_all_along(shop);
    compared_all_along(story("online boutique").given_export(&online_boutique(), 100));
}

/// A budget without a selector.
fn of_nothing() -> Thing {
    let mut budget = budget("nothing", "minAvailable", 1);
    if let Thing::Object(object) = &mut budget {
        object["spec"].as_object_mut().expect("a budget has a specification").remove("selector");
    }
    budget
}

/// A Deployment without pods, whose replicas somebody manages.
fn deployed_by_flux() -> Thing {
    let labels = json!({"app": "idle"});
    let fields = json!([{"manager": "kustomize-controller", "operation": "Apply", "apiVersion": "apps/v1",
        "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]);
    Thing::Object(json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"namespace": "shop", "name": "idle", "uid": "idle", "resourceVersion": "10", "generation": 1,
            "creationTimestamp": "2026-11-01T00:00:00Z", "managedFields": fields},
        "status": {"observedGeneration": 1},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels},
            "strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "idle", "image": "idle:1"}]}}}}))
}

fn vertical_autoscaler() -> Thing {
    Thing::Object(json!({"apiVersion": "autoscaling.k8s.io/v1", "kind": "VerticalPodAutoscaler",
        "metadata": {"namespace": "shop", "name": "web", "uid": "vpa", "resourceVersion": "10"},
        "spec": {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}}))
}

fn node_roles() -> Thing {
    Thing::Object(json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"namespace": "kube-system", "name": "aws-auth", "uid": "auth", "resourceVersion": "10"},
        "data": {"mapRoles": "- rolearn: arn:aws:iam::111122223333:role/nodes\n"}}))
}

/// Compares every 30 s of a migration.
fn compared_all_along(mut story: Story) {
    for step in 0..40u64 {
        story = story.despite(move |world| world.now() >= step * 30_000, compare);
    }
    let run = story.seed(3);
    assert!(run.driven.is_some_and(|driven| driven.ended_at > 600_000), "most of it was compared");
}

fn compare(world: &mut World) {
    let ours = Observer::new(world).view;
    let theirs = of_objects(world);
    same("nodes", &ours.nodes, &theirs.nodes);
    same("pods", &without_defaults(&ours.pods), &without_defaults(&theirs.pods));
    same("Deployments", &ours.deployments, &theirs.deployments);
    same("ReplicaSets", &ours.replica_sets, &theirs.replica_sets);
    same("StatefulSets", &ours.stateful_sets, &theirs.stateful_sets);
    same("DaemonSets", &ours.daemon_sets, &theirs.daemon_sets);
    same("autoscalers", &ours.horizontal_pod_autoscalers, &theirs.horizontal_pod_autoscalers);
    same("budgets", &ours.disruption_budgets, &theirs.disruption_budgets);
    same("Services", &ours.services, &theirs.services);
    alike("VerticalPodAutoscalers", &ours.vertical_pod_autoscalers, &theirs.vertical_pod_autoscalers);
    alike("mapped roles", &ours.mapped_roles, &theirs.mapped_roles);
    alike("the journal", &ours.journal, &theirs.journal);
    let holder = |view: &ClusterView| view.lease.as_ref().map(|lease| lease.holder.clone());
    alike("who holds the lock", &holder(&ours), &holder(&theirs));
}

/// Pods without what the API server fills into their specification when it stores them, and without the tolerations that
/// the DaemonSet controller adds. Both come from a template, and templates are compared whole.
fn without_defaults(pods: &BTreeMap<ObjectName, Arc<Pod>>) -> BTreeMap<ObjectName, Arc<Pod>> {
    let bare = |pod: &Arc<Pod>| {
        let mut pod = Pod::clone(pod);
        let spec = Arc::make_mut(&mut pod.spec);
        spec.kubernetes = Default::default();
        spec.tolerations.clear();
        Arc::new(pod)
    };
    pods.iter().map(|(name, pod)| (name.clone(), bare(pod))).collect()
}

#[track_caller]
fn same<K: Ord + Debug, V: Debug>(what: &str, ours: &BTreeMap<K, Arc<V>>, theirs: &BTreeMap<K, Arc<V>>) {
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>(), "{what}");
    for (name, value) in ours {
        alike(&format!("{what} {name:?}"), value, &theirs[name]);
    }
}

#[track_caller]
fn alike(what: &str, ours: &impl Debug, theirs: &impl Debug) {
    let (ours, theirs) = (format!("{ours:#?}"), format!("{theirs:#?}"));
    let differing: Vec<(&str, &str)> =
        ours.lines().zip(theirs.lines()).filter(|(ours, theirs)| ours != theirs).take(6).collect();
    assert!(ours == theirs, "{what}: {differing:#?}");
}

/// The view of the objects that an API server would serve now.
fn of_objects(world: &World) -> ClusterView {
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": Value::from(world.render())});
    let read =
        import::parse_cluster("served", list.to_string().as_bytes()).expect("what is served can be read");
    let mut view = ClusterView::default();
    for object in &read.objects {
        macro_rules! keep {
            ($map:ident, $value:expr) => {{
                let value = $value;
                view.$map.insert(value.meta.name.clone(), Arc::new(value));
            }};
        }
        match &object.typed {
            Typed::Node(node) => {
                let node = objects::node(node);
                view.nodes.insert(node.meta.name.name.clone(), Arc::new(node));
            }
            Typed::Pod(pod) => keep!(pods, objects::pod(pod)),
            Typed::Deployment(deployment) => keep!(deployments, objects::deployment(deployment)),
            Typed::ReplicaSet(set) => keep!(replica_sets, objects::replica_set(set)),
            Typed::StatefulSet(set) => keep!(stateful_sets, objects::stateful_set(set)),
            Typed::DaemonSet(set) => keep!(daemon_sets, objects::daemon_set(set)),
            Typed::HorizontalPodAutoscaler(autoscaler) => {
                keep!(horizontal_pod_autoscalers, objects::horizontal_pod_autoscaler(autoscaler));
            }
            Typed::PodDisruptionBudget(budget) => {
                keep!(disruption_budgets, objects::disruption_budget(budget))
            }
            Typed::Service(service) => keep!(services, objects::service(service)),
            Typed::ConfigMap(map) if map.metadata.name.as_deref() == Some(names::JOURNAL) => {
                view.journal = Some(Arc::new(objects::journal(map)));
            }
            Typed::ConfigMap(map) if map.metadata.name.as_deref() == Some(names::AWS_AUTH) => {
                let roles = map.data.as_ref().and_then(|data| data.get("mapRoles"));
                view.mapped_roles = roles.map(|text| text.as_str().into());
            }
            Typed::Other if object.kind() == "VerticalPodAutoscaler" => {
                let value = object.raw.value();
                let name = ObjectName {
                    namespace: object.namespace().unwrap_or_default().into(),
                    name: object.name().into(),
                };
                view.vertical_pod_autoscalers.insert(name, objects::vertical_pod_autoscaler(&value));
            }
            Typed::Lease(lease) if lease.metadata.name.as_deref() == Some(names::LEASE) => {
                view.lease = Some(Arc::new(objects::lease(lease, Timestamp::UNIX_EPOCH)));
            }
            _ => {}
        }
    }
    view
}
