//! What a migration calls is what the table of permissions says, in both directions; and what follows from the table is
//! enough: the API servers refuse here what the generated roles and policy do not grant.

use std::{collections::BTreeSet, sync::Arc};

use migrator::{
    action::Outcome,
    findings::{Code, Finding},
    permissions::{AWS, Role, kubernetes},
    request::Strategy,
};
use scenarios::{
    scenario::Verdict,
    wire::{Passage, gate::Gate, look},
};

use crate::{
    cluster::{autoscaler, cluster, cluster_autoscaler, deployment, service, stateful_set},
    story::{Load, Story, load, story},
};

/// What no shell calls here: who connects asks before there is one, for the server's version, and for the account's clusters
/// where the kubeconfig does not say which is meant; access entries are asked for where a cluster's authentication mode has
/// them, and the simulated one's has not.
const NOT_HERE: [&str; 3] = ["get /version", "eks:ListClusters", "eks:ListAccessEntries"];

/// Everything that the table knows of happens here: autoscalers, a StatefulSet, a launch template that says what nodes
/// are, and objects of every kind that is only counted.
fn shop() -> Story {
    story("a shop with everything")
        .given(
            cluster()
                .nodes("blue", "abc")
                .launched_from_template("blue")
                .with(cluster_autoscaler())
                .with(deployment("web").replicas(3).grace_period(60))
                .with(autoscaler("web", 3, 6))
                .with(stateful_set("store").replicas(2))
                .with(service("web").local())
                .with_one("argoproj.io/v1alpha1", "Application")
                .with_one("autoscaling.k8s.io/v1", "VerticalPodAutoscaler")
                .with_one("helm.toolkit.fluxcd.io/v2", "HelmRelease")
                .with_one("karpenter.sh/v1", "NodePool")
                .with_one("kustomize.toolkit.fluxcd.io/v1", "Kustomization")
                .with_one("networking.k8s.io/v1", "Ingress"),
        )
        .under(load("web", 100).sessions(1, 50))
}

fn gate(story: &Story, role: Role) -> Gate {
    Gate::of(role, &story.world().imported_aws().cluster.name)
}

/// Runs a story whose gate lets pass what `apply` is granted, and adds what it called.
#[track_caller]
fn passes(
    story: &Story,
    gate: Gate,
    back: Option<&'static str>,
    ends: &Outcome,
    calls: &mut BTreeSet<String>,
) {
    let gate = Arc::new(gate);
    let run = story.seed_in_wire_through(1, &Passage { gate: gate.clone(), turned_round_before: back });
    let outcome = run.driven.as_ref().and_then(|driven| driven.outcome.clone());
    assert!(gate.refused().is_empty(), "refused: {:?}", gate.refused());
    assert_eq!(outcome.as_ref(), Some(ends), "{}", story.told(1, &run));
    calls.extend(gate.calls());
}

#[test]
fn every_call_is_in_the_table_and_granted_and_every_row_of_the_table_is_called() {
    let mut calls = BTreeSet::new();
    let apply = |story: &Story| gate(story, Role::Apply);
    let migrated = |story: Story, calls: &mut BTreeSet<String>| {
        passes(&story, apply(&story), None, &Outcome::Migrated, calls);
    };
    migrated(shop(), &mut calls);
    // Whatever answer is lost is read again, which takes another permission.
    passes(&shop(), apply(&shop()).losing_answers(), None, &Outcome::Migrated, &mut calls);
    passes(&shop(), apply(&shop()), Some("exclude"), &Outcome::RolledBack, &mut calls);
    migrated(shop().by(Strategy::Recipe), &mut calls);
    migrated(shop().by(Strategy::RecipeDescaleFirst), &mut calls);
    migrated(shop().keeping_the_group(), &mut calls);
    let adopting = story("adopting")
        .given(
            cluster()
                .nodes("blue", "abc")
                .nodes("green", "abc")
                .with(deployment("web").replicas(3).grace_period(60).on(&[0, 1, 2]))
                .with(service("web")),
        )
        .under(load("web", 100).sessions(1, 50))
        .adopting();
    migrated(adopting, &mut calls);
    // A preflight asks what it may.
    let asking = Arc::new(apply(&shop()));
    look(&mut shop().world(), shop().request(), &asking).expect("a runtime").expect("both sides answer");
    calls.extend(asking.calls());

    let aws = AWS.iter().filter(|call| call.implied_by.is_none()).map(|call| call.shown());
    let table: BTreeSet<String> = kubernetes().map(|call| call.shown()).chain(aws).collect();
    let called: BTreeSet<String> = calls.into_iter().chain(NOT_HERE.map(str::to_owned)).collect();
    let (unknown, idle) = (called.difference(&table), table.difference(&called));
    let (unknown, idle): (Vec<_>, Vec<_>) = (unknown.collect(), idle.collect());
    assert!(
        unknown.is_empty() && idle.is_empty(),
        "not in the table: {unknown:?}; called by nobody: {idle:?}"
    );
}

