//! Every promise has a migration that breaks it, and it alone. The bad ones are single-move with a slip of the hand: a
//! request that the migrator's own decision would not have made.

use std::time::Duration;

use simulator::world::{
    World,
    objects::Node,
    requests::{Change, Kind, Request},
};

use crate::{
    cluster::{Cluster, autoscaler, budget, cluster, deployment, service},
    story::{Load, Story, load, named, somebody, story, we},
};

const SEEDS: std::ops::Range<u64> = 0..5;

/// Two profile servers that cannot close their connections, one in each zone, each behind its own node.
fn profile_servers() -> Cluster {
    cluster()
        .nodes("blue", "ab")
        .with(deployment("profile").replicas(2).grace_period(600))
        .with(service("profile").local())
}

/// Three web servers that any node leads to, whose clients stay for less than half a minute.
fn web_servers() -> Cluster {
    cluster()
        .nodes("blue", "abc")
        .with(deployment("web").replicas(3).grace_period(30))
        .with(service("web"))
        .with(autoscaler("web", 3, 6))
}

fn profile_story(title: &'static str) -> Story {
    story(title).given(profile_servers()).under(load("profile", 600).sessions(30, 595))
}

fn web_story(title: &'static str) -> Story {
    story(title).given(web_servers()).under(load("web", 300).sessions(5, 25))
}

#[test]
fn a_migration_without_a_slip_breaks_nothing() {
    profile_story("profile servers").holds(SEEDS);
    web_story("web servers").holds(SEEDS);
}

#[test]
fn connections_are_dropped_where_old_pods_are_hurried() {
    // The old pods end within 600 s. Somebody with little patience deletes them once more, with 30 s: sessions that
    // still have more than that before them are cut.
    profile_story("hurried pods")
        .despite(
            |world| old_pods(world).any(|(_, terminating)| terminating),
            |world| {
                for (name, _) in old_pods(world).collect::<Vec<_>>() {
                    we(world, Request::DeletePod { name: named(&name), grace: Some(30_000) });
                }
            },
        )
        .breaks_only("no_connection_dropped", SEEDS);
}

#[test]
fn capacity_is_lost_where_a_pod_goes_before_its_successor_serves() {
    // Drained as kubectl drain does it: the pod goes first. It serves its own sessions to their end, other endpoints take
    // the new ones, so nobody is dropped; but until the successor is Ready there are two endpoints of three.
    web_story("drained instead of surged")
        .despite(after(60), |world| we(world, Request::DeletePod { name: named(WEB), grace: None }))
        .breaks_only("capacity_kept", SEEDS);
}

#[test]
fn budgets_are_broken_by_a_plain_deletion() {
    // DELETE asks no budget. No Service selects these pods, so nothing else is lost with one of them.
    story("a deletion that asks no budget")
        .given(web_servers().with(deployment("worker").replicas(3)).with(budget("worker", "minAvailable", 3)))
        .under(load("web", 300).sessions(5, 25))
        .despite(after(60), |world| {
            let name = named("worker-5d9c7b8f66-old0");
            we(world, Request::DeletePod { name, grace: None });
        })
        .breaks_only("budgets_respected", SEEDS);
}

#[test]
fn a_group_is_not_quiet_while_its_last_sessions_end() {
    // Deleted when the old pods have just begun to end. Their sessions end within 25 s, EKS drains for 300 s: nobody is
    // dropped, this time. The promise is broken all the same: whether it goes well is not up to the migration.
    web_story("deleted too early")
        .despite(
            |world| old_pods(world).filter(|&(_, terminating)| terminating).count() == 3,
            |world| we(world, Request::DeleteNodeGroup("blue".into())),
        )
        .breaks_only("deleted_only_quiet", SEEDS);
}

#[test]
fn a_copied_annotation_is_left_behind() {
    // The Deployment controller copies annotations to the ReplicaSet, and does not take them back.
    let annotated = |value: Option<&str>| Request::Patch {
        kind: Kind::Deployment,
        name: named("web"),
        uid: None,
        resource_version: None,
        changes: vec![Change::Annotation("example.com/replicas".into(), value.map(Into::into))],
    };
    web_story("an annotation and its copy")
        .despite(after(60), move |world| we(world, annotated(Some("3"))))
        .despite(after(120), move |world| we(world, annotated(None)))
        .breaks_only("nothing_left_behind", SEEDS);
}

#[test]
fn a_cordon_of_somebody_else_is_undone() {
    // Old nodes are tainted by us first. Then somebody cordons one, which we take back.
    let cordon = |world: &World, value| Request::Patch {
        kind: Kind::Node,
        name: ("".into(), blue_node(world).meta.name.clone()),
        uid: None,
        resource_version: None,
        changes: vec![Change::Unschedulable(value)],
    };
    let tainted = |world: &World| blue_node(world).taints.iter().any(|taint| taint.key.contains("nodeferry"));
    web_story("a cordon taken back")
        .while_somebody(tainted, move |world| somebody(world, cordon(world, true)))
        .despite(|world| blue_node(world).unschedulable, move |world| we(world, cordon(world, false)))
        .breaks_only("others_respected", SEEDS);
}

#[test]
fn a_migration_without_patience_does_not_finish() {
    // A node group takes minutes to stand.
    web_story("no patience")
        .settings(|settings| settings.patience = Duration::from_secs(1))
        .breaks_only("finishes", SEEDS);
}

#[test]
fn what_a_stopped_migration_changed_must_be_named_somewhere() {
    // The same, with an annotation that neither the journal nor a mark on the object tells of.
    let run = web_story("no patience, and a nameless change")
        .settings(|settings| settings.patience = Duration::from_secs(1))
        .despite(after(60), |world| {
            let changes = vec![Change::Annotation("example.com/replicas".into(), Some("3".into()))];
            let (kind, name) = (Kind::Deployment, named("web"));
            we(world, Request::Patch { kind, name, uid: None, resource_version: None, changes });
        })
        .seed(0);
    let broken: Vec<&str> =
        run.promises.iter().filter(|promise| !promise.held).map(|promise| promise.name).collect();
    assert_eq!(broken, ["nothing_left_behind", "finishes"]);
}

/// One of the web servers' pods.
const WEB: &str = "web-5d9c7b8f66-old0";

fn after(seconds: u64) -> impl Fn(&World) -> bool {
    move |world| world.now() >= seconds * 1_000
}

/// The shop's pods that were there at the start, and whether each is terminating.
fn old_pods(world: &World) -> impl Iterator<Item = (String, bool)> {
    let pods = world.pods().iter().filter(|(_, pod)| pod.meta.name.contains("-old"));
    pods.filter(|(_, pod)| &*pod.meta.namespace == crate::cluster::SHOP)
        .map(|(_, pod)| (pod.meta.name.to_string(), pod.terminating()))
}

fn blue_node(world: &World) -> &Node {
    let mut nodes = world.nodes().iter().map(|(_, node)| node);
    nodes.find(|node| node.node_group.as_deref() == Some("blue")).expect("the old group stands until the end")
}
