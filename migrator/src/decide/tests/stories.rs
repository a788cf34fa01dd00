use super::fake::{Fake, name, request};
use crate::{
    action::{Outcome, Step},
    decide::decide,
    journal::{Course, Event, Journal, Status, wish},
    marks::{ANNOTATION, EXCLUDE},
    plan::Plan,
    request::{LetGo, Request, Strategy},
    view::ClusterView,
};

const ALL: [Strategy; 3] = [Strategy::SingleMove, Strategy::Recipe, Strategy::RecipeDescaleFirst];

/// Clusters that differ in what makes a step different.
fn clusters() -> Vec<(&'static str, Fake)> {
    vec![
        (
            "local",
            Fake::new(2)
                .deployment("kube-system", "coredns", 2, 30)
                .deployment("shop", "web", 2, 600)
                .service("shop", "web", true, false),
        ),
        ("cluster", Fake::new(3).deployment("shop", "web", 1, 600).service("shop", "web", false, false)),
        ("ip", Fake::new(2).deployment("shop", "web", 2, 900).service("shop", "web", false, true)),
        ("no load balancer", Fake::new(2).deployment("shop", "web", 3, 30)),
        (
            "autoscaled",
            Fake::new(3)
                .deployment("shop", "web", 3, 400)
                .autoscaler("shop", "web", 2, 6)
                .budget("shop", "web", "50%")
                .service("shop", "web", true, false),
        ),
        (
            "stateful",
            Fake::new(3)
                .deployment("shop", "web", 2, 400)
                .service("shop", "web", false, false)
                .stateful_set("shop", "db", 3, 60)
                .budget("shop", "db", "1")
                .service("shop", "db", true, false)
                .stateful_set("shop", "queue", 2, 30),
        ),
    ]
}

fn planned(fake: &Fake, strategy: Strategy) -> Plan {
    Plan::new("p1", "boot-1", &request(strategy), &fake.view, fake.now)
}

/// Runs to the end, or fails with what happened last.
#[track_caller]
fn run(fake: &mut Fake, plan: &Plan) -> Outcome {
    for _ in 0..20_000 {
        if let Some(Step::Finished(outcome)) = fake.step(plan) {
            return outcome;
        }
    }
    let step = decide(plan, &fake.view, fake.now);
    panic!("no end after {} writes; next: {step:?}\n{}", fake.log.len(), tail(fake));
}

fn tail(fake: &Fake) -> String {
    fake.log
        .iter()
        .filter(|line| !line.starts_with("lock hold"))
        .rev()
        .take(40)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .map(|line| format!("{line}\n"))
        .collect()
}

/// What a migration may not leave changed, as text.
fn lasting(view: &ClusterView) -> String {
    let mut text = String::new();
    for d in view.deployments.values() {
        text += &format!("{} {} {:?}\n", d.meta.name.name, d.replicas, d.meta.annotations);
    }
    for h in view.horizontal_pod_autoscalers.values() {
        text += &format!("{} {}..{} {:?}\n", h.meta.name.name, h.min, h.max, h.meta.annotations);
    }
    for set in view.replica_sets.values() {
        text += &format!("{} {} {:?}\n", set.meta.name.name, set.replicas, set.meta.annotations);
    }
    text
}

/// Everything is on green, and nothing else differs.
#[track_caller]
fn assert_migrated(title: &str, fake: &Fake, before: &str) {
    let view = &fake.view;
    assert_eq!(lasting(view), before, "{title}");
    assert!(!fake.aws.node_groups.contains_key("blue"), "{title}");
    let green = &fake.aws.node_groups["green"];
    assert_eq!((green.bounds.min, green.taints.len()), (1, 0), "{title}");
    assert!(fake.aws.auto_scaling_groups["asg-green"].suspended.is_empty(), "{title}");
    assert_clean(title, view);
}

/// Everything is as it was.
#[track_caller]
fn assert_rolled_back(title: &str, fake: &Fake, before: &str) {
    let view = &fake.view;
    assert_eq!(lasting(view), before, "{title}");
    assert!(!fake.aws.node_groups.contains_key("green"), "{title}");
    assert!(fake.aws.launch_templates.is_empty(), "{title}");
    let blue = &fake.aws.node_groups["blue"];
    assert_eq!((blue.bounds.min, blue.taints.len()), (1, 0), "{title}");
    assert!(fake.aws.auto_scaling_groups["asg-blue"].suspended.is_empty(), "{title}");
    assert_clean(title, view);
}

