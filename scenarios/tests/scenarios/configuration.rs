//! What can be read from live objects: every value of it either holds or is refused with its finding. And the hazard that no
//! order of steps avoids does what is known of it and no more.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use loadgen::chance::Seed;
use migrator::findings::Severity;
use scenarios::scenario::{Run, Verdict};
use simulator::{
    import,
    parameters::{Class, Parameters},
    world::{Subject, TargetKey, Time, What, World},
};

use crate::story::{Story, story};

/// The exported cluster that stands beside the golden vectors.
pub(crate) fn online_boutique() -> Arc<import::Cluster> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/clusters/online-boutique.yaml");
    Arc::new(import::read_cluster(&path).expect("it is part of the checkout"))
}

fn boutique(exported: &Arc<import::Cluster>) -> Story {
    story("online boutique").given_export(exported, 500)
}

/// Holds, or refuses with a blocking finding; whether it held.
#[track_caller]
fn holds_or_refuses(story: &Story, seed: u64) -> bool {
    let run = story.seed(seed);
    match run.verdict {
        Verdict::Held => true,
        Verdict::Refused => {
            let blocking = run.findings.iter().any(|finding| finding.severity == Severity::Blocking);
            assert!(blocking, "{}", story.told(seed, &run));
            false
        }
        Verdict::Broken | Verdict::Inconclusive => panic!("{}", story.told(seed, &run)),
    }
}

#[test]
fn whatever_is_uncertain_it_holds() {
    boutique(&online_boutique()).drawn().holds(0..200);
}

#[test]
fn every_idle_timeout_holds() {
    // The clients' messages are at most 45 s apart, below the shortest timeout that a listener can have.
    let exported = online_boutique();
    for idle in ["60s", "61s", "350s", "6000s"] {
        assert!(holds_or_refuses(&boutique(&exported).where_(&format!("nlb.tcp_idle={idle}")), 0));
    }
}

#[test]
fn every_deregistration_delay_holds_or_is_refused_where_it_cuts() {
    // profile-gateway has the longest contract, 3595 s. With new flows for up to 300 s after the deregistration it needs
    // 3895 s, more than the 3600 s that a delay can be: where the end of the delay cuts, no delay is long enough.
    let exported = online_boutique();
    for delay in ["0s", "1s", "60s", "300s", "1800s", "3600s"] {
        let story = boutique(&exported).where_(&format!("nlb.dereg_delay={delay}"));
        assert!(holds_or_refuses(&story.clone().where_("nlb.dereg_cut=false"), 0), "{delay}");
        assert!(!holds_or_refuses(&story.where_("nlb.dereg_cut=true"), 0), "{delay}");
    }
}

#[test]
fn every_way_to_treat_unhealthy_targets_holds() {
    let exported = online_boutique();
    assert!(holds_or_refuses(&boutique(&exported).where_("nlb.unhealthy_cut=true"), 0));
    for interval in ["0s", "1s", "300s", "3600s", "360000s"] {
        let story = boutique(&exported).where_("nlb.unhealthy_cut=false");
        assert!(holds_or_refuses(&story.where_(&format!("nlb.unhealthy_interval={interval}")), 0));
    }
}

#[test]
fn cross_zone_or_not_it_holds() {
    let exported = online_boutique();
    for cross_zone in ["false", "true"] {
        let story = boutique(&exported).where_(&format!("nlb.cross_zone={cross_zone}"));
        assert!((0..3).all(|seed| holds_or_refuses(&story, seed)));
    }
}

