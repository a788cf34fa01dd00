//! One case per code: a cluster that has the finding, and the nearest one that has not.

mod cases;
mod given;

use std::collections::BTreeSet;

use crate::findings::{
    Code, Finding, Severity, blocking, findings, request_errors,
    tests::given::{Given, given},
};

fn seen(change: fn(&mut Given)) -> Vec<Finding> {
    let mut given = given();
    change(&mut given);
    findings(&given.request, &given.cluster, &given.expectations)
}

#[test]
fn a_settled_cluster_with_room_has_no_finding() {
    assert_eq!(seen(|_| {}), []);
}

#[test]
fn every_code_is_found_where_it_applies_and_not_beside_it() {
    for (code, found, not) in cases::CASES {
        let with = seen(*found);
        assert!(
            with.iter().any(|finding| finding.code == *code),
            "{code} ({}) is not among {with:#?}",
            code.title()
        );
        let without = seen(*not);
        assert!(
            without.iter().all(|finding| finding.code != *code),
            "{code} ({}) is among {without:#?}",
            code.title()
        );
    }
}

#[test]
fn every_code_has_a_case() {
    let cases: BTreeSet<Code> = cases::CASES.iter().map(|(code, ..)| *code).collect();
    assert_eq!(cases.into_iter().collect::<Vec<_>>(), Code::all());
}

#[test]
fn reasons_say_what_was_seen_and_fixes_what_to_do() {
    let mut text = String::new();
    for (code, found, _) in cases::CASES {
        for finding in seen(*found).iter().filter(|finding| finding.code == *code) {
            let Finding { code, object, reason, fix, .. } = finding;
            text += &format!("{code} {object}: {reason}\n      {fix}\n");
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn ids_ascend_and_name_one_code_each() {
    let ids: Vec<&str> = Code::all().iter().map(|code| code.id()).collect();
    assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
    assert!(Code::all().iter().all(|code| Code::parse(code.id()) == Some(*code)));
    assert_eq!(Code::parse("NF999"), None);
}

#[test]
fn findings_are_ordered_by_code_and_object_and_counted_once() {
    let all = seen(|given| {
        given.ip_targets();
        given.add_service("web");
        given.cluster.other_kinds.insert("networking.k8s.io/Ingress".to_owned(), 1);
        given.lock("someone");
    });
    assert!(all.is_sorted_by(|one, next| (one.code, &one.object) <= (next.code, &next.object)), "{all:#?}");
    assert!(all.is_sorted_by(|one, next| one < next), "twice the same: {all:#?}");
}

#[test]
fn only_blocking_findings_that_are_not_accepted_stop_a_plan() {
    let all = seen(|given| {
        given.lock("someone");
        given.group(|group| group.repair = true);
    });
    assert_eq!(
        all.iter().map(|finding| finding.code).collect::<Vec<_>>(),
        [Code::LockHeld, Code::GroupRepairs]
    );
    let stopping = blocking(&all, &BTreeSet::new());
    assert!(matches!(
        stopping.as_slice(),
        [Finding { code: Code::LockHeld, severity: Severity::Blocking, .. }]
    ));
    assert!(blocking(&all, &["NF001".to_owned()].into()).is_empty());
}

/// Every wrong request with the words that it gets, next to one that is right.
#[test]
fn requests_that_make_no_sense_are_errors() {
    #[track_caller]
    fn check(change: fn(&mut Given), expected: &[&str]) {
        let mut given = given();
        change(&mut given);
        let errors = request_errors(&given.request, &given.cluster);
        assert_eq!(errors.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    }
    check(|_| {}, &[]);
    check(|given| given.request.to = "blue".into(), &["node group blue is to be left and moved to at once"]);
    check(
        |given| given.request.from = "red".into(),
        &["there is no node group red to leave; there are: blue"],
    );
    check(
        |given| given.add_group("green"),
        &["node group green exists already; adopt it or choose another name"],
    );
    check(|given| given.adopt(&["a"]), &[]);
    check(|given| given.request.adopt = true, &["there is no node group green to adopt; there are: blue"]);
    check(|given| given.request.min = Some(5), &["the fewest nodes (5) are more than the most (4)"]);
    check(|given| given.request.min = Some(4), &[]);
    check(
        |given| (given.request.min, given.request.desired) = (Some(0), Some(0)),
        &["the new group would have no node"],
    );
    check(|given| given.request.desired = Some(0), &[]);
    check(|given| given.request.subnets = vec!["subnet-z".into()], &["subnet subnet-z is not known"]);
    check(
        |given| given.request.accept = ["NF000".to_owned()].into(),
        &["NF000 is not the code of a finding"],
    );
    check(
        |given| given.request.closes_at_sigterm = [given::name("shop", "wep")].into(),
        &["there is no Service shop/wep, which closes-at-sigterm names"],
    );
}
