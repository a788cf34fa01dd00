//! The wire gear beside the core gear: the production shell against the world's API servers does what the decisions ask of
//! the world itself.
//!
//! Compared are the writes that took effect, in order, without versions and times; how a run ends; every promise. Writes of one
//! phase that follow each other commute, and are compared without their order: which of two nodes that join in one second is
//! seen first is a matter of milliseconds. What only says since when something holds (marks in the journal, the lock) depends on
//! times and is left out.

mod campaign;
mod crashes;
mod failures;
mod pairs;
mod users;

use std::collections::BTreeMap;

use migrator::action::{Action, Outcome, Write};
use scenarios::scenario::Run;

use campaign::{MIGRATE, Tally, undisturbed};

use crate::{
    cluster::{cluster, cluster_autoscaler, deployment, service, stateful_set},
    configuration::online_boutique,
    story::{Load, Story, load, story},
};

#[test]
fn a_shop_is_migrated_alike_through_the_api_and_without_it() {
    let shop = story("a shop")
        .given(
            cluster()
                .nodes("blue", "abc")
                .with(cluster_autoscaler())
                .with(deployment("web").replicas(3).grace_period(60))
                .with(stateful_set("store").replicas(2))
                .with(service("web").local()),
        )
        .under(load("web", 100).sessions(1, 50));
    let shop = shop.drawn();
    (0..10).for_each(|seed| alike(&shop, seed));
}

#[test]
fn the_online_boutique_is_migrated_alike_through_the_api_and_without_it() {
    let boutique = story("online boutique").given_export(&online_boutique(), 100).drawn();
    let mut tally = Tally::one_of(20);
    for seed in 0..200 {
        if tally.takes_next() {
            alike(&boutique, seed);
            tally.note(Ok(()));
        }
    }
    tally.judge("core and wire, alike");
}

#[track_caller]
fn alike(story: &Story, seed: u64) {
    let (core, wire) = (story.seed(seed), story.seed_in_wire(seed));
    let (ours, theirs) = (writes(&core), writes(&wire));
    let first = ours.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs);
    let first = first.unwrap_or(ours.len().min(theirs.len()));
    let around = |all: &[String]| all[first.saturating_sub(2)..all.len().min(first + 3)].join("\n  ");
    assert!(
        ours == theirs,
        "seed {seed}: {} writes in core, {} in wire; they part at number {first}:\n core:\n  {}\n wire:\n  {}\n{}",
        ours.len(),
        theirs.len(),
        around(&ours),
        around(&theirs),
        story.told(seed, &wire),
    );
    let ended = |run: &Run| run.driven.as_ref().and_then(|driven| driven.outcome.clone());
    assert_eq!(ended(&core), Some(Outcome::Migrated));
    assert_eq!(ended(&core), ended(&wire));
    let held =
        |run: &Run| run.promises.iter().map(|promise| (promise.name, promise.held)).collect::<Vec<_>>();
    assert_eq!(held(&core), held(&wire), "{}", story.told(seed, &wire));
    assert!(wire.promises.iter().all(|promise| promise.held), "{}", story.told(seed, &wire));
}

/// The writes that took effect, each as a text.
fn writes(run: &Run) -> Vec<String> {
    let driven = run.driven.as_ref().expect("it was driven");
    // A journal that was written for its marks alone says the same as the one before.
    let mut journal = String::new();
    let mut texts: Vec<String> = driven.writes.iter().filter_map(text).collect();
    texts.retain(|text| {
        let says_more = !text.starts_with("journal") || *text != journal;
        if text.starts_with("journal") {
            journal.clone_from(text);
        }
        says_more
    });
    let phase = |text: &String| text.split(": ").next().map(str::to_owned);
    texts.chunk_by_mut(|one, next| phase(one) == phase(next)).for_each(<[String]>::sort);
    texts
}

fn text(action: &Action) -> Option<String> {
    match &action.write {
        Write::Lease { .. } => None,
        Write::Journal { data, .. } => {
            let lasting = ["status", "done", "groups", "notes"].map(|key| data.get(key).map(String::as_str));
            Some(format!("journal {lasting:?}"))
        }
        Write::Patch(patch) => {
            Some(format!("{}: {:?} {:?} {:?}", action.phase, patch.kind, patch.object, patch.changes))
        }
        Write::Evict { pod, .. } => Some(format!("{}: evict {pod:?}", action.phase)),
        other => Some(format!("{}: {other:?}", action.phase)),
    }
}

/// How often each kind of request is made: where the time of a run in the wire gear goes.
#[test]
fn requests_are_as_few_as_they_were() {
    let clinic = story("the clinic").given_example(120);
    let straight = undisturbed(&clinic, 0, &[MIGRATE]);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for call in &straight.calls {
        *counts.entry(&call.site).or_default() += 1;
    }
    let lines: Vec<String> = counts.iter().map(|(site, count)| format!("{count:>5} {site}")).collect();
    insta::assert_snapshot!("requests", lines.join("\n"));
}
