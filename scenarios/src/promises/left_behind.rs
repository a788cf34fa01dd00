//! The promise that a migration leaves the cluster as it would be without it: compared with the twin, object by object.

use std::{collections::BTreeSet, sync::Arc};

use migrator::{action::Outcome as MigrationOutcome, marks, names, plan::Plan};
use simulator::world::{
    World,
    objects::{Meta, StringMap},
};

use super::{NAMES, Promise, promise};

/// What nobody but us changed is, at the end, as it is in the twin.
pub fn nothing_left_behind(
    world: &World,
    twin: &World,
    plan: &Plan,
    outcome: Option<&MigrationOutcome>,
) -> Promise {
    if !matches!(outcome, Some(MigrationOutcome::Migrated | MigrationOutcome::RolledBack)) {
        return stopped_but_named(world, twin, plan);
    }
    let mut differences = kubernetes_differences(world, twin);
    differences.extend(marks_left(world, twin, plan, outcome));
    differences
        .extend(aws_differences(world, twin, plan, outcome).into_iter().map(|(_, difference)| difference));
    promise(NAMES[4], summary(&differences), || "everything is as it would have been".into())
}

fn summary(differences: &[String]) -> Option<String> {
    let first = differences.first()?;
    Some(match differences.len() {
        1 => first.clone(),
        more => format!("{first}, and {} more differences", more - 1),
    })
}

/// At an early stop every difference must be named by an annotation on its object, or by the journal: that of an object by
/// its name, that of a node group by a record of what the group was, or by the plan that creates it. The replicas of a
/// Deployment with an autoscaler are remembered on that.
fn stopped_but_named(world: &World, twin: &World, plan: &Plan) -> Promise {
    let journal = world
        .config_maps()
        .find(names::NAMESPACE, names::JOURNAL)
        .and_then(|id| world.config_maps().last(id).data.clone())
        .unwrap_or_default();
    let names = |key: &str, name: &str| journal.get(key).is_some_and(|text| text.contains(name));
    let scaled = scaled_by_marked_autoscalers(world);
    let mut unnamed: Vec<String> = differing(world, twin)
        .into_iter()
        .filter(|it| !it.meta.annotations.contains_key(marks::ANNOTATION))
        .filter(|it| !(it.is_scale && scaled.contains(&(it.kind, &it.meta.namespace, &it.meta.name))))
        .filter(|it| !names("notes", &format!("{}/{}", it.meta.namespace, it.meta.name)))
        .map(|it| it.what)
        .collect();
    unnamed.extend(world.nodes().iter().filter_map(|(_, node)| {
        let ours = node.taints.iter().any(|taint| taint.key == marks::TAINT);
        (ours && !node.meta.annotations.contains_key(marks::ANNOTATION))
            .then(|| format!("Node {} carries our taint and no mark", node.meta.name))
    }));
    unnamed.extend(
        aws_differences(world, twin, plan, None)
            .into_iter()
            .filter(|(group, _)| !names("groups", &format!("\"{group}\"")))
            .filter(|(group, _)| plan.creation.is_none() || *group != plan.to || !names("plan", group))
            .map(|(_, difference)| difference),
    );
    promise(NAMES[4], summary(&unnamed), || "every change is named by the journal or on its object".into())
}

fn kubernetes_differences(world: &World, twin: &World) -> Vec<String> {
    differing(world, twin).into_iter().map(|it| it.what).collect()
}

/// Deployments, and their ReplicaSets, whose replicas a mark on their autoscaler remembers.
fn scaled_by_marked_autoscalers(world: &World) -> BTreeSet<(&'static str, &Arc<str>, &Arc<str>)> {
    let mut scaled = BTreeSet::new();
    let marked =
        world.autoscalers().iter().filter(|(_, it)| it.meta.annotations.contains_key(marks::ANNOTATION));
    for (_, autoscaler) in marked {
        let (kind, name) = &autoscaler.target;
        let Some(target) = world.deployments().find(&autoscaler.meta.namespace, name) else { continue };
        if &**kind != "Deployment" {
            continue;
        }
        let deployment = &world.deployments().last(target).meta;
        scaled.insert(("Deployment", &deployment.namespace, &deployment.name));
        let sets = world.replica_sets().iter().filter(|(_, set)| set.deployment == Some(target));
        scaled.extend(sets.map(|(_, set)| ("ReplicaSet", &set.meta.namespace, &set.meta.name)));
    }
    scaled
}

/// Annotations of a ReplicaSet that its Deployment's controller derives from the replicas.
const FOLLOW_REPLICAS: [&str; 2] =
    ["deployment.kubernetes.io/desired-replicas", "deployment.kubernetes.io/max-replicas"];

