//! Behaviour of Kubernetes that surprises, each as the smallest world that shows it.

use k8s_openapi::api::core::v1::Taint;
use loadgen::{
    chance::Seed,
    profile::{AtSigterm, Profile, Spread},
    session::Schedule,
};
use simulator::{
    parameters::Parameters,
    world::{
        Entry, Offered, Outcome, OutcomeEvent, Subject, TargetState, Time, What, World,
        requests::{Answer, Change, Kind, Request},
    },
};

use crate::{
    cluster::{Cluster, SHOP, budget, cluster, deployment, service},
    story::{SOMEBODY, named, somebody},
};

/// A world that has run for a minute.
fn running(cluster: &Cluster) -> World {
    let mut world = cluster.world(Parameters::default()).reseeded(Seed(1));
    pass(&mut world, 60);
    world
}

fn pass(world: &mut World, seconds: Time) {
    world.advance(world.now() + seconds * 1_000, None);
}

fn patch(world: &mut World, kind: Kind, name: &str, change: Change) {
    let name = if kind == Kind::Node { ("".into(), name.into()) } else { named(name) };
    somebody(world, Request::Patch { kind, name, uid: None, resource_version: None, changes: vec![change] });
}

/// Clients of the Service `web` whose sessions last as long as they please.
fn offer(world: &mut World, clients: u32, lifetime: Spread) {
    let service = world.services().find(SHOP, "web").expect("it was imported");
    let profile = Profile {
        name: "web".into(),
        clients,
        lifetime,
        pause: Spread::secs(1, 1),
        cadence: Spread::secs(5, 45),
        sources: Default::default(),
        reconnect: Default::default(),
    };
    world.offer(Offered {
        service,
        schedule: Schedule::new(Seed(1), 0, &profile),
        at_sigterm: AtSigterm::ServeUntilClientsLeave,
        contract: u64::MAX,
        longest_silence: 45_000,
    });
}

fn outcomes(world: &mut World) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    world.take_outcomes(&mut outcomes);
    outcomes
}

/// Names of the nodes of a group.
fn nodes(world: &World, group: &str) -> Vec<String> {
    let nodes = world.nodes().iter().map(|(_, node)| node);
    nodes
        .filter(|node| node.node_group.as_deref() == Some(group))
        .map(|node| node.meta.name.to_string())
        .collect()
}

/// When something of this kind first happened to a pod or a Service of which this is part of the name.
fn first(world: &World, name: &str, what: impl Fn(What) -> bool) -> Time {
    let matches = |entry: &&Entry| what(entry.what) && world.subject(entry.subject).contains(name);
    world
        .entries()
        .iter()
        .find(matches)
        .unwrap_or_else(|| panic!("nothing of the kind happened to {name}"))
        .at
}

#[test]
fn where_old_pods_are_denser_they_go_first() {
    // (a) Four old pods on two nodes, four new ones on four: two of a ReplicaSet on one node go before one alone, however
    // long they have been Ready.
    let mut world = running(
        &cluster()
            .nodes("blue", "ab")
            .nodes("green", "abcd")
            .with(deployment("web").replicas(4).on(&[0, 1]))
            .with(service("web")),
    );
    for node in nodes(&world, "blue") {
        patch(&mut world, Kind::Node, &node, Change::Unschedulable(true));
    }
    patch(&mut world, Kind::Deployment, "web", Change::Replicas(8));
    pass(&mut world, 120);
    patch(&mut world, Kind::Deployment, "web", Change::Replicas(4));
    pass(&mut world, 5);
    let staying: Vec<&str> = world
        .pods()
        .iter()
        .filter(|(_, pod)| &*pod.meta.namespace == SHOP && pod.active())
        .map(|(_, pod)| &*pod.meta.name)
        .collect();
    assert_eq!(staying.len(), 4);
    assert!(staying.iter().all(|name| !name.contains("-old")), "{staying:?}");
}

