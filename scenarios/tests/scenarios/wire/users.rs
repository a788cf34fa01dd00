//! Somebody else works in the cluster while it migrates: what they set stays as they set it.

use std::collections::BTreeMap;

use scenarios::drive::MIGRATOR;
use serde_json::{Value, json};
use simulator::{
    api::{self, Reply},
    http::{Method, Request},
    world::{Time, World},
};

use super::campaign::{MIGRATE, Tally, broken, outcome, tell, undisturbed};
use crate::{
    cluster::{SHOP, autoscaler, cluster, cluster_autoscaler, deployment, service, stateful_set},
    story::{Load, SOMEBODY, Story, load, story},
};

fn shop() -> Story {
    story("somebody else")
        .given(
            cluster()
                .nodes("blue", "aab")
                .with(cluster_autoscaler())
                .with(deployment("web").replicas(2).grace_period(60))
                .with(service("web").local())
                .with(deployment("api").replicas(2).grace_period(30))
                .with(autoscaler("api", 2, 4))
                .with(deployment("worker").replicas(2).grace_period(30))
                .with(stateful_set("store").replicas(1).grace_period(30)),
        )
        .under(load("web", 60).sessions(1, 50))
}

/// What a user does, through the API.
type Deed = (&'static str, Method, &'static str, Option<fn() -> Value>);

const DEEDS: [Deed; 7] = [
    ("a rollout", Method::Patch, "apis/apps/v1/deployments/web", Some(restarted)),
    (
        "a rollout of what an autoscaler scales",
        Method::Patch,
        "apis/apps/v1/deployments/api",
        Some(restarted),
    ),
    (
        "a manual scale up",
        Method::Patch,
        "apis/apps/v1/deployments/worker",
        Some(|| json!({"spec": {"replicas": 3}})),
    ),
    (
        "a manual scale down",
        Method::Patch,
        "apis/apps/v1/deployments/web",
        Some(|| json!({"spec": {"replicas": 1}})),
    ),
    ("a deleted Deployment", Method::Delete, "apis/apps/v1/deployments/worker", None),
    (
        "a changed HPA",
        Method::Patch,
        "apis/autoscaling/v2/horizontalpodautoscalers/api",
        Some(|| json!({"spec": {"minReplicas": 3, "maxReplicas": 6}})),
    ),
    ("a GitOps revert", Method::Patch, "apis/apps/v1/deployments/web", Some(reverted)),
];

/// What `kubectl rollout restart` sends.
fn restarted() -> Value {
    json!({"spec": {"template": {"metadata": {"annotations":
        {"kubectl.kubernetes.io/restartedAt": "2026-11-30T12:00:00Z"}}}}})
}

/// The manifest as it stands in git: its replicas, and none of our annotations.
fn reverted() -> Value {
    json!({"metadata": {"annotations": {"nodeferry.io/was": null}}, "spec": {"replicas": 2}})
}

/// Sends what a user sends.
fn does(world: &mut World, (title, method, path, body): Deed) {
    let (group_version, object) = path
        .rsplit_once('/')
        .and_then(|(rest, name)| {
            rest.rsplit_once('/')
                .map(|(group_version, resource)| (group_version, format!("{resource}/{name}")))
        })
        .expect("a group, a version, a resource and a name");
    let target = format!("/{group_version}/namespaces/{SHOP}/{object}");
    let body = body.map_or_else(Vec::new, |body| body().to_string().into_bytes());
    let asked = Request {
        content_type: "application/merge-patch+json".into(),
        user_agent: "kubectl".into(),
        ..Request::new(method, &target, body)
    };
    world.serve();
    world.serve_for(SOMEBODY);
    let Reply::Whole(answer) = api::handle(world, &asked) else { panic!("{title}: no whole answer") };
    world.serve_for(MIGRATOR);
    // It may be gone by then, and be somebody's who was earlier.
    assert!(answer.code < 400, "{title}: {} {}", answer.code, String::from_utf8_lossy(&answer.body));
}

#[test]
fn whatever_somebody_does_in_the_middle_of_a_step_stays_as_they_did_it() {
    let straight = undisturbed(&shop(), 0, &[MIGRATE]);
    let boundaries = straight.boundaries();
    let ends = boundaries.iter().skip(1).map(|(_, at)| *at).chain([straight.ended_at()]);
    let middles: Vec<(&str, Time)> =
        boundaries.iter().zip(ends).map(|((step, at), end)| (*step, at + (end - at) / 2)).collect();
    assert!(middles.len() >= 10, "{middles:?}");
    let mut also: BTreeMap<&str, usize> = BTreeMap::new();
    let mut tally = Tally::one_of(17);
    for deed in DEEDS {
        for &(step, at) in &middles {
            if !tally.takes_next() {
                continue;
            }
            let story = shop().while_somebody(move |world| world.now() >= at, move |world| does(world, deed));
            let run = undisturbed(&story, 0, &[MIGRATE]).run;
            // What else is not kept may be somebody's own doing: they took away what the migration had counted on. But it
            // ends, and what they set stays.
            let kept = |name: &str| run.promises.iter().any(|promise| promise.name == name && promise.held);
            let respected =
                kept("others_respected") && kept("budgets_respected") && kept("deleted_only_quiet");
            let happened = run.world.now() > at;
            tally.note(if respected && happened && outcome(&run).is_some() {
                Ok(())
            } else {
                Err(format!(
                    "{} in the middle of {step} ({at} ms): {:?}\n{}",
                    deed.0,
                    outcome(&run),
                    story.told(0, &run)
                ))
            });
            for promise in broken(&run) {
                *also.entry(promise).or_default() += 1;
            }
        }
    }
    tell(&format!("somebody else in the middle of each step: not kept besides: {also:?}"));
    tally.judge("somebody else in the middle of each step");
}