/// An object that is not as in the twin.
struct Difference<'a> {
    kind: &'static str,
    meta: &'a Meta,
    /// Its replicas differ, or what follows from them.
    is_scale: bool,
    what: String,
}

/// Objects that differ from the twin's, in what the projection keeps.
fn differing<'a>(world: &'a World, twin: &'a World) -> Vec<Difference<'a>> {
    let mut found = Vec::new();
    macro_rules! compare {
        ($kind:literal, $table:ident, $same:expr) => {
            compare!($kind, $table, $same, |_| None)
        };
        ($kind:literal, $table:ident, $same:expr, $copied:expr) => {
            for (_, ours) in world.$table().iter() {
                let name = format!("{} {}/{}", $kind, ours.meta.namespace, ours.meta.name);
                let differs = |is_scale, what| Difference { kind: $kind, meta: &ours.meta, is_scale, what };
                let Some(theirs) = twin.$table().find(&ours.meta.namespace, &ours.meta.name) else {
                    found.push(differs(false, format!("{name} should not exist")));
                    continue;
                };
                let theirs = twin.$table().last(theirs);
                if let Some(what) = metadata_difference(&ours.meta, &theirs.meta, $copied(theirs)) {
                    let is_scale = FOLLOW_REPLICAS.iter().any(|key| what.contains(key));
                    found.push(differs(is_scale, format!("{name}: {what}")));
                }
                if let Some(what) = ($same)(&**ours, &**theirs) {
                    found.push(differs(what.starts_with("replicas "), format!("{name}: {what}")));
                }
            }
            for (_, theirs) in twin.$table().iter() {
                if world.$table().find(&theirs.meta.namespace, &theirs.meta.name).is_none() {
                    found.push(Difference {
                        kind: $kind,
                        meta: &theirs.meta,
                        is_scale: false,
                        what: format!("{} {}/{} is gone", $kind, theirs.meta.namespace, theirs.meta.name),
                    });
                }
            }
        };
    }
    use simulator::world::objects as o;
    let number = |field: &str, ours: u32, theirs: u32| {
        (ours != theirs).then(|| format!("{field} is {ours}, would be {theirs}"))
    };
    compare!("Deployment", deployments, |a: &o::Deployment, b: &o::Deployment| number(
        "replicas", a.replicas, b.replicas
    ));
    // A Deployment's controller copies its annotations to its ReplicaSets whenever it has to do with them.
    compare!(
        "ReplicaSet",
        replica_sets,
        |a: &o::ReplicaSet, b: &o::ReplicaSet| number("replicas", a.replicas, b.replicas),
        |set: &o::ReplicaSet| set.deployment.map(|id| &twin.deployments().last(id).meta.annotations)
    );
    compare!("StatefulSet", stateful_sets, |a: &o::StatefulSet, b: &o::StatefulSet| number(
        "replicas", a.replicas, b.replicas
    ));
    compare!("DaemonSet", daemon_sets, |_: &o::DaemonSet, _: &o::DaemonSet| None::<String>);
    compare!("Job", jobs, |_: &o::Job, _: &o::Job| None::<String>);
    compare!(
        "HorizontalPodAutoscaler",
        autoscalers,
        |a: &o::HorizontalPodAutoscaler, b: &o::HorizontalPodAutoscaler| number("minReplicas", a.min, b.min)
            .or_else(|| number("maxReplicas", a.max, b.max))
    );
    compare!(
        "PodDisruptionBudget",
        budgets,
        |_: &o::DisruptionBudget, _: &o::DisruptionBudget| None::<String>
    );
    compare!("Service", services, |_: &o::Service, _: &o::Service| None::<String>);
    for (_, map) in world.config_maps().iter() {
        let tombstone = (&*map.meta.namespace, &*map.meta.name) == (names::NAMESPACE, names::JOURNAL);
        if !tombstone && twin.config_maps().find(&map.meta.namespace, &map.meta.name).is_none() {
            found.push(Difference {
                kind: "ConfigMap",
                meta: &map.meta,
                is_scale: false,
                what: format!("ConfigMap {}/{} should not exist", map.meta.namespace, map.meta.name),
            });
        }
    }
    found
}

/// How labels or annotations differ; more annotations are no difference where they are `copied` from an owner.
fn metadata_difference(ours: &Meta, theirs: &Meta, copied: Option<&StringMap>) -> Option<String> {
    let difference = |what: &str, ours: &StringMap, theirs: &StringMap| {
        if ours == theirs {
            return None;
        }
        let is_copied = |key: &String, value: &String| copied.is_some_and(|it| it.get(key) == Some(value));
        let more = ours
            .iter()
            .find(|(key, value)| theirs.get(*key) != Some(*value) && !is_copied(key, value))
            .map(|(key, _)| key);
        let fewer = theirs.keys().find(|key| !ours.contains_key(*key));
        more.map(|key| format!("{what} {key} was left"))
            .or_else(|| fewer.map(|key| format!("{what} {key} is missing")))
    };
    difference("label", &ours.labels, &theirs.labels)
        .or_else(|| difference("annotation", &ours.annotations, &theirs.annotations))
}

