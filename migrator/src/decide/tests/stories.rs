use super::fake::{Fake, name, request, text};
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

/// Every distinct decision of a migration, as a copy of the cluster just after it.
fn moments(cluster: &Fake, plan: &Plan) -> Vec<(String, Fake)> {
    let mut fake = cluster.clone();
    let mut moments: Vec<(String, Fake)> = Vec::new();
    while fake.step(plan).is_none() {
        let last = format!("after {}: {}", fake.log.len(), fake.log.last().unwrap());
        if !last.contains("hold lease") && moments.last().is_none_or(|(title, _)| *title != last) {
            moments.push((last, fake.clone()));
        }
    }
    moments
}

#[test]
fn a_lost_pod_or_node_at_any_decision_is_made_up_for() {
    for (title, cluster) in clusters() {
        let before = lasting(&cluster.view);
        let plan = planned(&cluster, Strategy::SingleMove);
        // A third of them: enough to meet every step in some cluster, few enough for a test.
        for (moment, fake) in moments(&cluster, &plan).into_iter().step_by(3) {
            let pods: Vec<_> =
                fake.view.pods.keys().filter(|pod| &*pod.namespace == "shop").cloned().collect();
            let nodes: Vec<_> = fake.view.nodes.keys().cloned().collect();
            for at in 0..pods.len() + nodes.len() {
                let mut branch = fake.clone();
                branch.resets.clear();
                let lost = if at < pods.len() {
                    branch.lose_pod(&pods[at]);
                    pods[at].name.clone()
                } else {
                    branch.fail_node(&nodes[at - pods.len()]);
                    nodes[at - pods.len()].clone()
                };
                let title = format!("{title}, {moment}, without {lost}");
                assert_eq!(run(&mut branch, &plan), Outcome::Migrated, "{title}\n{}", tail(&branch));
                assert_migrated(&title, &branch, &before);
                assert_eq!(branch.resets, Vec::<String>::new(), "{title}\n{}", tail(&branch));
            }
        }
    }
}

/// A cluster with one Local Service, just before old pods are let go.
fn local() -> Fake {
    clusters().swap_remove(0).1
}

fn until(fake: &mut Fake, plan: &Plan, line: &str) {
    while !fake.log.iter().any(|own| own.contains(line)) {
        assert!(fake.step(plan).is_none(), "{line} does not happen\n{}", tail(fake));
    }
}

#[test]
fn a_scale_that_somebody_else_changes_is_theirs() {
    for (step, replicas) in [("surge-user", 5), ("exclude-old", 5), ("scale-back-user", 3)] {
        let mut fake = local();
        let plan = planned(&fake, Strategy::SingleMove);
        until(&mut fake, &plan, step);
        for _ in 0..10 {
            fake.tick();
        }
        fake.scale("web", replicas);
        let title = format!("{replicas} after {step}");
        assert_eq!(run(&mut fake, &plan), Outcome::Migrated, "{title}\n{}", tail(&fake));
        let deployment = &fake.view.deployments[&name("shop", "web")];
        assert_eq!(deployment.replicas, replicas, "{title}: their value stands\n{}", tail(&fake));
        assert!(!deployment.meta.annotations.contains_key(ANNOTATION), "{title}");
        let journal = Journal::read(fake.view.journal.as_ref().unwrap()).unwrap();
        assert!(journal.notes.contains("replicas of Deployment shop/web"), "{title}: {:?}", journal.notes);
    }
}

#[test]
fn a_scale_that_leaves_a_zone_bare_stops_the_migration_instead_of_being_overwritten() {
    let mut fake = local();
    let plan = planned(&fake, Strategy::SingleMove);
    until(&mut fake, &plan, "admit");
    // The youngest go first: a new pod, and with it the only one of its zone.
    fake.scale("web", 3);
    let Outcome::Stopped(reason) = run(&mut fake, &plan) else { panic!("{}", tail(&fake)) };
    assert!(reason.contains("a new target of shop/web in zone"), "{reason}");
    assert_eq!(fake.view.deployments[&name("shop", "web")].replicas, 3);
}

#[test]
fn bounds_of_an_autoscaler_that_somebody_else_changes_are_theirs() {
    let mut fake = clusters().swap_remove(4).1;
    let plan = planned(&fake, Strategy::SingleMove);
    until(&mut fake, &plan, "admit");
    fake.rescale("web", 4, 9);
    assert_eq!(run(&mut fake, &plan), Outcome::Migrated, "{}", tail(&fake));
    let autoscaler = &fake.view.horizontal_pod_autoscalers[&name("shop", "web")];
    assert_eq!((autoscaler.min, autoscaler.max), (4, 9));
    assert!(!autoscaler.meta.annotations.contains_key(ANNOTATION));
}

