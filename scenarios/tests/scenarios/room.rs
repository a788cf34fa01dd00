//! Where new pods find room: rules that keep pods apart, groups that are neither left nor moved to, pods that never become
//! Ready. Most of these clusters once made a migration stop half-way, or go round in circles.

use std::time::Duration;

use migrator::action::Outcome;
use scenarios::scenario::{Run, Verdict};

use crate::{
    cluster::{Cluster, SHOP, autoscaler, cluster, deployment, service},
    story::{Load, Story, load, story},
};

const SEEDS: std::ops::Range<u64> = 0..5;
const HOSTNAME: &str = "kubernetes.io/hostname";
const ZONE: &str = "topology.kubernetes.io/zone";

/// A group to leave and another one, each with nodes in three zones.
fn two_groups() -> Cluster {
    cluster().nodes("blue", "abcabcabc").nodes("other", "abc")
}

fn told(title: &'static str, cluster: Cluster) -> Story {
    story(title).given(cluster).under(load("web", 600).sessions(30, 595))
}

#[test]
fn one_pod_that_keeps_to_a_node_of_its_own_is_replaced_in_its_zone() {
    let web = deployment("web").grace_period(600).spread_by(HOSTNAME);
    let given = two_groups().with(web).with(service("web").local()).with(autoscaler("web", 1, 1));
    told("spread over nodes", given).holds(SEEDS);
}

#[test]
fn one_pod_that_is_spread_over_zones_is_replaced_although_every_zone_gets_one_first() {
    let web = deployment("web").grace_period(600).spread_by(ZONE);
    told("spread over zones", two_groups().with(web).with(service("web").local())).holds(SEEDS);
}

#[test]
fn nodes_of_other_groups_in_a_zone_do_not_take_what_another_zone_needs() {
    let web = deployment("web").replicas(3).grace_period(600).on(&[0, 1, 2]);
    told("three zones, two groups", two_groups().with(web).with(service("web").local())).holds(SEEDS);
    // The group that is left has a zone to itself.
    let web = deployment("web").replicas(2).grace_period(600).on(&[0]);
    let given = cluster().nodes("blue", "a").nodes("other", "ab").with(web).with(service("web").local());
    told("one zone of two", given).holds(SEEDS);
}

#[test]
fn an_old_pod_of_the_system_that_never_becomes_ready_does_not_keep_the_cordons_changing() {
    let dns = deployment("dns").replicas(2).unready(1).of_the_system();
    let web = deployment("web").replicas(2).grace_period(600);
    let given = cluster().nodes("blue", "abc").with(dns).with(web).with(service("web").local());
    let run = told("an unready pod of the system", given).seed(0);
    assert_ends(&run);
}

#[test]
fn a_service_that_nobody_serves_holds_nothing_up() {
    let web = deployment("web").replicas(2).grace_period(600);
    let given = cluster().nodes("blue", "ab").with(web).with(service("web").local());
    told("nobody serves", given.with(service("nothing").local())).holds(SEEDS);
}

#[test]
fn an_unready_node_of_another_group_takes_no_new_pod() {
    let web = deployment("web").replicas(2).grace_period(600).on(&[0, 1]);
    let given = cluster().nodes("blue", "ab").nodes("other", "a").last_not_ready();
    told("an unready node", given.with(web).with(service("web").local())).holds(SEEDS);
}

#[test]
fn nodes_of_a_managed_group_are_instances_whether_the_export_says_so_or_not() {
    let web = deployment("web").replicas(2).grace_period(600);
    let given = cluster().nodes("blue", "ab").without_provider_ids();
    told("no providerID", given.with(web).with(service("web").local())).holds(SEEDS);
}

#[test]
fn an_annotation_that_a_controller_copies_on_its_own_is_not_left_behind() {
    let web = deployment("web")
        .replicas(2)
        .grace_period(600)
        .annotated("argocd.argoproj.io/tracking-id", "shop:web");
    told("copied", cluster().nodes("blue", "ab").with(web).with(service("web").local())).holds(SEEDS);
}

#[test]
fn a_pod_that_no_cordon_keeps_away_does_not_make_nodes_leave_and_return_for_ever() {
    let web = deployment("web").grace_period(600).tolerating_everything();
    let given = cluster().nodes("blue", "abcabcabcabcabcabcab").with(web).with(service("web").local());
    let run = told("tolerates everything", given).accepting("NF311").seed(0);
    assert_ends(&run);
}

#[test]
fn replicas_that_the_mark_on_an_autoscaler_remembers_are_not_left_behind() {
    // Of three large pods the two new nodes take two; by then the web server has its second pod.
    let given = cluster().nodes("blue", "abb").with(deployment("large").replicas(3).cpu_milli(1_200));
    let given = given.with(deployment("web").grace_period(600).on(&[0]));
    let given = given.with(service("web")).with(autoscaler("web", 1, 1));
    let run = told("no room for a large one", given)
        .asking_for(2)
        .accepting("NF502")
        .accepting("NF503")
        .settings(|settings| settings.patience = Duration::from_secs(300))
        .seed(0);
    assert_ends(&run);
    let web = run.world.deployments().find(SHOP, "web").expect("it was given");
    assert_eq!(run.world.deployments().last(web).replicas, 2);
}

/// It came to an end, whichever, and dropped nobody on its way.
fn assert_ends(run: &Run) {
    assert_ne!(run.verdict, Verdict::Refused, "{:?}", run.findings);
    let outcome = run.driven.as_ref().and_then(|driven| driven.outcome.as_ref());
    assert!(matches!(outcome, Some(Outcome::Migrated | Outcome::Stopped(_))), "{outcome:?}");
    let broken: Vec<_> = run.promises.iter().filter(|promise| !promise.held).collect();
    assert!(broken.iter().all(|promise| promise.name == "finishes"), "{broken:?}");
}
