//! The endpoints that a kube-proxy uses for traffic from outside.

use serde::Deserialize;
use serde_json::json;

use super::{Answer, CaseError, meaningless};
use crate::kube_proxy::{Endpoint, Route, TrafficPolicy, any_usable, health_check, route};

#[derive(Deserialize)]
struct Case {
    external_traffic_policy: String,
    node: String,
    endpoints: Vec<CaseEndpoint>,
    external_usable: Vec<String>,
    any_endpoint_in_cluster: bool,
    local_ready_endpoints: usize,
}

#[derive(Deserialize)]
struct CaseEndpoint {
    name: String,
    node: String,
    ready: bool,
    serving: bool,
    terminating: bool,
}

pub(in super::super) fn run(line: &[u8]) -> Result<Answer, CaseError> {
    let case: Case = serde_json::from_slice(line)?;
    let policy = match case.external_traffic_policy.as_str() {
        "Cluster" => TrafficPolicy::Cluster,
        "Local" => TrafficPolicy::Local,
        other => return Err(meaningless("external_traffic_policy", other)),
    };
    let endpoints: Vec<Endpoint> = case
        .endpoints
        .iter()
        .map(|endpoint| Endpoint {
            local: endpoint.node == case.node,
            ready: endpoint.ready,
            serving: endpoint.serving,
            terminating: endpoint.terminating,
        })
        .collect();
    let mut usable: Vec<&str> = match route(policy, &endpoints) {
        Route::To(positions) => positions.into_iter().map(|i| case.endpoints[i].name.as_str()).collect(),
        Route::Reject | Route::Drop => Vec::new(),
    };
    usable.sort_unstable();
    let answer = |usable: &[&str], any: bool, local: usize| {
        json!({
            "external_usable": usable,
            "any_endpoint_in_cluster": any,
            "local_ready_endpoints": local,
        })
    };
    let recorded: Vec<&str> = case.external_usable.iter().map(String::as_str).collect();
    Ok(Answer::compare(
        answer(&recorded, case.any_endpoint_in_cluster, case.local_ready_endpoints),
        answer(&usable, any_usable(&endpoints), health_check(&endpoints, false).local_endpoints),
    ))
}
