use super::*;

fn deployment(replicas: i32, surge: &str, unavailable: &str) -> Deployment {
    let read = |text| IntOrPercent::parse(text).unwrap();
    Deployment {
        replicas,
        strategy: Strategy::RollingUpdate { max_surge: read(surge), max_unavailable: read(unavailable) },
        paused: false,
        status_replicas: replicas,
    }
}

/// A ReplicaSet whose pods are all available.
fn set(name: &str, created_at: Millis, replicas: i32) -> ReplicaSet<'_> {
    ReplicaSet {
        name,
        created_at,
        replicas,
        status_replicas: replicas,
        ready_replicas: replicas,
        available_replicas: replicas,
        desired_replicas_annotation: None,
        max_replicas_annotation: None,
    }
}

fn old(index: usize, replicas: i32) -> Resize {
    Resize { replica_set: Which::Old(index), replicas }
}

fn new(replicas: i32) -> Resize {
    Resize { replica_set: Which::New, replicas }
}

#[test]
fn both_limits_at_zero_let_one_pod_be_unavailable() {
    let resolve = |surge, unavailable, replicas| {
        let Strategy::RollingUpdate { max_surge, max_unavailable } =
            deployment(replicas, surge, unavailable).strategy
        else {
            unreachable!("built as a rolling update")
        };
        let fenceposts = resolve_fenceposts(max_surge, max_unavailable, replicas);
        (fenceposts.max_surge, fenceposts.max_unavailable)
    };
    assert_eq!(resolve("0", "0", 10), (0, 1));
    assert_eq!(resolve("0%", "25%", 3), (0, 1)); // 0.75 rounds down to 0
    assert_eq!(resolve("25%", "25%", 10), (3, 2));
}

#[test]
fn a_single_active_replica_set_takes_the_whole_change() {
    assert_eq!(scale(&deployment(6, "25%", "25%"), Some(&set("a", 0, 3)), &[]), [new(6)]);
    assert_eq!(scale(&deployment(6, "25%", "25%"), Some(&set("b", 1, 0)), &[set("a", 0, 3)]), [old(0, 6)]);
    assert_eq!(scale(&deployment(3, "25%", "25%"), Some(&set("a", 0, 3)), &[]), []);
    // None is active: the new one, or else the newest.
    assert_eq!(scale(&deployment(2, "0", "1"), None, &[set("a", 0, 0), set("b", 5, 0)]), [old(1, 2)]);
    assert_eq!(scale(&deployment(2, "0", "1"), None, &[]), []);
}

#[test]
fn several_active_replica_sets_share_a_change_in_proportion() {
    // 10 wanted become 20, surge 3 → 5. Limit 13 before, 25 now: 5 → 9.6 → 10, 8 → 15.4 → 15; nothing is left over.
    let shared = |set| ReplicaSet { max_replicas_annotation: Some(13), ..set };
    let (current, before) = (shared(set("b", 1, 5)), shared(set("a", 0, 8)));
    assert_eq!(scale(&deployment(20, "25%", "25%"), Some(&current), &[before]), [old(0, 15), new(10)]);
}

#[test]
fn a_saturated_new_replica_set_ends_the_old_ones() {
    let current = ReplicaSet { desired_replicas_annotation: Some(3), ..set("b", 1, 3) };
    assert_eq!(scale(&deployment(3, "1", "0"), Some(&current), &[set("a", 0, 2)]), [old(0, 0)]);
}

#[test]
fn a_rollout_grows_then_waits_then_shrinks() {
    let plan = deployment(4, "1", "0");
    let before = [set("a", 0, 4)];
    assert_eq!(next_step(&plan, None, &before, true), Step::Create { replicas: 1 });
    // The new pod is not available yet: no old pod may go.
    let starting = ReplicaSet { available_replicas: 0, ..set("b", 1, 1) };
    assert_eq!(next_step(&plan, Some(&starting), &before, true), Step::Nothing);
    assert_eq!(next_step(&plan, Some(&set("b", 1, 1)), &before, true), Step::Resize(vec![old(0, 3)]));
    assert_eq!(next_step(&plan, Some(&set("b", 1, 1)), &[set("a", 0, 3)], true), Step::Resize(vec![new(2)]));
    assert_eq!(next_step(&plan, Some(&set("b", 1, 4)), &[set("a", 0, 0)], false), Step::Nothing);
}