#[test]
fn a_paused_migration_keeps_the_lock_and_goes_on_when_resumed() {
    let mut fake = local();
    let before = lasting(&fake.view);
    let plan = planned(&fake, Strategy::SingleMove);
    until(&mut fake, &plan, "surge-user");
    ask(&mut fake, Event::Paused);
    let writes = |fake: &Fake| fake.log.iter().filter(|line| !line.starts_with("lock")).count();
    let before_pause = writes(&fake);
    for _ in 0..500 {
        assert_eq!(fake.step(&plan), None);
    }
    assert_eq!(writes(&fake), before_pause, "nothing but the lock is written");
    ask(&mut fake, Event::Resumed);
    assert_eq!(run(&mut fake, &plan), Outcome::Migrated);
    assert_migrated("paused", &fake, &before);
}

#[test]
fn a_pod_that_finds_no_node_stops_the_migration_with_the_reason_and_a_rollback_cleans_up() {
    let mut fake = local();
    let before = lasting(&fake.view);
    let plan = planned(&fake, Strategy::SingleMove);
    fake.full = Some(text("0/4 nodes are available: 2 Insufficient cpu"));
    let outcome = run(&mut fake, &plan);
    let Outcome::Stopped(reason) = outcome else { panic!("{outcome:?}") };
    assert!(reason.contains("Insufficient cpu") && reason.starts_with("surge"), "{reason}");
    assert!(fake.view.lease.as_ref().unwrap().holder.is_empty(), "the lock is free for whoever resumes");
    assert_eq!(run(&mut fake, &plan), Outcome::Stopped(reason), "running again changes nothing");

    ask(&mut fake, Event::RollbackRequested);
    assert_eq!(run(&mut fake, &plan), Outcome::RolledBack, "{}", tail(&fake));
    assert_rolled_back("full", &fake, &before);
}

#[test]
fn a_group_that_cannot_be_created_stops_the_migration() {
    let mut fake = local();
    let plan = planned(&fake, Strategy::SingleMove);
    until(&mut fake, &plan, "create group green");
    fake.fail_group("green", "NodeCreationFailure");
    let Outcome::Stopped(reason) = run(&mut fake, &plan) else { panic!("{}", tail(&fake)) };
    assert_eq!(reason, "node group green is CreateFailed: NodeCreationFailure");
}

#[test]
fn an_old_group_that_is_kept_stays_empty_and_closed() {
    let mut fake = local();
    let plan = Plan { keep_group: true, ..planned(&fake, Strategy::SingleMove) };
    assert_eq!(run(&mut fake, &plan), Outcome::Migrated);
    let blue = &fake.aws.node_groups["blue"];
    assert_eq!(
        (blue.bounds.min, blue.bounds.max, blue.taints.len()),
        (1, 4, 1),
        "free to shrink, closed to pods"
    );
    for node in fake.view.nodes.values() {
        let left = node.node_group.as_deref() == Some("blue");
        assert_eq!(node.meta.labels.contains_key(EXCLUDE), left);
        assert_eq!(!node.taints.is_empty(), left);
    }
}

#[test]
fn a_group_that_is_adopted_is_neither_created_nor_deleted() {
    let asked = Request { adopt: true, ..request(Strategy::SingleMove) };
    let adopting = || {
        let mut fake = local();
        fake.found_group("green", 2);
        for _ in 0..20 {
            fake.tick();
        }
        fake.poll();
        fake
    };
    let mut fake = adopting();
    let plan = Plan::new("p1", "boot-1", &asked, &fake.view, fake.now);
    assert_eq!(run(&mut fake, &plan), Outcome::Migrated, "{}", tail(&fake));
    assert!(!fake.log.iter().any(|line| line.contains("create")));

    let mut fake = adopting();
    until(&mut fake, &plan, "exclude-old");
    ask(&mut fake, Event::RollbackRequested);
    assert_eq!(run(&mut fake, &plan), Outcome::RolledBack, "{}", tail(&fake));
    let green = &fake.aws.node_groups["green"];
    assert_eq!((green.bounds.min, green.bounds.max, green.taints.len()), (1, 4, 0));
    assert_clean("adopted", &fake.view);
}

