//! Two processes at once: the lock lets one of them write, and a plan runs once.

use migrator::action::Outcome;
use scenarios::{
    drive::How,
    wire::{Begins, Does, Fate, When},
};

use super::campaign::{MIGRATE, Tally, broken, one, outcome, undisturbed};
use crate::{
    cluster::{cluster, cluster_autoscaler, deployment, service},
    story::{Load, Story, load, story},
};

fn shop() -> Story {
    story("two at once")
        .given(
            cluster()
                .nodes("blue", "ab")
                .with(cluster_autoscaler())
                .with(deployment("web").replicas(2).grace_period(60))
                .with(service("web").local()),
        )
        .under(load("web", 60).sessions(1, 50))
}

#[test]
fn two_migrators_of_one_plan_migrate_once() {
    for apart in [0, 1, 20, 1_000, 60_000] {
        let shop = shop();
        let both = [MIGRATE, Begins { at: apart, does: Does::Migrate }];
        let run = undisturbed(&shop, 0, &both).run;
        let driven = run.driven.as_ref().expect("it ran");
        let told = || format!("{apart} ms apart: {:?}\n{}", driven.processes, shop.told(0, &run));
        assert_eq!(outcome(&run), Some(&Outcome::Migrated), "{}", told());
        assert!(broken(&run).is_empty(), "{}", told());
        assert_eq!(driven.processes.len(), 2, "{}", told());
    }
}

#[test]
fn the_second_of_two_plans_leaves() {
    for apart in [0, 1, 20, 1_000, 60_000] {
        let shop = shop();
        let both = [MIGRATE, Begins { at: apart, does: Does::MigrateOtherwise }];
        let run = undisturbed(&shop, 0, &both).run;
        let driven = run.driven.as_ref().expect("it ran");
        let told = || format!("{apart} ms apart: {:?}\n{}", driven.processes, shop.told(0, &run));
        assert!(broken(&run).is_empty(), "{}", told());
        let migrated =
            driven.processes.iter().filter(|how| **how == How::Finished(Outcome::Migrated)).count();
        assert_eq!(migrated, 1, "{}", told());
        assert_eq!(driven.processes.len(), 2, "{}", told());
    }
}

#[test]
fn whoever_lost_the_lock_writes_nothing_more() {
    // It stands still before its request until another one has the lock, and then sends it.
    let shop = shop();
    let straight = undisturbed(&shop, 0, &[MIGRATE]);
    let mut tally = Tally::one_of(29);
    for call in straight.writes() {
        if !tally.takes_next() {
            continue;
        }
        let stands = Fate::Stands(When::Before, 300_000);
        let run = shop.disturbed(0, one(call.number, &stands, &[MIGRATE]));
        let well = outcome(&run) == Some(&Outcome::Migrated) && broken(&run).is_empty();
        tally.note(if well { Ok(()) } else { Err(format!("{}: {}", call.site, shop.told(0, &run))) });
    }
    tally.judge("a write that is sent when the lock is another's");
}

#[test]
fn an_ended_plan_does_not_run_again() {
    let shop = shop();
    let straight = undisturbed(&shop, 0, &[MIGRATE]);
    let later = Begins { at: straight.ended_at() + 60_000, does: Does::Migrate };
    let again = undisturbed(&shop, 0, &[MIGRATE, later]);
    let late: Vec<_> = again.writes().filter(|call| call.process == 1).map(|call| &call.site).collect();
    assert!(late.is_empty(), "{late:?}");
    assert!(broken(&again.run).is_empty(), "{}", shop.told(0, &again.run));
}
