//! Requests that make no sense for this cluster, whatever its state: usage errors rather than findings.

use std::sync::Arc;

use crate::{
    findings::Code,
    request::Request,
    view::{ClusterView, NodeGroupStatus, ObjectName},
};

/// What is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum RequestError {
    #[error("node group {group} is to be left and moved to at once")]
    SameGroup { group: Arc<str> },
    #[error("there is no node group {group} to leave; there are: {known}")]
    UnknownFrom { group: Arc<str>, known: String },
    #[error(
        "node group {group} is being deleted already: EKS drains it and takes its instances away; leave a group that stays"
    )]
    BeingDeleted { group: Arc<str> },
    #[error("node group {group} exists already; adopt it or choose another name")]
    ToExists { group: Arc<str> },
    #[error("there is no node group {group} to adopt; there are: {known}")]
    ToMissing { group: Arc<str>, known: String },
    #[error("the fewest nodes ({min}) are more than the most ({max})")]
    BoundsCrossed { min: u32, max: u32 },
    #[error("the new group would have no node")]
    NoNodes,
    #[error("subnet {subnet} is not known")]
    UnknownSubnet { subnet: Arc<str> },
    #[error("{code} is not the code of a finding")]
    UnknownCode { code: String },
    #[error("there is no Service {namespace}/{name}, which {option} names")]
    UnknownService { option: &'static str, namespace: Arc<str>, name: Arc<str> },
}

/// Everything wrong with the request; empty if it can be planned. All of it, so that one more try suffices.
pub fn request_errors(request: &Request, cluster: &ClusterView) -> Vec<RequestError> {
    let groups = &cluster.aws.node_groups;
    let known = || groups.keys().map(|name| &**name).collect::<Vec<_>>().join(", ");
    let mut errors = Vec::new();
    if request.from == request.to {
        errors.push(RequestError::SameGroup { group: request.from.clone() });
    }
    if !groups.contains_key(&request.from) {
        errors.push(RequestError::UnknownFrom { group: request.from.clone(), known: known() });
    }
    match (groups.contains_key(&request.to), request.adopt) {
        (true, false) if request.from != request.to => {
            errors.push(RequestError::ToExists { group: request.to.clone() });
        }
        (false, true) => errors.push(RequestError::ToMissing { group: request.to.clone(), known: known() }),
        _ => {}
    }
    let old = groups.get(&request.from);
    if old.is_some_and(|old| old.status == NodeGroupStatus::Deleting) {
        // Its bounds are gone already, and say nothing about the new group's.
        errors.push(RequestError::BeingDeleted { group: request.from.clone() });
    } else if let Some(old) = old.filter(|_| !request.adopt) {
        let (min, max) = (request.min.unwrap_or(old.bounds.min), request.max.unwrap_or(old.bounds.max));
        if min > max {
            errors.push(RequestError::BoundsCrossed { min, max });
        } else if request.desired.unwrap_or(old.bounds.desired).min(max).max(min) == 0 {
            errors.push(RequestError::NoNodes);
        }
    }
    for subnet in request.subnets.iter().filter(|subnet| !cluster.aws.subnets.contains_key(*subnet)) {
        errors.push(RequestError::UnknownSubnet { subnet: subnet.clone() });
    }
    for code in request.accept.iter().filter(|code| Code::parse(code).is_none()) {
        errors.push(RequestError::UnknownCode { code: code.clone() });
    }
    let named = [
        ("closes-at-sigterm", request.closes_at_sigterm.iter().collect::<Vec<_>>()),
        ("contract", request.contracts.keys().collect()),
        ("longest-silence", request.longest_silence.keys().collect()),
    ];
    for (option, services) in named {
        // A misspelt Service would silently lose its protection.
        let unknown = |service: &&&ObjectName| !cluster.services.contains_key(**service);
        errors.extend(services.iter().filter(unknown).map(|service| RequestError::UnknownService {
            option,
            namespace: service.namespace.clone(),
            name: service.name.clone(),
        }));
    }
    errors
}