#[test]
fn unhealthy_old_pods_go_first_and_the_oldest_replica_set_with_them() {
    // 12 of 10 exist, all new ones available: budget 12 - 8 - 0 = 4; three unhealthy old pods, then available pods
    // above 8: 9 - 8 = 1.
    let sick = ReplicaSet { available_replicas: 1, ..set("b", 1, 4) };
    let plan = deployment(10, "2", "2");
    let step = next_step(&plan, Some(&set("c", 2, 3)), &[sick, set("a", 0, 5)], true);
    assert_eq!(step, Step::Resize(vec![old(1, 4), old(0, 1)]));
}

#[test]
fn recreate_waits_for_the_last_old_pod() {
    let plan = Deployment { strategy: Strategy::Recreate, ..deployment(2, "0", "0") };
    assert_eq!(next_step(&plan, None, &[set("a", 0, 2)], true), Step::Resize(vec![old(0, 0)]));
    assert_eq!(next_step(&plan, None, &[set("a", 0, 0)], true), Step::Nothing);
    assert_eq!(next_step(&plan, None, &[set("a", 0, 0)], false), Step::Create { replicas: 2 });
}

#[test]
fn a_change_of_replicas_comes_before_the_rollout_and_also_while_paused() {
    let current = ReplicaSet { desired_replicas_annotation: Some(4), ..set("b", 1, 4) };
    let paused = Deployment { paused: true, ..deployment(8, "1", "0") };
    assert_eq!(next_step(&paused, Some(&current), &[], false), Step::Resize(vec![new(8)]));
    assert_eq!(next_step(&deployment(8, "1", "0"), Some(&current), &[], false), Step::Resize(vec![new(8)]));
    assert_eq!(
        next_step(&Deployment { replicas: 4, ..paused }, None, &[set("a", 0, 4)], true),
        Step::Nothing
    );
}

#[test]
fn available_means_no_more_missing_than_allowed() {
    let sets = [ReplicaSet { available_replicas: 7, ..set("a", 0, 10) }];
    let report = status(&deployment(10, "25%", "25%"), Some(&sets[0]), &[]);
    assert!(!report.available, "{report:?}"); // 10 - floor(2.5) = 8 are needed
    assert_eq!((report.replicas, report.updated_replicas, report.unavailable_replicas), (10, 10, 3));
    assert!(status(&deployment(10, "25%", "30%"), Some(&sets[0]), &[]).available);
}

#[test]
fn progress_ends_complete_or_with_the_deadline() {
    let plan = deployment(2, "1", "0");
    let at = |new_replicas| status(&plan, Some(&set("b", 1, new_replicas)), &[set("a", 0, 2 - new_replicas)]);
    let moving = progress(&plan, None, &at(1), 600_000, 5);
    assert_eq!(moving, Some(Progress::Progressing { updated_at: 5 }));
    let before = moving.map(|progress| (progress, at(1)));
    assert_eq!(progress(&plan, before, &at(1), 600_000, 600_005), moving);
    assert_eq!(progress(&plan, before, &at(1), 600_000, 600_006), Some(Progress::TimedOut));
    assert_eq!(progress(&plan, before, &at(2), 600_000, 600_006), Some(Progress::Complete));
}

#[test]
fn names_follow_from_templates_and_collisions() {
    let hash = pod_template_hash(b"", None);
    assert_eq!(hash, "65bb57b6b5"); // the offset basis 2166136261, digit by digit: 1 → 5, 2 → 6, 3 → 7, 6 → b
    assert_ne!(pod_template_hash(b"", Some(0)), hash);
    assert_ne!(pod_template_hash(b"", Some(1)), pod_template_hash(b"", Some(0)));
    assert_eq!(replica_set_name("web", "x"), "web-x");
}

#[test]
fn annotations_are_copied_except_those_that_mean_the_object_itself() {
    assert!(copies_annotation("team"));
    assert!(!copies_annotation("deployment.kubernetes.io/revision"));
    assert!(!copies_annotation("kubectl.kubernetes.io/last-applied-configuration"));
}
