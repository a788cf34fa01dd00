use super::{Outlined, outline};
use crate::{
    decide::tests::fake::{Fake, request},
    plan::Plan,
    request::Strategy,
};

fn step(fake: &Fake, name: &str) -> Outlined {
    let plan = Plan::new("p1", "boot-1", &request(Strategy::SingleMove), &fake.view, fake.now);
    let mut steps = outline(&plan, &fake.view);
    steps.retain(|one| one.step.name == name);
    steps.remove(0)
}

/// Three pods of a set with 3,600 s of grace, one of a set with 30 s: 4 pods, each with up to 3,600 s to end and 900 s to be
/// replaced.
#[test]
fn what_is_evicted_takes_as_long_as_its_pods_and_their_grace_period() {
    let fake = Fake::new(3)
        .deployment("shop", "web", 2, 60)
        .stateful_set("shop", "db", 3, 3_600)
        .stateful_set("shop", "cache", 1, 30);
    let moved = step(&fake, "move-rest");
    assert_eq!(moved.lasts_s, (4 * 30, 4 * 4_500));
    let told: Vec<String> =
        moved.changes.iter().map(|one| format!("{}: {}", one.object, one.before)).collect();
    assert_eq!(told, ["StatefulSet shop/cache: 1 pods on blue", "StatefulSet shop/db: 3 pods on blue"]);
    // The Deployments' own, whatever the sets have.
    assert_eq!(step(&fake, "scale-back").lasts_s, (10, 60 + 60));
    let none = step(&Fake::new(2).deployment("shop", "web", 2, 60), "move-rest");
    assert_eq!((none.lasts_s, none.changes), ((0, 0), Vec::new()));
}