/// Marks on nodes, but for those of the group that was left, and on pods.
fn marks_left(world: &World, twin: &World, plan: &Plan, outcome: Option<&MigrationOutcome>) -> Vec<String> {
    let left = if outcome == Some(&MigrationOutcome::Migrated) { &plan.from } else { &plan.to };
    let nodes = world.nodes().iter().filter(|(_, node)| node.node_group.as_ref() != Some(left));
    let mut found: Vec<String> = nodes
        .filter_map(|(_, node)| {
            let name = &node.meta.name;
            let theirs = twin.nodes().find(&node.meta.namespace, name).map(|id| twin.nodes().last(id));
            let excluded = |meta: &Meta| meta.labels.contains_key(marks::EXCLUDE);
            if excluded(&node.meta) && !theirs.is_some_and(|theirs| excluded(&theirs.meta)) {
                Some(format!("Node {name} is still excluded from load balancers"))
            } else if node.meta.annotations.contains_key(marks::ANNOTATION) {
                Some(format!("Node {name} still carries our annotation"))
            } else if node.unschedulable && !theirs.is_some_and(|theirs| theirs.unschedulable) {
                Some(format!("Node {name} is still cordoned"))
            } else if node.taints.iter().any(|taint| taint.key == marks::TAINT) {
                Some(format!("Node {name} still carries our taint"))
            } else {
                None
            }
        })
        .collect();
    let pods = world.pods().iter().filter(|(_, pod)| !pod.terminating());
    found.extend(pods.filter(|(_, pod)| pod.meta.annotations.contains_key(marks::ANNOTATION)).map(
        |(_, pod)| format!("Pod {}/{} still carries our annotation", pod.meta.namespace, pod.meta.name),
    ));
    found
}

fn aws_differences(
    world: &World,
    twin: &World,
    plan: &Plan,
    outcome: Option<&MigrationOutcome>,
) -> Vec<(Arc<str>, String)> {
    let mut found = Vec::new();
    let mut differs = |group: &Arc<str>, what: String| found.push((group.clone(), what));
    let migrated = outcome == Some(&MigrationOutcome::Migrated);
    let rolled_back = outcome == Some(&MigrationOutcome::RolledBack);
    if migrated || rolled_back {
        let stands =
            [(&plan.from, rolled_back || plan.keep_group), (&plan.to, migrated || plan.creation.is_none())];
        for (name, wanted) in stands {
            match (wanted, world.find_group(name).is_some()) {
                (true, false) => differs(name, format!("node group {name} is gone")),
                (false, true) => differs(name, format!("node group {name} still exists")),
                _ => {}
            }
        }
    }
    if let Some(creation) = plan.creation.as_ref().filter(|_| rolled_back)
        && world.launch_templates().contains_key(&creation.launch_template.name)
    {
        let template = &creation.launch_template.name;
        differs(&plan.to, format!("launch template {template} was created by us and still exists"));
    }
    for group in world.groups().iter().filter(|group| group.status != simulator::world::GroupStatus::Deleted)
    {
        let name = &group.name;
        if *name == plan.to {
            let wanted = plan.bounds_after;
            let is = (group.bounds.min, group.bounds.max);
            if migrated && is != (wanted.min, wanted.max) {
                let planned = (wanted.min, wanted.max);
                differs(name, format!("node group {name} has bounds {is:?}, planned {planned:?}"));
            }
            if group.taints.iter().any(|taint| &*taint.key == marks::TAINT) {
                differs(name, format!("node group {name} still has our taint"));
            }
            let before = twin.find_group(name).map(|id| twin.groups()[id.index()].suspended.clone());
            if group.suspended != before.unwrap_or_default() {
                let processes = group.suspended.join(", ");
                differs(name, format!("{processes} is still suspended for node group {name}"));
            }
            continue;
        }
        if *name == plan.from && migrated && plan.keep_group {
            continue;
        }
        let Some(theirs) = twin.find_group(name).map(|id| &twin.groups()[id.index()]) else {
            differs(name, format!("node group {name} should not exist"));
            continue;
        };
        if group.bounds != theirs.bounds {
            let (ours, theirs) = (group.bounds, theirs.bounds);
            differs(name, format!("node group {name} has bounds {ours:?}, would have {theirs:?}"));
        }
        if group.suspended != theirs.suspended || group.taints != theirs.taints {
            differs(name, format!("node group {name}: processes or taints differ"));
        }
    }
    found
}
