//! Limits in pairs: just enough of each wait holds, just too little breaks. The arithmetic stands in each story.

use crate::{
    cluster::{
        Workload, cluster, cluster_autoscaler, deployment, load_balancer_controller, service, stateful_set,
    },
    story::{Load, Story, load, story},
};
use migrator::findings::Code;
use scenarios::{promises::Promise, scenario::Verdict};
use std::time::Duration;

const SEEDS: std::ops::Range<u64> = 0..8;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Grace period. Under the Cluster policy new connections reach a pod until every proxy has dropped it: by default
/// 50 ms until the slice is written, two watches of at most 30 ms, and up to 1 s between two syncs of a proxy, so 1.1 s
/// after the pod's deletion. SIGKILL comes 60 s to 62 s after it. A session of the whole grace period, 60 s, that opens
/// in that time may be cut; one of 60 s - 5 s may not, and neither may one of 60 s - 2 s.
fn sessions_of_the_grace_period_less(margin: u64) -> Story {
    story("sessions as long as the grace period allows")
        .given(
            cluster()
                .nodes("blue", "abc")
                .with(deployment("web").replicas(3).grace_period(60))
                .with(service("web")),
        )
        .under(load("web", 2_000).sessions(60 - margin, 60 - margin))
        .settings(|settings| settings.grace_margin = secs(margin))
}

#[test]
fn a_grace_period_of_the_session_and_five_seconds_is_enough() {
    sessions_of_the_grace_period_less(5).holds(SEEDS);
    sessions_of_the_grace_period_less(2).holds(SEEDS);
}

#[test]
fn a_grace_period_of_just_the_session_is_too_little() {
    sessions_of_the_grace_period_less(0).sometimes_breaks(&["no_connection_dropped"], 0..20);
}

/// A session that outlives its contract is counted apart and breaks no promise: 2 s more than the grace period allows.
#[test]
fn sessions_beyond_the_contract_are_counted_apart() {
    let longer = sessions_of_the_grace_period_less(5).under(load("web", 100).sessions(600, 700));
    let outlived: u64 = SEEDS
        .map(|seed| {
            let run = longer.seed(seed);
            assert!(run.promises.iter().all(|promise| promise.held), "{}", longer.told(seed, &run));
            run.recorder.counts.outlived
        })
        .sum();
    assert!(outlived > 0, "sessions of ten minutes end with pods that have a grace period of one");
}

/// Release. The deregistration delay is 0 s, so that the target is `unused` at once and only the propagation time holds
/// the old pods; some load balancer node still sends new flows for 225 s to 300 s. Sessions live 595 s, pods have 600 s.
/// The pods' deletion follows the release by the 10 s of the costs and at most two polls of 15 s.
///
/// 300 s: deletion at 310 s or later; the last session opens at 300 s, ends at 895 s, and SIGKILL comes at 910 s or later.
/// 180 s: deletion at 220 s at the latest, SIGKILL at 822 s; sessions that open between 227 s and the end of the
/// propagation end after that.
fn released_after(propagation: u64) -> Story {
    story("released while new flows may still come")
        .given(
            cluster()
                .nodes("blue", "ab")
                .with(deployment("profile").replicas(2).grace_period(600))
                .with(service("profile").local()),
        )
        .under(load("profile", 1_000).sessions(595, 595))
        .where_("nlb.dereg_delay=0s")
        .where_("nlb.dereg_propagation=300s")
        .settings(move |settings| settings.propagation = secs(propagation))
}

#[test]
fn a_release_after_the_propagation_is_enough() {
    released_after(300).holds(SEEDS);
}

#[test]
fn a_release_before_the_end_of_the_propagation_is_too_little() {
    released_after(180).breaks_only("no_connection_dropped", SEEDS);
}

