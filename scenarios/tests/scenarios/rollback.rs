//! Going back: a migration that is turned round at any moment ends where it began, or is past turning and ends as planned.

use std::collections::BTreeSet;

use crate::{
    cluster::{cluster, cluster_autoscaler, deployment, service, stateful_set},
    story::{Load, Story, load, story},
};
use migrator::action::Outcome;
use scenarios::{promises::nothing_left_behind, scenario::Verdict};

fn shop() -> Story {
    story("turned round")
        .given(
            cluster()
                .nodes("blue", "aabb")
                .with(cluster_autoscaler())
                .with(deployment("web").replicas(4).grace_period(120))
                .with(service("web").local())
                .with(stateful_set("store").replicas(2).grace_period(60)),
        )
        .under(load("web", 300).sessions(1, 110))
}

#[test]
fn a_migration_that_is_turned_round_at_any_moment_ends_where_it_began() {
    let straight = shop().seed(0);
    let length =
        straight.driven.as_ref().map(|driven| driven.ended_at / 1_000).expect("nothing is in its way");
    let mut seen = BTreeSet::new();
    // Every seventh second, with another seed each.
    for after in (0..=length).step_by(7) {
        let story = shop().turned_round_after(after);
        let run = story.seed(after);
        let told = || format!("after {after} s: {}", story.told(after, &run));
        assert!(matches!(run.verdict, Verdict::Held | Verdict::Inconclusive), "{}", told());
        let driven = run.driven.as_ref().expect("it ran");
        let outcome = driven.outcome.clone().unwrap_or_else(|| panic!("{}", told()));
        assert!(matches!(outcome, Outcome::RolledBack | Outcome::Migrated), "{}", told());
        if outcome == Outcome::RolledBack {
            assert!(
                run.world.find_group("blue").is_some() && run.world.find_group("green").is_none(),
                "{}",
                told()
            );
        }
        let at = driven
            .stretches
            .iter()
            .rev()
            .find(|stretch| stretch.from_at <= after * 1_000 && stretch.phase != "lock");
        seen.extend(at.map(|stretch| (stretch.phase, outcome == Outcome::RolledBack)));
    }
    let turned: Vec<&str> = seen.iter().filter(|(_, turned)| *turned).map(|(phase, _)| *phase).collect();
    for step in ["freeze", "new-group", "gate", "release", "scale-back-user", "move-rest", "quiet"] {
        assert!(turned.contains(&step), "never turned round in {step}: {seen:?}");
    }
}

#[test]
fn what_was_created_and_what_was_deleted_is_seen_after_a_rollback() {
    // A cluster that has moved, judged as if it had come back: blue is gone, green and its launch template are there.
    let run = shop().seed(0);
    let plan = run.plan.as_ref().expect("it was planned");
    let judged = |outcome| nothing_left_behind(&run.world, &run.world, plan, Some(&outcome));
    assert!(judged(Outcome::Migrated).held);
    let rolled_back = judged(Outcome::RolledBack);
    assert!(!rolled_back.held);
    assert_eq!(rolled_back.detail, "node group blue is gone, and 2 more differences");
}