#[track_caller]
fn assert_clean(title: &str, view: &ClusterView) {
    for node in view.nodes.values() {
        let meta = &node.meta;
        assert!(!meta.annotations.contains_key(ANNOTATION), "{title}: {}", meta.name.name);
        assert!(!meta.labels.contains_key(EXCLUDE), "{title}: {}", meta.name.name);
        assert!(node.taints.is_empty() && !node.unschedulable, "{title}: {}", meta.name.name);
    }
    assert!(view.pods.values().all(|pod| !pod.meta.annotations.contains_key(ANNOTATION)), "{title}");
    assert!(view.lease.as_ref().unwrap().holder.is_empty(), "{title}");
}

#[track_caller]
fn ask(fake: &mut Fake, event: Event) {
    let object = fake.view.journal.clone().unwrap();
    let write = wish(&object, event).unwrap();
    assert!(fake.apply(&crate::action::Action { phase: "wish", write }));
}

fn can_go_back(fake: &Fake) -> bool {
    let Some(object) = &fake.view.journal else { return false };
    let journal = Journal::read(object).unwrap();
    journal.status == Status::Running { course: Course::Forward } && !journal.done.contains(Journal::MOVED)
}

#[test]
fn every_strategy_moves_every_cluster_and_leaves_nothing_behind() {
    for (title, cluster) in clusters() {
        for strategy in ALL {
            let title = format!("{title}, {strategy:?}");
            let mut fake = cluster.clone();
            let before = lasting(&fake.view);
            let plan = planned(&fake, strategy);
            assert_eq!(run(&mut fake, &plan), Outcome::Migrated, "{title}\n{}", tail(&fake));
            assert_migrated(&title, &fake, &before);
            if strategy == Strategy::SingleMove {
                let elsewhere: Vec<_> =
                    fake.ended.iter().filter(|(_, node)| !node.starts_with("blue")).collect();
                assert!(elsewhere.is_empty(), "{title}: {elsewhere:?}");
                assert_eq!(fake.resets, Vec::<String>::new(), "{title}");
                assert!(!fake.log.iter().any(|line| line.starts_with("refused")), "{title}\n{}", tail(&fake));
            }
        }
    }
}

#[test]
fn a_crash_at_any_decision_is_followed_by_running_again() {
    for (title, cluster) in clusters() {
        for strategy in ALL {
            let before = lasting(&cluster.view);
            let mut fake = cluster.clone();
            let mut plan = planned(&fake, strategy);
            let mut last = String::new();
            // At every decision that is not like the one before it, the process dies on one branch.
            while fake.step(&plan).is_none() {
                let phase = format!("{:?}", fake.log.last());
                if phase == last {
                    continue;
                }
                last = phase;
                let mut branch = fake.clone();
                let other =
                    Plan::new("p1", "boot-2", &request(Strategy::SingleMove), &branch.view, branch.now);
                let title = format!("{title}, {strategy:?}, after {last}");
                assert_eq!(run(&mut branch, &other), Outcome::Migrated, "{title}\n{}", tail(&branch));
                assert_migrated(&title, &branch, &before);
            }
            plan.boot_id = "boot-3".into();
            assert_eq!(run(&mut fake, &plan), Outcome::Migrated, "the end is found again");
        }
    }
}

#[test]
fn any_part_of_a_step_may_have_happened() {
    for (title, cluster) in clusters() {
        for strategy in ALL {
            for seed in 1..6 {
                let mut fake = cluster.clone();
                fake.unreliable = seed;
                let before = lasting(&fake.view);
                let plan = planned(&fake, strategy);
                let title = format!("{title}, {strategy:?}, {seed}");
                assert_eq!(run(&mut fake, &plan), Outcome::Migrated, "{title}\n{}", tail(&fake));
                assert_migrated(&title, &fake, &before);
                if strategy == Strategy::SingleMove {
                    assert_eq!(fake.resets, Vec::<String>::new(), "{title}");
                }
            }
        }
    }
}

#[test]
fn a_rollback_from_any_decision_leaves_everything_as_it_was() {
    for (title, cluster) in clusters() {
        for strategy in ALL {
            let before = lasting(&cluster.view);
            let mut fake = cluster.clone();
            let plan = planned(&fake, strategy);
            let mut last = String::new();
            while fake.step(&plan).is_none() {
                let phase = format!("{:?}", fake.log.last());
                if phase == last || !can_go_back(&fake) {
                    continue;
                }
                last = phase;
                let mut branch = fake.clone();
                branch.ended.clear();
                branch.resets.clear();
                ask(&mut branch, Event::RollbackRequested);
                let title = format!("{title}, {strategy:?}, after {last}");
                assert_eq!(run(&mut branch, &plan), Outcome::RolledBack, "{title}\n{}", tail(&branch));
                assert_rolled_back(&title, &branch, &before);
                if strategy == Strategy::SingleMove {
                    assert_eq!(branch.resets, Vec::<String>::new(), "{title}");
                }
            }
        }
    }
}