/// Propagation of ip targets. A pod is deregistered 5 s and a little after its deletion begins (slice, watch and one slow
/// reconcile of the controller), and reached for 225 s to 300 s more. Of a grace period of 900 s, 310 s are lost to
/// sessions, so that they may live 590 s: those end 895 s and a little after the deletion at the latest. With a propagation
/// of 180 s they may live 710 s: SIGKILL, 902 s after the deletion at the latest, cuts what opened more than 192 s after it.
fn ip_targets_with(propagation: u64, sessions: u64) -> Story {
    story("ip targets")
        .given(
            cluster()
                .nodes("blue", "ab")
                .with(deployment("profile").replicas(2).grace_period(900))
                .with(service("profile").ip_targets()),
        )
        .under(load("profile", 500).sessions(sessions, sessions))
        .where_("nlb.dereg_propagation=300s")
        .where_("lbc.reconcile=5000ms")
        .settings(move |settings| settings.propagation = secs(propagation))
}

#[test]
fn ip_targets_that_serve_through_the_propagation_are_enough() {
    ip_targets_with(300, 590).holds(SEEDS);
}

#[test]
fn ip_targets_that_end_within_the_propagation_are_too_little() {
    ip_targets_with(180, 710).breaks_only("no_connection_dropped", SEEDS);
}

/// The load balancer controller moves with the other system workloads, and for up to 60 s after its leader has gone nobody
/// deregisters anything. Pods of Deployments are deregistered before it goes; those of a StatefulSet go after it.
#[test]
fn no_pod_ends_while_the_load_balancer_controller_has_no_leader() {
    let moving = |backend: Workload| {
        story("a load balancer controller that moves")
            .given(
                cluster()
                    .nodes("blue", "aa")
                    .with(load_balancer_controller())
                    .with(backend.replicas(4).grace_period(900))
                    .with(service("profile").ip_targets()),
            )
            .under(load("profile", 500).sessions(590, 590))
            .where_("nlb.dereg_propagation=300s")
            .where_("lbc.failover=60s")
    };
    // Costs that need not settle bring the two scale-backs within the time of one reconcile.
    moving(deployment("profile"))
        .where_("lbc.reconcile=5000ms")
        .settings(|settings| settings.cost_settle = secs(0))
        .holds(SEEDS);
    moving(stateful_set("profile")).holds(SEEDS);
    let hasty = moving(stateful_set("profile")).settings(|settings| settings.controller_takeover = secs(0));
    hasty.sometimes_breaks(&["no_connection_dropped"], SEEDS);
}

/// Idle time: the load balancer forgets a flow after 350 s of silence and answers the next message with a reset.
fn silent_for(seconds: u64) -> Story {
    story("long silences")
        .given(
            cluster()
                .nodes("blue", "ab")
                .with(deployment("profile").replicas(2).grace_period(1_800))
                .with(service("profile").local()),
        )
        .under(load("profile", 200).sessions(600, 1_795).silent_for(seconds))
}

#[test]
fn a_silence_below_the_idle_timeout_is_kept() {
    let story = silent_for(349);
    story.holds(SEEDS);
    let run = story.seed(0);
    assert!(run.findings.iter().all(|finding| finding.code != Code::IdleTimeoutTooShort));
}

#[test]
fn a_silence_beyond_the_idle_timeout_is_lost_with_or_without_a_migration() {
    // A warning says so beforehand. It is not the migration's fault: the verdict is that nothing can be told.
    let story = silent_for(351);
    for seed in SEEDS {
        let run = story.seed(seed);
        assert!(run.findings.iter().any(|finding| finding.code == Code::IdleTimeoutTooShort));
        assert!(run.promises.iter().all(|promise| promise.held), "{}", story.told(seed, &run));
        assert!(run.drops.iter().any(|drop| drop.cause == "rst_idle" && !drop.ours));
        assert_eq!(run.verdict, Verdict::Inconclusive);
    }
}

/// Quiet. Under the Cluster policy flows run through old nodes to pods elsewhere, and which ones no API shows. New ones
/// enter for 225 s to 300 s after the node has left; the last ends one contract, 595 s, later. The group is deleted when
/// propagation + contract + margin have passed since the node was seen to have left, by polls every 15 s.
///
/// 240 s + 60 s: deleted 895 s after that at the earliest, when the last flow ends. 180 s + 0 s: at 805 s (775 s and two
/// polls) at the latest, while those that entered after 210 s have not ended.
fn quiet_after(propagation: u64, margin: u64) -> Story {
    story("flows through old nodes")
        .given(
            cluster()
                .nodes("blue", "abc")
                .with(deployment("web").replicas(3).grace_period(600))
                .with(service("web")),
        )
        .under(load("web", 1_000).sessions(595, 595))
        .where_("nlb.dereg_delay=0s")
        .where_("nlb.dereg_propagation=300s")
        .settings(move |settings| {
            settings.propagation = secs(propagation);
            settings.quiet_margin = secs(margin);
        })
}

