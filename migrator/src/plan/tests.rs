use std::{sync::Arc, time::Duration};

use super::{Plan, PlannedService, WorkloadKind};
use crate::{
    decide::tests::fake::{Fake, name, request},
    request::{Request, Strategy},
    view::Bounds,
};

fn plan(fake: &Fake, asked: &Request) -> Plan {
    Plan::new("p1", "boot-1", asked, &fake.view, fake.now)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_session_may_live_for_the_grace_period_without_what_its_end_needs() {
    let of = |local, ip, grace| {
        let fake = Fake::new(2).deployment("shop", "web", 2, grace).service("shop", "web", local, ip);
        plan(&fake, &request(Strategy::SingleMove)).services.remove(0).contract
    };
    // 5 s between the end of the contract and SIGKILL; with ip targets 10 s for the
    // deregistration and 300 s for every load balancer node to learn of it.
    assert_eq!(of(true, false, 600), secs(595));
    assert_eq!(of(false, false, 600), secs(595));
    assert_eq!(of(false, true, 600), secs(290));
    assert_eq!(of(false, true, 30), secs(0), "no ip session outlives the propagation time");
}

#[test]
fn a_stated_contract_only_lowers_the_derived_one() {
    let fake = Fake::new(2).deployment("shop", "web", 2, 600).service("shop", "web", true, false);
    for (stated, expected) in [(60, 60), (4000, 595)] {
        let mut asked = request(Strategy::SingleMove);
        asked.contracts.insert(name("shop", "web"), secs(stated));
        assert_eq!(plan(&fake, &asked).services[0].contract, secs(expected));
    }
}

#[test]
fn a_floor_is_what_was_ready_and_one_less_only_where_a_budget_lets_a_stateful_pod_go() {
    let floor = |fake: &Fake| {
        let PlannedService { floor, stateful, gap, .. } =
            plan(fake, &request(Strategy::SingleMove)).services.remove(0);
        (floor, stateful, gap)
    };
    let set = |replicas| Fake::new(3).stateful_set("shop", "db", replicas, 30);
    assert_eq!(floor(&set(3).service("shop", "db", true, false)), (2, true, false));
    assert_eq!(floor(&set(3).budget("shop", "db", "1").service("shop", "db", true, false)), (2, true, false));
    assert_eq!(floor(&set(3).budget("shop", "db", "0").service("shop", "db", true, false)), (3, true, false));
    assert_eq!(
        floor(&set(1).service("shop", "db", true, false)),
        (1, true, true),
        "one pod cannot move without a gap"
    );
    let web = Fake::new(2).deployment("shop", "web", 3, 30).service("shop", "web", true, false);
    assert_eq!(floor(&web), (3, false, false));
}

#[test]
fn the_number_of_nodes_stays_within_the_bounds() {
    let fake = Fake::new(3);
    let bounds = |min, max, desired| {
        plan(&fake, &Request { min, max, desired, ..request(Strategy::SingleMove) }).bounds_after
    };
    assert_eq!(bounds(None, None, None), Bounds { min: 1, max: 5, desired: 3 });
    assert_eq!(bounds(Some(4), None, None), Bounds { min: 4, max: 5, desired: 4 });
    assert_eq!(bounds(None, Some(2), None), Bounds { min: 1, max: 2, desired: 2 });
    assert_eq!(bounds(Some(0), Some(0), Some(0)), Bounds { min: 0, max: 1, desired: 0 });
}

#[test]
fn system_workloads_come_first() {
    let fake = Fake::new(2).deployment("apps", "web", 1, 30).stateful_set("apps", "db", 1, 30).deployment(
        "kube-system",
        "coredns",
        2,
        30,
    );
    let order: Vec<(WorkloadKind, Arc<str>, bool)> = plan(&fake, &request(Strategy::SingleMove))
        .workloads
        .into_iter()
        .map(|w| (w.kind, w.name.name, w.system))
        .collect();
    assert_eq!(
        order,
        [
            (WorkloadKind::Deployment, "coredns".into(), true),
            (WorkloadKind::Deployment, "web".into(), false),
            (WorkloadKind::StatefulSet, "db".into(), false),
        ]
    );
}