#[test]
fn let_go_before_holds_pods_until_the_contract_has_ended() {
    let mut asked = request(Strategy::SingleMove);
    asked.settings.let_go = LetGo::Before;
    let mut fake = local();
    let plan = Plan::new("p1", "boot-1", &asked, &fake.view, fake.now);
    until(&mut fake, &plan, "release journal");
    let released = fake.now;
    until(&mut fake, &plan, "scale-back-user Deployment web");
    // Released when the targets have been gone for 300 s; the contract is the grace period of 600 s less 5 s.
    assert!(fake.now.duration_since(released).as_secs() >= 300 + 595, "{}", tail(&fake));
}

#[test]
fn pods_of_jobs_get_time_to_finish_and_bare_pods_are_evicted() {
    let mut fake = Fake::new(2).deployment("shop", "web", 1, 30);
    fake.lone_pod("bare", None);
    fake.lone_pod("batch-1", Some("batch"));
    let plan = planned(&fake, Strategy::SingleMove);
    let start = fake.now;
    until(&mut fake, &plan, "evict bare");
    until(&mut fake, &plan, "evict batch-1");
    assert!(fake.now.duration_since(start).as_secs() > 1800, "the Job had its patience");
    assert_eq!(run(&mut fake, &plan), Outcome::Migrated, "{}", tail(&fake));
}

#[test]
fn a_lock_that_somebody_else_holds_is_waited_for_and_one_that_is_lost_is_not_used() {
    let mut fake = local();
    let plan = planned(&fake, Strategy::SingleMove);
    until(&mut fake, &plan, "surge-user");
    let other = Plan { boot_id: "boot-2".into(), ..plan.clone() };
    let Step::Wait(wait) = decide(&other, &fake.view, fake.now) else { panic!("acts without the lock") };
    assert_eq!(wait.for_what.phase, "lock");
    fake.now = wait.until.unwrap();
    assert_eq!(fake.step(&other), None, "takes over a silent lock");
    let Step::Wait(wait) = decide(&plan, &fake.view, fake.now) else { panic!("acts without the lock") };
    assert_eq!(wait.for_what.what, "the silence of boot-2, who holds the lock");
}

#[test]
fn a_migration_that_has_not_ended_keeps_another_from_beginning() {
    let mut fake = local();
    let plan = planned(&fake, Strategy::SingleMove);
    until(&mut fake, &plan, "surge-user");
    let other = Plan::new("p2", "boot-2", &request(Strategy::SingleMove), &fake.view, fake.now);
    let step = decide(&other, &fake.view, fake.now);
    let text = "migration p1 is running and must end first".to_owned();
    assert_eq!(step, Step::Finished(Outcome::Stopped(text)));
    assert_eq!(run(&mut fake, &plan), Outcome::Migrated);
    assert!(matches!(decide(&other, &fake.view, fake.now), Step::Act(_)), "a tombstone keeps nobody");
    assert_eq!(decide(&plan, &fake.view, fake.now), Step::Finished(Outcome::Migrated), "a plan id runs once");
}

#[test]
fn statefulsets_that_share_a_node_move_one_pod_at_a_time() {
    let mut fake = Fake::new(2)
        .stateful_set("shop", "db", 4, 60)
        .budget("shop", "db", "1")
        .service("shop", "db", true, false);
    let plan = planned(&fake, Strategy::SingleMove);
    assert_eq!(plan.services[0].floor, 3);
    assert_eq!(run(&mut fake, &plan), Outcome::Migrated, "{}", tail(&fake));
    assert_eq!(fake.resets, Vec::<String>::new());
}

#[test]
fn a_pod_too_many_that_serves_alone_on_its_node_goes_only_after_the_node_is_released() {
    let mut fake = local();
    let before = lasting(&fake.view);
    let asked = Request { desired: Some(3), ..request(Strategy::SingleMove) };
    let plan = Plan::new("p1", "boot-1", &asked, &fake.view, fake.now);
    until(&mut fake, &plan, "admit");
    // Its replacement goes to the third node: three new pods where two are wanted, each alone on a target.
    let old = fake
        .view
        .pods
        .values()
        .find(|pod| pod.node.as_deref() == Some("blue-0") && &*pod.meta.name.namespace == "shop");
    let old = old.unwrap().meta.name.clone();
    fake.lose_pod(&old);
    // Long enough for it to serve; before that it would simply be taken back.
    (0..20).for_each(|_| fake.tick());
    assert_eq!(run(&mut fake, &plan), Outcome::Migrated, "{}", tail(&fake));
    assert!(fake.log.iter().any(|line| line.starts_with("exclude-old Node green-")), "{}", tail(&fake));
    assert_eq!(fake.resets, Vec::<String>::new());
    assert_migrated("shed", &fake, &before);
}