#[test]
fn quiet_for_the_contract_and_the_propagation_is_enough() {
    quiet_after(300, 0).holds(SEEDS);
    quiet_after(240, 60).holds(SEEDS);
}

#[test]
fn quiet_for_less_is_too_little() {
    // What is still open 32 s after the deletion, when the hosts are gone, is dropped as well.
    quiet_after(180, 0).sometimes_breaks(&["deleted_only_quiet", "no_connection_dropped"], SEEDS);
}

/// When a migration begins, in seconds: before the autoscaler's ten minutes are over.
const BEGINNINGS: [u64; 6] = [540, 555, 560, 570, 575, 585];

/// Settle. The group that is adopted stands idle, may shrink to nothing, and the autoscaler finds its nodes unneeded: at
/// 10 min it would begin to remove them. The migration begins half a minute before. It freezes the bounds, but for up to
/// 60 s the autoscaler knows the old ones; it then drains nodes that it cannot remove, and leaves pods 10 min at most,
/// where these have sessions of an hour.
///
/// 70 s: no pod comes to the new nodes before the autoscaler has read the new bounds (60 s) and looked at them (10 s).
/// 0 s: new pods serve soon after the freeze, and some are evicted.
fn settled_for(seconds: u64, begins_at: u64) -> Story {
    story("a stale autoscaler")
        .given(
            cluster()
                .nodes("blue", "abc")
                .nodes("green", "aabbcc")
                .bounds("green", 0, 6)
                .with(cluster_autoscaler().on(&[0]))
                .with(deployment("web").replicas(3).grace_period(3_600).on(&[0, 1, 2]))
                .with(service("web")),
        )
        .under(load("web", 1_000).sessions(3_595, 3_595))
        .adopting()
        .beginning_at(begins_at)
        .where_("eks.config_update=5s")
        .where_("kubelet.image_pull_cold=5s")
        .where_("application.warm_up=0s")
        .settings(move |settings| settings.autoscaler_settle = secs(seconds))
}

#[test]
fn bounds_that_the_autoscaler_has_read_are_enough() {
    // Without a migration the autoscaler takes the idle nodes with the flows that run through them, so that the twin is
    // not clean; what is judged is what reaches a request of ours.
    for begins_at in BEGINNINGS {
        settled_for(70, begins_at).keeps_every_promise(0..10);
    }
}

#[test]
fn bounds_that_change_while_they_are_frozen_are_restored() {
    // EKS takes a minute to apply the new bounds; meanwhile the autoscaler removes idle nodes and with them lowers the wish.
    for begins_at in [560, 580, 600] {
        let story = settled_for(70, begins_at).where_("eks.config_update=60s");
        story.keeps_every_promise(0..5);
    }
}

#[test]
fn bounds_that_the_autoscaler_has_not_read_are_too_little() {
    // The autoscaler must believe the old bounds for more than 20 s after new pods came: a few runs in a hundred. Nodes that
    // pods have left in that way are also the first that it removes once their bounds are restored.
    let broken = BEGINNINGS
        .into_iter()
        .flat_map(|begins_at| (0..20).map(move |seed| (begins_at, seed)))
        .filter(|&(begins_at, seed)| {
            let story = settled_for(0, begins_at);
            let run = story.seed(seed);
            let lost = |promise: &Promise| matches!(promise.name, "no_connection_dropped" | "capacity_kept");
            let others = run.promises.iter().filter(|promise| !lost(promise));
            assert!(others.into_iter().all(|promise| promise.held), "{}", story.told(seed, &run));
            run.promises.iter().any(|promise| promise.name == "no_connection_dropped" && !promise.held)
        });
    assert!(broken.count() > 0, "a stale autoscaler harms nobody");
}
