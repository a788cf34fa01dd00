//! Evictions and bindings of pods.

use serde_json::{Value, json};

use super::{
    body,
    delete::{deletion, preconditions},
    dry_run,
};
use crate::{
    api::{Failure, Request, Response, failure::Cause, read::store, route::Target},
    controllers::disruption::Eviction,
    world::World,
};

const VIOLATES: &str = "Cannot evict pod as it would violate the pod's disruption budget.";
const SEVERAL: &str =
    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";

/// POST of an eviction. Source: `pkg/registry/core/pod/storage/eviction.go`.
pub(super) fn evict(world: &mut World, request: &Request, target: &Target) -> Result<Response, Failure> {
    let sent = body::object(request)?;
    let name = sent.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("");
    if !name.is_empty() && name != target.name() {
        return Err(Failure::bad_request(format!(
            "name in URL does not match name in Eviction object: {} != {name}",
            target.name()
        )));
    }
    let options = sent.get("deleteOptions").filter(|options| !options.is_null());
    let old = store(world)?
        .get(target.index, &target.key())
        .cloned()
        .ok_or_else(|| Failure::not_found(&target.resource, target.name()))?;
    preconditions(target, &old, options)?;
    let deletion = deletion(request, options)?;
    let dry = dry_run(request, options)?;
    let key = target.key();
    let judged =
        world.judge_eviction(&key).ok_or_else(|| Failure::not_found(&target.resource, target.name()))?;
    match judged {
        Eviction::Allowed { .. } => {
            if !dry {
                let entry = world.written("evict", &target.resource, &key);
                world.carry_out_eviction(&key, deletion.grace, entry);
            }
            let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
                "code": 201});
            Ok(Response::json(201, &status))
        }
        Eviction::TooManyRequests { retry_after } => {
            let cause = world.told_budget(&key);
            Err(Failure::disruption_budget(VIOLATES, cause, retry_after.map(u64::from)))
        }
        Eviction::MultipleBudgets => Err(Failure::internal(SEVERAL)),
        Eviction::Forbidden => {
            let why = "pod disruption budget has too many pending disruptions";
            Err(Failure::forbidden(&target.resource, target.name(), why))
        }
    }
}

/// POST of a binding. Source: `pkg/registry/core/pod/storage/storage.go`, setPodNodeAndMetadata.
pub(super) fn bind(world: &mut World, request: &Request, target: &Target) -> Result<Response, Failure> {
    let sent = body::object(request)?;
    let node = sent.pointer("/target/name").and_then(Value::as_str).unwrap_or("").to_owned();
    if node.is_empty() {
        let cause = Cause {
            reason: "FieldValueRequired",
            message: "Required value".into(),
            field: Some("target.name".into()),
        };
        return Err(Failure::invalid(&target.resource, target.name(), vec![cause]));
    }
    let old = store(world)?
        .get(target.index, &target.key())
        .cloned()
        .ok_or_else(|| Failure::not_found(&target.resource, target.name()))?;
    let bound = old.pointer("/spec/nodeName").and_then(Value::as_str).unwrap_or("");
    let why = if old.pointer("/metadata/deletionTimestamp").is_some() {
        Some(format!("pod {} is being deleted, cannot be assigned to a host", target.name()))
    } else if !bound.is_empty() {
        Some(format!("pod {} is already assigned to node \"{bound}\"", target.name()))
    } else if old
        .pointer("/spec/schedulingGates")
        .and_then(Value::as_array)
        .is_some_and(|gates| !gates.is_empty())
    {
        Some(format!("pod {} has non-empty .spec.schedulingGates", target.name()))
    } else {
        None
    };
    if let Some(why) = why {
        return Err(Failure::conflict(&target.resource, target.name(), &why));
    }
    if !dry_run(request, None)? {
        let entry = world.written("bind", &target.resource, &target.key());
        if !world.bind_by_name(&target.key(), &node, entry) {
            return Err(Failure::bad_request(format!("node {node} is not known")));
        }
    }
    let status =
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    Ok(Response::json(201, &status))
}
