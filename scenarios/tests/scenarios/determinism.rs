//! The same cluster, parameters and seed give the same events, however a run is carried out.

use loadgen::chance::Seed;
use migrator::plan::Plan;
use scenarios::{
    drive::{drive, holder},
    observe::Observer,
};
use simulator::{parameters::Parameters, world::World};

use crate::{
    cluster::{cluster, deployment, service},
    configuration::online_boutique,
    story::{Load, Story, load, story},
};

fn shop() -> crate::cluster::Cluster {
    cluster()
        .nodes("blue", "abc")
        .with(deployment("web").replicas(3).grace_period(600))
        .with(deployment("profile").replicas(2).grace_period(900))
        .with(service("web"))
        .with(service("profile").local())
}

fn tale() -> Story {
    story("a shop")
        .given(shop())
        .under(load("profile", 200).sessions(10, 895))
        .under(load("web", 200).sessions(5, 300))
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let (first, second) = (tale().seed(3), tale().seed(3));
    assert_eq!(first.world.digest(), second.world.digest());
    assert_eq!(first.world.events(), second.world.events());
    assert_eq!(first.recorder.counts, second.recorder.counts);
    let export = online_boutique();
    let boutique = || story("online boutique").given_export(&export, 500).drawn().seed(5).world.digest();
    assert_eq!(boutique(), boutique());
}

#[test]
fn different_seeds_give_different_runs() {
    let mut digests: Vec<u128> = (0..8).map(|seed| tale().seed(seed).world.digest()).collect();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), 8);
}

#[test]
fn a_fork_goes_on_as_the_run_it_was_taken_from() {
    // Forked after ten minutes, in the middle of a migration: both halves, and the run without a fork, end alike.
    const NEVER: u64 = 6 * 3_600_000;
    let begun = |until: u64| -> (World, Observer, Plan) {
        let mut world = shop().world(Parameters::default()).reseeded(Seed(7));
        let mut observer = Observer::new(&mut world);
        let request = tale().request().clone();
        let plan = Plan::new("forked", &holder(), &request, &observer.view, world.wall(0));
        let _cut_short = drive(&mut world, &mut observer, &plan, until, &mut [], |_| ());
        (world, observer, plan)
    };
    let (mut world, mut observer, plan) = begun(600_000);
    let (mut fork, mut fork_observer) = (world.clone(), observer.clone());
    assert_eq!(world.digest(), fork.digest());
    let outcome = drive(&mut world, &mut observer, &plan, NEVER, &mut [], |_| ()).outcome;
    assert_eq!(outcome, Some(migrator::action::Outcome::Migrated));
    drive(&mut fork, &mut fork_observer, &plan, NEVER, &mut [], |_| ());
    assert_eq!(world.digest(), fork.digest());
    let (whole, ..) = begun(NEVER);
    assert_eq!(world.digest(), whole.digest());
}