#[test]
fn where_density_is_equal_the_young_go_first() {
    // (b) The same with one old pod to a node.
    let mut world = running(
        &cluster()
            .nodes("blue", "abcd")
            .nodes("green", "abcd")
            .with(deployment("web").replicas(4).on(&[0, 1, 2, 3]).one_per_node()),
    );
    for node in nodes(&world, "blue") {
        patch(&mut world, Kind::Node, &node, Change::Unschedulable(true));
    }
    patch(&mut world, Kind::Deployment, "web", Change::Replicas(8));
    pass(&mut world, 120);
    patch(&mut world, Kind::Deployment, "web", Change::Replicas(4));
    pass(&mut world, 5);
    let pods = world.pods().iter().map(|(_, pod)| pod);
    let staying = pods.filter(|pod| &*pod.meta.namespace == SHOP && pod.active());
    assert_eq!(staying.filter(|pod| pod.meta.name.contains("-old")).count(), 4);
}

#[test]
fn the_last_local_endpoint_serves_while_it_terminates_and_its_health_check_fails() {
    // (c) No other node can take the pod. Its target turns unhealthy, for the health-check node port counts ready
    // endpoints; the load balancer fails open, and the proxy falls back to what terminates.
    let mut world = cluster()
        .nodes("blue", "a")
        .with(deployment("web").grace_period(3_600))
        .with(service("web").local())
        .world(Parameters::default());
    offer(&mut world, 50, Spread::secs(5, 20));
    pass(&mut world, 60);
    let node = nodes(&world, "blue").remove(0);
    patch(&mut world, Kind::Node, &node, Change::Unschedulable(true));
    somebody(&mut world, Request::DeletePod { name: named("web-5d9c7b8f66-old0"), grace: None });
    pass(&mut world, 60);
    assert_eq!(world.target_groups()[0].targets[0].state, TargetState::Unhealthy);
    let _before = outcomes(&mut world);
    pass(&mut world, 60);
    let later = outcomes(&mut world);
    assert!(later.iter().any(|outcome| matches!(outcome.event, OutcomeEvent::Opened { .. })));
    assert!(later.iter().all(|outcome| !matches!(outcome.event, OutcomeEvent::Ended { .. })));
}

#[test]
fn an_established_flow_outlives_its_endpoint() {
    // (d) Ten minutes after its endpoint is gone, a pod still serves the sessions that it had.
    let mut world = cluster()
        .nodes("blue", "ab")
        .with(deployment("web").replicas(2).grace_period(3_600))
        .with(service("web"))
        .world(Parameters::default());
    offer(&mut world, 50, Spread::secs(1_200, 1_800));
    pass(&mut world, 60);
    somebody(&mut world, Request::DeletePod { name: named("web-5d9c7b8f66-old0"), grace: None });
    pass(&mut world, 1_800);
    let moved = |outcome: &&Outcome| matches!(outcome.event, OutcomeEvent::Completed { moved: true, .. });
    let deleted_at =
        first(&world, "web-5d9c7b8f66-old0", |what| matches!(what, What::DeletionRequested { .. }));
    let all = outcomes(&mut world);
    assert!(all.iter().filter(moved).any(|outcome| outcome.at > deleted_at + 600_000));
    assert!(all.iter().all(|outcome| !matches!(outcome.event, OutcomeEvent::Ended { .. })));
}

#[test]
fn when_a_node_is_deleted_its_endpoints_go_before_its_pods() {
    // (e) The endpoints go with the Node at the latest; its pods are orphans for 40 s before they are collected.
    let mut world = running(
        &cluster()
            .nodes("blue", "ab")
            .nodes("green", "a")
            .with(deployment("web").grace_period(3_600).on(&[2]))
            .with(service("web")),
    );
    // The drain cannot end before its cap: the pod serves on for an hour.
    offer(&mut world, 20, Spread::secs(3_000, 3_600));
    somebody(&mut world, Request::DeleteNodeGroup("green".into()));
    pass(&mut world, 600);
    let node = world
        .entries()
        .iter()
        .find(|entry| entry.what == What::Deleted && matches!(entry.subject, Subject::Node(_)));
    let node_deleted_at = node.expect("the cloud's node controller deletes it").at;
    let collected_at = first(&world, "web-5d9c7b8f66-old0", |what| what == What::OrphanCollected);
    assert!(collected_at >= node_deleted_at + 40_000);
    let web = world.entries().iter().filter(|entry| world.subject(entry.subject) == "service web");
    let gone_at = web.rev().find(|entry| matches!(entry.what, What::EndpointsChanged { terminating: 0, .. }));
    let gone_at = gone_at.expect("the endpoint that terminates goes").at;
    assert!(gone_at < node_deleted_at + 2_500, "{gone_at} against {node_deleted_at}");
}

