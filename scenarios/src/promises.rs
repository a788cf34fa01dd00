//! The promises, each with its own checker over what the world wrote down. A checker says what it saw; whose fault it
//! was follows from the causal chain: a promise is broken only where that chain reaches a request of ours.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use loadgen::outcome::Verdict as EndVerdict;
use migrator::{action::Outcome as MigrationOutcome, marks, names, plan::Plan};
use simulator::world::{
    Outcome, OutcomeEvent, Time, World,
    ids::EntryId,
    objects::{Meta, StringMap},
};

use crate::drive::{Driven, MIGRATOR};

/// A promise and whether it held.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Promise {
    /// Stable name.
    pub name: &'static str,
    /// It held.
    pub held: bool,
    /// What was seen.
    pub detail: String,
}

/// All promises, in the order of reports.
pub const NAMES: [&str; 7] = [
    "no_connection_dropped",
    "capacity_kept",
    "budgets_respected",
    "deleted_only_quiet",
    "nothing_left_behind",
    "others_respected",
    "finishes",
];

fn promise(name: &'static str, broken: Option<String>, held: impl FnOnce() -> String) -> Promise {
    match broken {
        Some(detail) => Promise { name, held: false, detail },
        None => Promise { name, held: true, detail: held() },
    }
}

/// A session's connection that ended as a drop.
#[derive(Debug, Clone)]
pub struct Drop {
    /// When, in milliseconds since the start of the run.
    pub at: Time,
    /// Index of the traffic.
    pub offered: u32,
    /// Client and ordinal of the session.
    pub session: (u32, u32),
    /// Stable name of the cause.
    pub cause: &'static str,
    /// The entry that ended it.
    pub entry: EntryId,
    /// The session was within its contract.
    pub within: bool,
    /// The causal chain reaches a request of the migrator.
    pub ours: bool,
}

/// Whether an entry goes back to a request of the migrator.
pub fn is_ours(world: &World, entry: EntryId) -> bool {
    world.request_behind(entry).is_some_and(|request| world.request(request).0 == MIGRATOR)
}

/// Drops among outcomes.
pub fn drops<'a>(world: &'a World, outcomes: &'a [Outcome]) -> impl Iterator<Item = Drop> + 'a {
    outcomes.iter().filter_map(|outcome| {
        let OutcomeEvent::Ended { cause, entry, .. } = outcome.event else { return None };
        if cause.verdict() != EndVerdict::Drop {
            return None;
        }
        Some(Drop {
            at: outcome.at,
            offered: outcome.offered,
            session: outcome.session,
            cause: cause.id(),
            entry,
            within: outcome.within,
            ours: is_ours(world, entry),
        })
    })
}

/// Sessions within their contract end as their clients wish, or the cause is not ours.
pub fn no_connection_dropped(drops: &[Drop], opened: u64) -> Promise {
    // A session that is lost, comes back and is lost again is one session.
    let sessions = |ours: bool| {
        let lost = drops.iter().filter(|drop| drop.within && drop.ours == ours);
        lost.map(|drop| (drop.offered, drop.session)).collect::<BTreeSet<_>>().len()
    };
    let (broken, others) = (sessions(true), sessions(false));
    promise(
        NAMES[0],
        (broken > 0).then(|| {
            format!("{broken} sessions lost their connection or got none through us; {opened} were opened")
        }),
        || match others {
            0 => format!("{opened} connections, none lost"),
            _ => format!(
                "{opened} were opened; {others} sessions lost their connection or got none through others"
            ),
        },
    )
}

