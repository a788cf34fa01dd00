//! Every request fails once in every way that servers and the way to them have: a migration ends as it would have ended, or
//! stops with a reason and can be resumed.

use migrator::action::Outcome;
use scenarios::{
    drive::How,
    scenario::Run,
    wire::{Begins, Call, Disturbances, Does, Fate, Refusal},
};

use super::campaign::{MIGRATE, Tally, Undisturbed, broken, one, outcome, undisturbed};
use crate::{
    cluster::{cluster, cluster_autoscaler, deployment, service, stateful_set},
    story::{Load, Story, load, story},
};

fn shop() -> Story {
    story("failures")
        .given(
            cluster()
                .nodes("blue", "ab")
                .with(cluster_autoscaler())
                .with(deployment("web").replicas(2).grace_period(60))
                .with(service("web").local())
                .with(stateful_set("store").replicas(1).grace_period(30)),
        )
        .under(load("web", 60).sessions(1, 50))
}

/// What a request for Kubernetes that changes something may meet.
fn kubernetes_writes() -> Vec<Fate> {
    use Refusal::{Conflict, Denied, Expired, Internal, TooManyRequests, Unavailable};
    let refused = [Conflict, TooManyRequests, Internal, Unavailable, Expired, Denied].map(Fate::Refused);
    refused.into_iter().chain(on_the_way()).collect()
}

fn aws_writes() -> Vec<Fate> {
    use Refusal::{Denied, InUse, InternalFailure, Throttled};
    let refused = [Throttled, InternalFailure, InUse, Denied].map(Fate::Refused);
    refused.into_iter().chain(on_the_way()).collect()
}

/// What befalls a request on its way.
fn on_the_way() -> [Fate; 5] {
    [
        Fate::Lost,
        Fate::Unanswered,
        Fate::Broken { served: false },
        Fate::Broken { served: true },
        Fate::Delayed(90_000),
    ]
}

fn reads(call: &Call) -> Vec<Fate> {
    use Refusal::{Denied, Expired, Internal, InternalFailure, Throttled, TooManyRequests, Unavailable};
    let way = [Fate::Lost, Fate::Broken { served: false }, Fate::Unanswered];
    let refused: &[Refusal] = if call.aws {
        &[Throttled, InternalFailure, Denied]
    } else {
        &[TooManyRequests, Internal, Unavailable, Expired, Denied]
    };
    let silent = call.site.starts_with("WATCH").then_some(Fate::Silent);
    refused.iter().copied().map(Fate::Refused).chain(way).chain(silent).collect()
}

/// It ends as without the failure; or the process had not begun anything when it gave up, and says why.
fn ends_well(run: &Run) -> bool {
    let Some(driven) = &run.driven else { return false };
    let migrated = driven.outcome == Some(Outcome::Migrated) && broken(run).is_empty();
    let not_begun = matches!(driven.processes.as_slice(), [How::Failed(why)] if !why.is_empty())
        && driven.writes.is_empty()
        && broken(run).iter().all(|promise| *promise == "finishes");
    migrated || not_begun
}

fn campaign(what: &str, calls: impl Fn(&Undisturbed) -> Vec<(Call, Vec<Fate>)>) {
    let shop = shop();
    let straight = undisturbed(&shop, 0, &[MIGRATE]);
    assert_eq!(outcome(&straight.run), Some(&Outcome::Migrated), "{}", shop.told(0, &straight.run));
    let mut tally = Tally::one_of(37);
    for (call, fates) in calls(&straight) {
        for fate in fates {
            if !tally.takes_next() {
                continue;
            }
            let run = shop.disturbed(0, one(call.number, &fate, &[MIGRATE]));
            let told = || {
                let driven = run.driven.as_ref();
                let driven = driven.map(|driven| (&driven.processes, &driven.outcome, &driven.troubles));
                format!(
                    "request {} ({} at {} ms) {fate:?}: {driven:?}\n{}",
                    call.number,
                    call.site,
                    call.at,
                    shop.told(0, &run)
                )
            };
            tally.note(if ends_well(&run) { Ok(()) } else { Err(told()) });
        }
    }
    tally.judge(what);
}

#[test]
fn every_write_to_kubernetes_fails_once_in_every_way() {
    campaign("writes to Kubernetes", |straight| {
        let writes = straight.writes().filter(|call| !call.aws);
        writes.map(|call| (call.clone(), kubernetes_writes())).collect()
    });
}