#[test]
fn a_group_deletion_evicts_everything_at_once() {
    // (g) Six pods on three nodes.
    let mut world = running(
        &cluster()
            .nodes("blue", "abc")
            .nodes("green", "abc")
            .with(deployment("web").replicas(6).grace_period(60).on(&[0, 1, 2])),
    );
    somebody(&mut world, Request::DeleteNodeGroup("blue".into()));
    pass(&mut world, 60);
    let evicted: Vec<Time> =
        world.entries().iter().filter(|entry| entry.what == What::Evicted).map(|entry| entry.at).collect();
    assert_eq!(evicted.len(), 6);
    assert!(evicted.iter().all(|&at| at == evicted[0]), "{evicted:?}");
}

#[test]
fn a_percentage_budget_refuses_evictions_right_after_a_doubling() {
    // (h) Four of four are healthy and at most a quarter may be missing: one may go. Of eight, four are healthy until the
    // new ones are Ready, and six must be.
    let mut world = running(&cluster().nodes("blue", "ab").with(deployment("web").replicas(4)).with(budget(
        "web",
        "maxUnavailable",
        "25%",
    )));
    patch(&mut world, Kind::Deployment, "web", Change::Replicas(8));
    world.advance(world.now() + 500, None);
    let evict = || Request::Evict { name: named("web-5d9c7b8f66-old0"), uid: None };
    let early = world.submit(SOMEBODY, "evict", evict());
    pass(&mut world, 60);
    let late = world.submit(SOMEBODY, "evict", evict());
    pass(&mut world, 1);
    assert!(matches!(world.answer(early), Some((_, Answer::RetryLater(_)))), "{:?}", world.answer(early));
    assert!(matches!(world.answer(late), Some((_, Answer::Done(_)))), "{:?}", world.answer(late));
}

#[test]
fn taints_written_without_a_version_can_erase_those_of_somebody_else() {
    // (i) Both read the node, both write the whole list. With a resourceVersion the second is told of the conflict.
    for (careful, survives) in [(false, false), (true, true)] {
        let mut world = running(&cluster().nodes("blue", "a"));
        let (name, version) = {
            let (_, node) = world.nodes().iter().next().expect("there is one");
            (node.meta.name.clone(), node.meta.resource_version)
        };
        let tainted = |key: &str, resource_version| Request::Patch {
            kind: Kind::Node,
            name: ("".into(), name.clone()),
            uid: None,
            resource_version,
            changes: vec![Change::Taints(vec![Taint {
                key: key.into(),
                effect: "NoSchedule".into(),
                value: None,
                time_added: None,
            }])],
        };
        world.submit(SOMEBODY, "taint", tainted("theirs", Some(version)));
        let ours = world.submit(SOMEBODY + 1, "taint", tainted("ours", careful.then_some(version)));
        pass(&mut world, 1);
        let (_, node) = world.nodes().iter().next().expect("there is one");
        assert_eq!(node.taints.iter().any(|taint| taint.key == "theirs"), survives);
        assert_eq!(matches!(world.answer(ours), Some((_, Answer::Conflict))), careful);
    }
}

#[test]
fn a_node_that_is_lost_takes_flows_to_pods_elsewhere_with_it() {
    // (j) The pods run on blue. Flows also come in through green, which holds no workload pod, so that EKS terminates it at
    // once: 30 s later they fall silent.
    let mut world = cluster()
        .nodes("blue", "ab")
        .nodes("green", "ab")
        .with(deployment("web").replicas(2).grace_period(3_600).on(&[0, 1]))
        .with(service("web"))
        .world(Parameters::default());
    offer(&mut world, 100, Spread::secs(3_000, 3_600));
    pass(&mut world, 60);
    somebody(&mut world, Request::DeleteNodeGroup("green".into()));
    pass(&mut world, 120);
    let lost = outcomes(&mut world)
        .into_iter()
        .filter(
            |outcome| matches!(outcome.event, OutcomeEvent::Ended { cause, .. } if cause.id() == "blackhole"),
        )
        .count();
    // Half of a hundred, give or take four standard deviations of 5.
    assert!((30..=70).contains(&lost), "{lost} of 100");
}