/// The endpoints that the path reaches never fall below the floor through us, nor below what there would be without a
/// migration, where that is less: what others scaled down is theirs.
pub fn capacity_kept(world: &World, twin: &World, floors: &BTreeMap<u32, u32>) -> Promise {
    let low = world
        .capacity_changes()
        .iter()
        .filter(|change| change.reached < change.before)
        .filter(|change| floors.get(&change.service.0).is_some_and(|&floor| change.reached < floor))
        .filter(|change| change.reached < twin.endpoints_at(change.service, change.at))
        .find(|change| is_ours(world, change.entry));
    promise(
        NAMES[1],
        low.map(|low| {
            let service = &world.services().last(low.service).meta;
            format!(
                "{}/{} had {} reachable endpoints of at least {} at {}",
                service.namespace,
                service.name,
                low.reached,
                floors[&low.service.0],
                simulator::world::clock(low.at)
            )
        }),
        || format!("{} Services kept their endpoints", floors.len()),
    )
}

/// No removal of ours leaves fewer healthy pods than a budget wants at the original scale.
pub fn budgets_respected(world: &World) -> Promise {
    let breach = world.budget_breaches().iter().find(|breach| is_ours(world, breach.entry));
    promise(
        NAMES[2],
        breach.map(|breach| {
            let budget = &world.budgets().last(breach.budget).meta;
            format!(
                "budget {}/{} wants {} healthy pods; the removal of {} left {} at {}",
                budget.namespace,
                budget.name,
                breach.desired,
                world.pods().last(breach.pod).meta.name,
                breach.healthy,
                simulator::world::clock(breach.at)
            )
        }),
        || format!("{} budgets", world.budgets().len()),
    )
}

/// The group is deleted only when nothing is left on it.
pub fn deleted_only_quiet(world: &World) -> Promise {
    let deletion = world
        .group_deletions()
        .iter()
        .filter(|deletion| is_ours(world, deletion.entry))
        .find(|deletion| deletion.pods + deletion.targets + deletion.flows > 0);
    promise(
        NAMES[3],
        deletion.map(|deletion| {
            format!(
                "{} was deleted with {} workload pods, {} targets in service and {} established flows on it",
                world.groups()[deletion.group.index()].name,
                deletion.pods,
                deletion.targets,
                deletion.flows
            )
        }),
        || match world.group_deletions().len() {
            0 => "no group was deleted".into(),
            _ => "the group was empty and quiet".into(),
        },
    )
}

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
    differences.extend(node_leftovers(world, plan, outcome));
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
/// its name, that of a node group by a record of what the group was, or by the plan that creates it.
fn stopped_but_named(world: &World, twin: &World, plan: &Plan) -> Promise {
    let journal = world
        .config_maps()
        .find(names::NAMESPACE, names::JOURNAL)
        .and_then(|id| world.config_maps().last(id).data.clone())
        .unwrap_or_default();
    let names = |key: &str, name: &str| journal.get(key).is_some_and(|text| text.contains(name));
    let mut unnamed: Vec<String> = differing(world, twin)
        .into_iter()
        .filter(|(meta, _)| !meta.annotations.contains_key(marks::ANNOTATION))
        .filter(|(meta, _)| !names("notes", &format!("{}/{}", meta.namespace, meta.name)))
        .map(|(_, difference)| difference)
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
    differing(world, twin).into_iter().map(|(_, difference)| difference).collect()
}

