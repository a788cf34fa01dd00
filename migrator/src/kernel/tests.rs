use super::{judge, judge_all};
use crate::{
    action::{Action, Change, Kind, Patch, Step, Write},
    decide::{
        decide,
        tests::fake::{Fake, name, request, text},
    },
    marks::{DELETION_COST, EXCLUDE},
    plan::Plan,
    request::Strategy,
    view::{Bounds, ClusterView},
};

/// A migration of one Local Service that has just done what `line` says.
fn after(line: &str) -> (Fake, Plan) {
    let mut fake = Fake::new(2)
        .deployment("shop", "web", 2, 600)
        .budget("shop", "web", "50%")
        .service("shop", "web", true, false);
    let plan = Plan::new("p1", "boot-1", &request(Strategy::SingleMove), &fake.view, fake.now);
    while !fake.log.iter().any(|own| own.contains(line)) {
        assert_eq!(fake.step(&plan), None);
    }
    (fake, plan)
}

#[track_caller]
fn check(plan: &Plan, view: &ClusterView, write: Write, expected: Option<&str>) {
    let refusal = judge(plan, view, &Action { phase: "test", write }).err();
    assert_eq!(refusal.as_ref().map(|refusal| refusal.promise), expected, "{refusal:?}");
}

fn scale(view: &ClusterView, replicas: u32) -> Write {
    let deployment = &view.deployments[&name("shop", "web")];
    Write::Patch(Patch {
        kind: Kind::Deployment,
        object: deployment.meta.name.clone(),
        uid: deployment.meta.uid.clone(),
        resource_version: None,
        changes: vec![Change::Replicas(replicas)],
    })
}

fn exclude(view: &ClusterView, node: &str) -> Write {
    Write::Patch(Patch {
        kind: Kind::Node,
        object: name("", node),
        uid: view.nodes[node].meta.uid.clone(),
        resource_version: None,
        changes: vec![Change::Label(EXCLUDE.to_owned(), Some("true".to_owned()))],
    })
}

fn evict(view: &ClusterView, node: &str) -> Write {
    let on = |pod: &&std::sync::Arc<crate::view::Pod>| {
        pod.node.as_deref() == Some(node) && &*pod.meta.name.namespace == "shop"
    };
    let pod = view.pods.values().find(on).unwrap();
    Write::Evict { pod: pod.meta.name.clone(), uid: pod.meta.uid.clone() }
}

#[test]
fn nothing_is_done_without_the_lock_whatever_the_strategy() {
    let (fake, plan) = after("surge-user");
    for strategy in [Strategy::SingleMove, Strategy::Recipe] {
        let other = Plan { boot_id: "boot-2".into(), strategy, ..plan.clone() };
        check(&other, &fake.view, scale(&fake.view, 4), Some("lock"));
    }
    check(&plan, &ClusterView { lease: None, ..fake.view.clone() }, scale(&fake.view, 4), Some("lock"));
    check(&plan, &fake.view, scale(&fake.view, 5), None);
}

#[test]
fn the_recipes_are_held_to_the_lock_alone() {
    let (fake, plan) = after("surge-user");
    let recipe = Plan { strategy: Strategy::Recipe, ..plan };
    check(&recipe, &fake.view, Write::DeleteNodeGroup { group: text("blue") }, None);
}

#[test]
fn old_nodes_leave_only_when_new_ones_reach_as_many_endpoints() {
    let (fake, plan) = after("surge-user Deployment web replicas 4");
    check(&plan, &fake.view, exclude(&fake.view, "blue-0"), Some("capacity_kept"));
    let (mut fake, plan) = after("admit");
    // 60 s of first health checks, and a poll.
    (0..14).for_each(|_| fake.tick());
    fake.poll();
    check(&plan, &fake.view, exclude(&fake.view, "blue-0"), None);
    check(&plan, &fake.view, exclude(&fake.view, "green-0"), None);
}