#[test]
fn whoever_may_only_look_migrates_nothing() {
    let observing = Arc::new(gate(&shop(), Role::Observe));
    let passage = Passage { gate: observing.clone(), turned_round_before: None };
    let run = shop().seed_in_wire_through(1, &passage);
    assert_ne!(run.verdict, Verdict::Held);
    let lock = "create coordination.k8s.io/leases in kube-system".to_owned();
    assert_eq!(observing.refused(), BTreeSet::from([lock]), "without the lock nothing is written");
}

/// What a preflight finds about permissions behind a gate.
fn found(gate: Gate) -> Vec<Finding> {
    let (mut findings, _plan) = look(&mut shop().world(), shop().request(), &Arc::new(gate))
        .expect("a runtime")
        .expect("what is read may be read");
    let about = [Code::PermissionsMissing, Code::PermissionsUnanswered];
    findings.retain(|finding| about.contains(&finding.code));
    findings
}

#[test]
fn preflight_and_plan_need_what_an_observer_has_and_name_what_it_lacks_to_migrate() {
    for role in [Role::Observe, Role::Plan] {
        let findings = found(gate(&shop(), role));
        let [missing] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!(missing.code, Code::PermissionsMissing);
        assert!(
            missing.reason.contains("create coordination.k8s.io/leases in kube-system"),
            "{}",
            missing.reason
        );
        assert!(missing.fix.contains("nodeferry permissions --for apply"), "{}", missing.fix);
    }
    assert_eq!(found(gate(&shop(), Role::Apply)), []);
}

#[test]
fn one_permission_that_is_missing_is_named() {
    for (taken, named) in [
        ("pods/eviction", "refused would be: create pods/eviction"),
        ("ec2:CreateLaunchTemplate", "refused would be: ec2:CreateLaunchTemplate (UnauthorizedOperation: "),
    ] {
        let findings = found(gate(&shop(), Role::Apply).without(taken));
        let [missing] = findings.as_slice() else { panic!("{taken}: {findings:?}") };
        assert_eq!(missing.code, Code::PermissionsMissing);
        assert!(missing.reason.starts_with(named), "{}", missing.reason);
    }
}

#[test]
fn a_missing_permission_that_is_accepted_stops_the_migration_half_way() {
    let gate = Arc::new(gate(&shop(), Role::Apply).without("pods/eviction"));
    let run = shop().seed_in_wire_through(1, &Passage { gate: gate.clone(), turned_round_before: None });
    let outcome = run.driven.as_ref().and_then(|driven| driven.outcome.clone());
    let Some(Outcome::Stopped(reason)) = outcome else { panic!("{}", shop().told(1, &run)) };
    assert!(reason.contains("refused 8 times") && reason.contains("Forbidden"), "{reason}");
    assert_eq!(gate.refused(), BTreeSet::from(["create pods/eviction".to_owned()]));
}

#[test]
fn without_what_a_view_is_made_of_there_is_no_preflight() {
    let gate = Arc::new(gate(&shop(), Role::Apply).without("replicasets"));
    let looked = look(&mut shop().world(), shop().request(), &gate).expect("a runtime");
    let failed = looked.expect_err("it may not be listed").to_string();
    assert!(failed.contains("\"replicasets\""), "{failed}");
}

#[test]
fn a_server_that_does_not_say_what_is_allowed_is_not_taken_to_allow_it() {
    let findings = found(gate(&shop(), Role::Apply).without("selfsubjectaccessreviews"));
    let [unanswered] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!(unanswered.code, Code::PermissionsUnanswered);
    assert!(unanswered.reason.contains("Forbidden"), "{}", unanswered.reason);
}
