use super::*;

const READY: Endpoint = Endpoint { local: true, ready: true, serving: true, terminating: false };
const LEAVING: Endpoint = Endpoint { ready: false, terminating: true, ..READY };
const FAILED: Endpoint = Endpoint { ready: false, serving: false, ..READY };

fn elsewhere(endpoint: Endpoint) -> Endpoint {
    Endpoint { local: false, ..endpoint }
}

#[track_caller]
fn check(endpoints: &[Endpoint], cluster: &Route, local: &Route) {
    assert_eq!(&route(TrafficPolicy::Cluster, endpoints), cluster);
    assert_eq!(&route(TrafficPolicy::Local, endpoints), local);
}

fn to(endpoints: &[usize]) -> Route {
    Route::To(endpoints.to_vec())
}

#[test]
fn ready_endpoints_come_first() {
    check(&[READY, elsewhere(READY), LEAVING], &to(&[0, 1]), &to(&[0]));
}

#[test]
fn terminating_endpoints_serve_where_no_other_does() {
    check(&[LEAVING, elsewhere(READY)], &to(&[1]), &to(&[0]));
    check(&[LEAVING, elsewhere(LEAVING)], &to(&[0, 1]), &to(&[0]));
    // A pod that fails its readiness probe on the way out loses that.
    check(&[Endpoint { serving: false, ..LEAVING }], &Route::Reject, &Route::Reject);
}

#[test]
fn without_local_endpoints_packets_vanish_and_without_any_they_are_refused() {
    check(&[elsewhere(READY)], &to(&[0]), &Route::Drop);
    check(&[elsewhere(LEAVING), FAILED], &to(&[0]), &Route::Drop);
    check(&[FAILED], &Route::Reject, &Route::Reject);
    check(&[], &Route::Reject, &Route::Reject);
}

#[test]
fn the_health_check_does_not_count_what_terminates() {
    assert_eq!(
        health_check(&[READY, elsewhere(READY)], false),
        HealthCheck { status: 200, local_endpoints: 1 }
    );
    assert_eq!(
        health_check(&[LEAVING, elsewhere(READY)], false),
        HealthCheck { status: 503, local_endpoints: 0 }
    );
    assert_eq!(health_check(&[READY], true).status, 503);
}

#[test]
fn a_proxy_announces_only_what_the_autoscaler_or_a_deletion_begins() {
    assert_eq!(node_health_status(false, false, false), 200);
    assert_eq!(node_health_status(false, true, false), 503);
    assert_eq!(node_health_status(true, false, false), 503);
    assert_eq!(node_health_status(false, false, true), 503);
}