#[test]
fn what_each_action_leaves_enough_of_all_together_do_not() {
    let (mut fake, plan) = after("admit");
    (0..14).for_each(|_| fake.tick());
    fake.poll();
    // Four nodes reach an endpoint each, and two must stay: any one may leave, any two, but not three.
    let leave = |nodes: &[&str]| -> Vec<Option<&'static str>> {
        let exclusion = |node: &&str| Action { phase: "test", write: exclude(&fake.view, node) };
        let actions: Vec<Action> = nodes.iter().map(exclusion).collect();
        judge_all(&plan, &fake.view, &actions)
            .into_iter()
            .map(|verdict| verdict.err().map(|it| it.promise))
            .collect()
    };
    assert_eq!(leave(&["green-0"]), [None]);
    assert_eq!(leave(&["blue-0", "blue-1"]), [None, None]);
    assert_eq!(leave(&["blue-0", "blue-1", "green-0"]), [None, None, Some("capacity_kept")]);
}

#[test]
fn a_scale_back_takes_only_certain_pods_from_released_nodes() {
    let (fake, plan) = after("admit");
    check(&plan, &fake.view, scale(&fake.view, 2), Some("no_connection_dropped"));

    // Costs are there, but the targets still are, too.
    let (mut early, plan) = after("admit");
    for node in ["blue-0", "blue-1"] {
        early.cost(node);
    }
    check(&plan, &early.view, scale(&early.view, 2), Some("no_connection_dropped"));

    let (fake, plan) = after("deletion-cost");
    check(&plan, &fake.view, scale(&fake.view, 2), None);
    // One fewer would take a new pod, and nobody knows which.
    check(&plan, &fake.view, scale(&fake.view, 1), Some("no_connection_dropped"));
}

#[test]
fn an_eviction_respects_release_budget_and_floor() {
    let (fake, plan) = after("admit");
    check(&plan, &fake.view, evict(&fake.view, "blue-0"), Some("no_connection_dropped"));
    let (fake, plan) = after("deletion-cost");
    check(&plan, &fake.view, evict(&fake.view, "blue-0"), None);
    check(&plan, &fake.view, evict(&fake.view, "green-0"), Some("no_connection_dropped"));

    // With 50 % of the original two to keep, the last pod stays, although the doubled scale knows nothing of it.
    let mut bare = fake.clone();
    for node in ["green-0", "green-1", "blue-1"] {
        bare.lose_shop_pods(node);
    }
    check(&plan, &bare.view, evict(&bare.view, "blue-0"), Some("budgets_respected"));
}

#[test]
fn only_a_quiet_empty_group_is_deleted_and_only_the_one_that_is_left() {
    let promise = Some("deleted_only_quiet");
    let delete = |group: &str| Write::DeleteNodeGroup { group: text(group) };
    for line in ["surge-user", "release", "scale-back-user Deployment"] {
        let (fake, plan) = after(line);
        check(&plan, &fake.view, delete("blue"), promise);
    }
    // Every step up to the deletion, that of the decision included.
    let (mut fake, plan) = after("commit");
    check(&plan, &fake.view, delete("green"), promise);
    loop {
        let step = decide(&plan, &fake.view, fake.now);
        let deletion = match &step {
            Step::Act(actions) => actions.iter().find(|action| action.phase == "delete"),
            _ => None,
        };
        if let Some(action) = deletion {
            assert_eq!(judge(&plan, &fake.view, action), Ok(()));
            break;
        }
        assert_eq!(fake.step(&plan), None);
    }
    // A pod that comes back, or another clock, and it is refused again.
    let mut inhabited = fake.clone();
    inhabited.lone_pod("guest", None);
    check(&plan, &inhabited.view, delete("blue"), promise);
    fake.hand_over("boot-2");
    check(&Plan { boot_id: "boot-2".into(), ..plan }, &fake.view, delete("blue"), promise);
}

#[test]
fn bounds_that_would_terminate_instances_are_refused() {
    let (fake, plan) = after("surge-user");
    let bounds = |desired| Write::UpdateNodeGroupBounds {
        group: text("blue"),
        bounds: Bounds { min: 1, max: 4, desired },
    };
    check(&plan, &fake.view, bounds(2), None);
    check(&plan, &fake.view, bounds(1), Some("capacity_kept"));
}

#[test]
fn the_cost_that_decides_is_read_as_the_controller_reads_it() {
    let (mut fake, plan) = after("deletion-cost");
    // Somebody gives a new pod the same cost: which of them goes is chance.
    fake.cost("green-0");
    let costs =
        fake.view.pods.values().filter(|pod| pod.meta.annotations.contains_key(DELETION_COST)).count();
    assert_eq!(costs, 3);
    check(&plan, &fake.view, scale(&fake.view, 2), Some("no_connection_dropped"));
}