#[test]
fn configurations_drawn_together_hold_or_are_refused() {
    let exported = online_boutique();
    let mut held = 0;
    for seed in 0..12 {
        let mut parameters = Parameters::default();
        parameters.draw(Seed(seed), Class::Configuration);
        let mut story = boutique(&exported).drawn();
        for name in [
            "nlb.tcp_idle",
            "nlb.dereg_delay",
            "nlb.dereg_cut",
            "nlb.unhealthy_cut",
            "nlb.unhealthy_interval",
            "nlb.cross_zone",
        ] {
            let value = parameters.value(name).expect("it is a parameter");
            story = story.where_(&format!("{name}={value}"));
        }
        held += u64::from(holds_or_refuses(&story, seed));
    }
    assert!((1..12).contains(&held), "{held} of 12 held: the drawn values show one side only");
}

#[test]
fn where_initial_targets_get_traffic_only_new_connections_to_them_are_dropped() {
    // A new node becomes a target when its Node appears, seconds before the exclude label is written, and again when it is
    // admitted. If the load balancer sends flows to it before its first checks, those that reach a node without a pod of a
    // Local Service are lost in a DROP rule. Nothing else may happen.
    let exported = online_boutique();
    let hazard = boutique(&exported).where_("nlb.initial_gets_traffic=true");
    let mut broken = 0;
    let tellings = (0..8).map(|seed| (hazard.clone(), seed));
    for (story, seed) in tellings.chain((0..24).map(|seed| (hazard.clone().drawn(), seed))) {
        let run = story.seed(seed);
        assert!(
            run.verdict != Verdict::Refused && run.verdict != Verdict::Inconclusive,
            "{}",
            story.told(seed, &run)
        );
        let others = run.promises.iter().filter(|promise| promise.name != "no_connection_dropped");
        assert!(others.into_iter().all(|promise| promise.held), "{}", story.told(seed, &run));
        for drop in &run.drops {
            assert_eq!(drop.cause, "connect_timeout", "{}", story.told(seed, &run));
            let service = run.world.offered()[drop.offered as usize].service;
            assert!(run.world.services().last(service).local, "{}", story.told(seed, &run));
            assert!(an_initial_target_lacks_a_pod(&run, service.0, drop.at), "{}", story.told(seed, &run));
        }
        broken += u32::from(run.verdict == Verdict::Broken && run.verdict.exit_code() == 1);
    }
    assert!(broken > 0, "no seed shows the hazard");
}

/// Whether a target of a Service was `initial` at some time, on a node without a Ready pod of that Service.
fn an_initial_target_lacks_a_pod(run: &Run, service: u32, at: Time) -> bool {
    let world = &run.world;
    let mut initial: BTreeMap<(u32, u32), bool> = BTreeMap::new();
    for entry in world.entries().iter().take_while(|entry| entry.at <= at) {
        let Subject::Target(group, index) = entry.subject else { continue };
        if world.target_groups()[group.index()].service.0 == service {
            initial.insert((group.0, index), entry.what == What::TargetInitial);
        }
    }
    initial.into_iter().filter(|&(_, initial)| initial).any(|((group, index), _)| {
        let target = &world.target_groups()[group as usize].targets[index as usize];
        let TargetKey::Instance(_) = target.key else { return false };
        target.node.is_none_or(|node| !has_ready_pod(world, service, node.0, at))
    })
}

fn has_ready_pod(world: &World, service: u32, node: u32, at: Time) -> bool {
    let selector = &world.services().last(simulator::world::ids::ServiceId(service)).selector;
    let mut ready = BTreeMap::new();
    for entry in world.entries().iter().take_while(|entry| entry.at <= at) {
        let Subject::Pod(pod) = entry.subject else { continue };
        match entry.what {
            What::Ready => ready.insert(pod, true),
            What::NotReady | What::DeletionRequested { .. } | What::Evicted | What::Exited => {
                ready.insert(pod, false)
            }
            _ => None,
        };
    }
    ready.into_iter().filter(|&(_, ready)| ready).any(|(pod, _)| {
        let pod = world.pods().last(pod);
        pod.node.is_some_and(|on| on.0 == node)
            && selector.iter().all(|(key, value)| pod.meta.labels.get(key) == Some(value))
    })
}