/// Objects that differ from the twin's, in what the projection keeps.
fn differing<'a>(world: &'a World, twin: &'a World) -> Vec<(&'a Meta, String)> {
    let mut found = Vec::new();
    macro_rules! compare {
        ($kind:literal, $table:ident, $same:expr) => {
            for (_, ours) in world.$table().iter() {
                let name = format!("{} {}/{}", $kind, ours.meta.namespace, ours.meta.name);
                let Some(theirs) = twin.$table().find(&ours.meta.namespace, &ours.meta.name) else {
                    found.push((&ours.meta, format!("{name} should not exist")));
                    continue;
                };
                let theirs = twin.$table().last(theirs);
                if let Some(what) = metadata_difference(&ours.meta, &theirs.meta) {
                    found.push((&ours.meta, format!("{name}: {what}")));
                }
                if let Some(what) = ($same)(&**ours, &**theirs) {
                    found.push((&ours.meta, format!("{name}: {what}")));
                }
            }
            for (_, theirs) in twin.$table().iter() {
                if world.$table().find(&theirs.meta.namespace, &theirs.meta.name).is_none() {
                    found.push((
                        &theirs.meta,
                        format!("{} {}/{} is gone", $kind, theirs.meta.namespace, theirs.meta.name),
                    ));
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
    compare!("ReplicaSet", replica_sets, |a: &o::ReplicaSet, b: &o::ReplicaSet| number(
        "replicas", a.replicas, b.replicas
    ));
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
            found.push((
                &map.meta,
                format!("ConfigMap {}/{} should not exist", map.meta.namespace, map.meta.name),
            ));
        }
    }
    found
}

fn metadata_difference(ours: &Meta, theirs: &Meta) -> Option<String> {
    let difference = |what: &str, ours: &StringMap, theirs: &StringMap| {
        if ours == theirs {
            return None;
        }
        let more = ours.iter().find(|(key, value)| theirs.get(*key) != Some(*value)).map(|(key, _)| key);
        let fewer = theirs.keys().find(|key| !ours.contains_key(*key));
        more.map(|key| format!("{what} {key} was left"))
            .or_else(|| fewer.map(|key| format!("{what} {key} is missing")))
    };
    difference("label", &ours.labels, &theirs.labels)
        .or_else(|| difference("annotation", &ours.annotations, &theirs.annotations))
}

/// Marks on nodes of the group that the workloads run on now.
fn node_leftovers(world: &World, plan: &Plan, outcome: Option<&MigrationOutcome>) -> Vec<String> {
    let home = if outcome == Some(&MigrationOutcome::Migrated) { &plan.to } else { &plan.from };
    world
        .nodes()
        .iter()
        .filter(|(_, node)| node.node_group.as_ref() == Some(home))
        .filter_map(|(_, node)| {
            let name = &node.meta.name;
            if node.meta.labels.contains_key(marks::EXCLUDE) {
                Some(format!("Node {name} is still excluded from load balancers"))
            } else if node.meta.annotations.contains_key(marks::ANNOTATION) {
                Some(format!("Node {name} still carries our annotation"))
            } else if node.unschedulable {
                Some(format!("Node {name} is still cordoned"))
            } else if node.taints.iter().any(|taint| taint.key == marks::TAINT) {
                Some(format!("Node {name} still carries our taint"))
            } else {
                None
            }
        })
        .collect()
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

/// Nobody else's change is overwritten.
pub fn others_respected(world: &World) -> Promise {
    let overwritten = world.overwrites().iter().find(|overwrite| overwrite.client == MIGRATOR);
    promise(
        NAMES[5],
        overwritten.map(|overwrite| {
            format!(
                "{} of {} was set by {} at {}; we overwrote it at {}",
                overwrite.field,
                overwrite.object,
                overwrite.other,
                simulator::world::clock(overwrite.theirs_at),
                simulator::world::clock(overwrite.at)
            )
        }),
        || "no change of somebody else was overwritten".into(),
    )
}

/// The migration ends, in time, and as it should.
pub fn finishes(driven: &Driven, budget: Time) -> Promise {
    let broken = match &driven.outcome {
        None => Some(match &driven.last_wait {
            Some(wait) => format!(
                "not ended after {}: {} waits for {}: {}, wanted {}",
                simulator::world::clock(budget),
                wait.phase,
                wait.what,
                wait.seen,
                wait.wanted
            ),
            None => format!("not ended after {}", simulator::world::clock(budget)),
        }),
        // Nobody else than its user turns a migration round.
        Some(MigrationOutcome::Migrated | MigrationOutcome::RolledBack) => None,
        Some(other) => Some(format!("ended otherwise than migrated: {other:?}")),
    };
    let word = if driven.outcome == Some(MigrationOutcome::RolledBack) { "rolled back" } else { "migrated" };
    promise(NAMES[6], broken, || format!("{word} in {}", simulator::world::clock(driven.ended_at)))
}
