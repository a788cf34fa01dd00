use super::*;

const READY: Pod = Pod { ready: true, terminating: false, disrupted_at: None };

#[track_caller]
fn check(demand: Demand, scale: Option<i32>, pods: &[Pod], expected: (i32, i32, i32, i32)) {
    let got = status(demand, scale, pods, 1_000_000).unwrap();
    assert_eq!(
        (got.current_healthy, got.desired_healthy, got.expected_pods, got.disruptions_allowed),
        expected
    );
}

fn min(text: &str) -> Demand {
    Demand::MinAvailable(IntOrPercent::parse(text).unwrap())
}

fn max(text: &str) -> Demand {
    Demand::MaxUnavailable(IntOrPercent::parse(text).unwrap())
}

#[test]
fn a_number_stands_and_a_share_follows_the_scale() {
    check(min("2"), Some(6), &[READY; 3], (3, 2, 3, 1));
    check(min("50%"), Some(5), &[READY; 5], (5, 3, 5, 2)); // 2.5 rounds up
    check(max("1"), Some(5), &[READY; 5], (5, 4, 5, 1));
    check(max("30%"), Some(5), &[READY; 5], (5, 3, 5, 2)); // 1.5 rounds up
}

#[test]
fn doubling_the_scale_closes_a_budget_until_the_new_pods_are_ready() {
    check(max("1"), Some(3), &[READY; 3], (3, 2, 3, 1));
    check(max("1"), Some(6), &[READY; 3], (3, 5, 6, 0));
    check(max("1"), Some(6), &[READY; 6], (6, 5, 6, 1));
}

#[test]
fn evicted_pods_count_as_gone_for_two_minutes() {
    let evicted = |ago: Millis| Pod { disrupted_at: Some(1_000_000 - ago), ..READY };
    check(min("1"), None, &[READY, evicted(119_999)], (1, 1, 2, 0));
    check(min("1"), None, &[READY, evicted(120_000)], (2, 1, 2, 1));
    check(min("1"), None, &[READY, Pod { terminating: true, ..READY }], (1, 1, 2, 0));
}

#[test]
fn an_unknown_scale_makes_no_report_and_no_pods_allow_nothing() {
    assert_eq!(status(max("1"), None, &[READY; 3], 0), None);
    check(max("1"), Some(0), &[], (0, 0, 0, 0));
}

const POD: Candidate = Candidate { phase: PodPhase::Running, ready: true, terminating: false };

fn budget(current: i32, desired: i32, allowed: i32) -> Budget {
    Budget {
        status: Status {
            current_healthy: current,
            desired_healthy: desired,
            expected_pods: current,
            disruptions_allowed: allowed,
        },
        observed: true,
        disrupted_pods: 0,
        unhealthy_policy: UnhealthyPodEvictionPolicy::IfHealthyBudget,
    }
}

const FREE: Eviction = Eviction::Allowed { consumes_budget: false };
const FULL: Eviction = Eviction::TooManyRequests { retry_after: None };

#[test]
fn a_ready_pod_takes_one_from_the_budget_or_is_refused() {
    assert_eq!(check_eviction(&POD, &[]), FREE);
    assert_eq!(check_eviction(&POD, &[budget(3, 2, 1)]), Eviction::Allowed { consumes_budget: true });
    assert_eq!(check_eviction(&POD, &[budget(2, 2, 0)]), FULL);
}

#[test]
fn pods_that_serve_nobody_skip_the_budget() {
    let closed = [budget(0, 2, 0), budget(0, 2, 0)];
    assert_eq!(check_eviction(&Candidate { phase: PodPhase::Pending, ..POD }, &closed), FREE);
    assert_eq!(check_eviction(&Candidate { phase: PodPhase::Failed, ..POD }, &closed), FREE);
    assert_eq!(check_eviction(&Candidate { terminating: true, ..POD }, &closed), FREE);
    assert_eq!(check_eviction(&POD, &closed), Eviction::MultipleBudgets);
}

#[test]
fn an_unready_pod_goes_freely_only_while_the_budget_is_healthy_without_it() {
    let unready = Candidate { ready: false, ..POD };
    assert_eq!(check_eviction(&unready, &[budget(2, 2, 0)]), FREE);
    assert_eq!(check_eviction(&unready, &[budget(1, 2, 0)]), FULL);
    // A budget that desires nothing protects nothing, but is counted down all the same.
    assert_eq!(check_eviction(&unready, &[budget(1, 0, 1)]), Eviction::Allowed { consumes_budget: true });
    let always = UnhealthyPodEvictionPolicy::AlwaysAllow;
    assert_eq!(check_eviction(&unready, &[Budget { unhealthy_policy: always, ..budget(1, 2, 0) }]), FREE);
}

#[test]
fn a_report_that_is_late_or_broken_refuses() {
    let late = Budget { observed: false, ..budget(3, 2, 1) };
    assert_eq!(check_eviction(&POD, &[late]), Eviction::TooManyRequests { retry_after: Some(10) });
    assert_eq!(check_eviction(&POD, &[budget(3, 2, -1)]), Eviction::Forbidden);
    let swamped = |disrupted_pods| Budget { disrupted_pods, ..budget(3, 2, 1) };
    assert_eq!(check_eviction(&POD, &[swamped(2001)]), Eviction::Forbidden);
    assert_eq!(check_eviction(&POD, &[swamped(2000)]), Eviction::Allowed { consumes_budget: true });
}
