use super::fake::{Fake, request};
use crate::{
    action::{Outcome, Step},
    plan::Plan,
    request::Strategy,
};

/// Runs to the end, or fails with what happened last.
#[track_caller]
pub(super) fn run(fake: &mut Fake, plan: &Plan) -> Outcome {
    for _ in 0..20_000 {
        if let Some(Step::Finished(outcome)) = fake.step(plan) {
            return outcome;
        }
    }
    let step = super::super::decide(plan, &fake.view, fake.now);
    panic!("no end after {} writes; next: {step:?}\n{}", fake.log.len(), tail(fake));
}

fn tail(fake: &Fake) -> String {
    fake.log.iter().rev().take(30).rev().map(|line| format!("{line}\n")).collect()
}

fn simple() -> Fake {
    Fake::new(2)
        .deployment("kube-system", "coredns", 2, 30)
        .deployment("shop", "web", 2, 600)
        .service("shop", "web", true, false)
}

#[test]
fn a_simple_deployment_moves() {
    let mut fake = simple();
    let plan = Plan::new("p1", "boot-1", &request(Strategy::SingleMove), &fake.view, fake.now);
    let start = fake.now;
    let outcome = run(&mut fake, &plan);
    let log: Vec<_> = fake.log.iter().filter(|line| !line.starts_with("lock hold")).cloned().collect();
    println!("{}\n{} s", log.join("\n"), fake.now.duration_since(start).as_secs());
    assert_eq!(outcome, Outcome::Migrated);
}
