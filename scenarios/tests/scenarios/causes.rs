//! Every drop is traced to what really brought it about, not to whatever came last.

use crate::{
    cluster::{cluster, cluster_autoscaler, deployment, service},
    story::{Load, Story, load, story},
};
use migrator::request::Strategy;

/// Two pods in three zones, whose clients stay longer than EKS drains.
fn recipe() -> Story {
    story("the recipe")
        .given(
            cluster()
                .nodes("blue", "abc")
                .with(cluster_autoscaler())
                .with(deployment("web").replicas(2).grace_period(3_600))
                .with(service("web").local()),
        )
        .under(load("web", 500).sessions(1, 3_500))
        .by(Strategy::Recipe)
}

/// The distinct chains behind drops of one kind, over some seeds.
fn chains(cause: &str) -> Vec<String> {
    let mut chains = Vec::new();
    for seed in 0..8 {
        let run = recipe().seed(seed);
        for drop in run.drops.iter().filter(|drop| drop.cause == cause && drop.ours) {
            chains.push(run.world.explain(drop.entry).join("\n"));
        }
    }
    chains.sort();
    chains.dedup();
    chains
}

#[test]
fn a_connect_that_times_out_in_a_zone_without_a_healthy_target_is_traced_to_the_exclusion() {
    // New targets of that zone have no local pod and never were healthy: it is the old one's leaving that opens them.
    let chains = chains("connect_timeout");
    let excluded = |chain: &&String| {
        chain.contains(" draining at ") && chain.contains("exclude-from-external-load-balancers")
    };
    assert!(chains.iter().any(|chain| excluded(&chain)), "{chains:#?}");
    let ready = |chain: &&String| chain.lines().next().is_some_and(|line| line.contains("ready endpoints"));
    assert!(!chains.iter().any(|chain| ready(&chain)), "endpoints that came turn nobody away: {chains:#?}");
}

#[test]
fn a_pod_that_its_host_takes_along_is_not_said_to_have_had_its_grace_period() {
    let chains = chains("rst_mid_stream");
    let hosts: Vec<&String> = chains.iter().filter(|chain| chain.contains("terminating at")).collect();
    assert!(!hosts.is_empty(), "{chains:#?}");
    for chain in hosts {
        let first = chain.lines().next().unwrap_or_default();
        assert!(first.contains("SIGKILL: its host shuts down"), "{chain}");
        assert!(chain.contains("drain cap of 300 s") && chain.contains("deletes node group blue"), "{chain}");
    }
}