#[test]
fn every_write_to_aws_fails_once_in_every_way() {
    campaign("writes to AWS", |straight| {
        let writes = straight.writes().filter(|call| call.aws);
        writes.map(|call| (call.clone(), aws_writes())).collect()
    });
}

#[test]
fn every_kind_of_read_fails_once_in_every_way() {
    campaign("reads", |straight| straight.reads().map(|call| (call.clone(), reads(call))).collect());
}

/// From its first time on a kind of request is denied; after two hours it is allowed again and somebody resumes.
#[test]
fn what_is_denied_for_long_stops_with_a_reason_and_can_be_resumed() {
    let shop = shop();
    let straight = undisturbed(&shop, 0, &[MIGRATE]);
    let mut sites: Vec<&Call> = Vec::new();
    // Events are for whoever looks; nothing depends on them.
    for call in straight.writes().filter(|call| call.site != "POST events") {
        if !sites.iter().any(|other| other.site == call.site) {
            sites.push(call);
        }
    }
    let mut tally = Tally::one_of(3);
    for first in sites {
        if !tally.takes_next() {
            continue;
        }
        let healed_at = first.at + 7_200_000;
        let site = first.site.clone();
        let script = move |call: &Call| {
            let denied = call.site == site && call.at < healed_at;
            if denied { Fate::Refused(Refusal::Denied) } else { Fate::Served }
        };
        let processes = vec![MIGRATE, Begins { at: healed_at + 1_000, does: Does::Resume }];
        let run = shop
            .disturbed(0, Disturbances { script: Box::new(script), processes, ..Disturbances::default() });
        let driven = run.driven.as_ref().expect("it ran");
        // The lock and the journal themselves: nothing can be written that says so, and nothing was begun.
        let reason = match driven.processes.first() {
            Some(How::Finished(Outcome::Stopped(reason)) | How::Failed(reason)) => !reason.is_empty(),
            _ => false,
        };
        let others = broken(&run).into_iter().filter(|promise| *promise != "finishes").count() == 0;
        let well = reason && driven.outcome == Some(Outcome::Migrated) && others;
        tally.note(if well {
            Ok(())
        } else {
            Err(format!("{}: {:?}\n{}", first.site, driven.processes, shop.told(0, &run)))
        });
    }
    tally.judge("kinds of writes denied for two hours");
}

/// EC2 has no instance to give from the beginning on, until so many minutes have passed.
fn without_capacity(minutes: u64) -> Story {
    shop().while_somebody(|_| true, move |world| world.exhaust_capacity(minutes * 60_000))
}

#[test]
fn instances_that_come_late_are_waited_for() {
    let story = without_capacity(10);
    let run = undisturbed(&story, 0, &[MIGRATE]).run;
    assert_eq!(outcome(&run), Some(&Outcome::Migrated), "{}", story.told(0, &run));
    assert!(broken(&run).is_empty(), "{}", story.told(0, &run));
    assert!(run.virtual_ms > 600_000, "{}", story.told(0, &run));
}

#[test]
fn instances_that_never_come_stop_the_migration_which_can_be_turned_round() {
    let story = without_capacity(24 * 60);
    let stopped = undisturbed(&story, 0, &[MIGRATE]);
    let Some(Outcome::Stopped(reason)) = outcome(&stopped.run) else {
        panic!("{}", story.told(0, &stopped.run));
    };
    assert!(reason.contains("green"), "{reason}");
    assert_eq!(broken(&stopped.run), ["finishes"], "{}", story.told(0, &stopped.run));
    let back = Begins { at: stopped.ended_at() + 60_000, does: Does::Rollback };
    let run = undisturbed(&story, 0, &[MIGRATE, back]).run;
    assert_eq!(outcome(&run), Some(&Outcome::RolledBack), "{}", story.told(0, &run));
    assert!(broken(&run).is_empty(), "{}", story.told(0, &run));
}

#[test]
fn a_status_that_changes_slowly_is_waited_for() {
    for slow in ["eks.config_update=180s", "eks.create_to_active=880s", "ec2.launch_to_ready=180s"] {
        let story = shop().where_(slow);
        let run = undisturbed(&story, 0, &[MIGRATE]).run;
        assert_eq!(outcome(&run), Some(&Outcome::Migrated), "{slow}: {}", story.told(0, &run));
        assert!(broken(&run).is_empty(), "{slow}: {}", story.told(0, &run));
    }
}
