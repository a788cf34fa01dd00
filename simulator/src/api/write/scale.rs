//! The scale of a workload: replicas wanted, replicas there, and a selector as text.

use serde_json::{Value, json};

use super::{body, dry_run};
use crate::{
    api::{Failure, failure::Cause, managed, patch, read::store, route::Target},
    http::{Method, Request, Response},
    world::World,
};

/// The scale that an object shows.
pub(in crate::api) fn scale_of(target: &Target, value: &Value) -> Value {
    let meta = |field: &str| value.pointer(&format!("/metadata/{field}")).cloned().unwrap_or_default();
    let number = |pointer: &str| value.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    let mut metadata = json!({"name": target.name, "namespace": target.namespace, "uid": meta("uid"),
        "resourceVersion": meta("resourceVersion"), "creationTimestamp": meta("creationTimestamp")});
    if let Some(fields) = metadata.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    let spec = match number("/spec/replicas") {
        0 => json!({}),
        replicas => json!({"replicas": replicas}),
    };
    let labels: Vec<String> = value
        .pointer("/spec/selector/matchLabels")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("")))
        .collect();
    json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec,
        "status": {"replicas": number("/status/replicas"), "selector": labels.join(",")}})
}

/// PUT or PATCH of a scale.
pub(super) fn write(world: &mut World, request: &Request, target: &Target) -> Result<Response, Failure> {
    let resource = &target.resource;
    let old = store(world)?
        .get(target.index, &target.key())
        .cloned()
        .ok_or_else(|| Failure::not_found(resource, target.name()))?;
    let before = scale_of(target, &old);
    let wanted = match (request.method, body::media_type(request)) {
        (Method::Put, _) => body::object(request)?,
        (_, "application/json-patch+json") => {
            let mut value = before.clone();
            patch::json_patch(&mut value, &body::json(&request.body)?).map_err(|error| match error {
                patch::PatchError::Malformed(why) => Failure::bad_request(why),
                patch::PatchError::Inapplicable(_) => Failure::inapplicable(),
            })?;
            value
        }
        (_, "application/merge-patch+json" | "application/strategic-merge-patch+json") => {
            let mut value = before.clone();
            patch::merge(&mut value, &body::json(&request.body)?);
            value
        }
        (_, "application/apply-patch+yaml") => {
            let mut value = before.clone();
            patch::merge(&mut value, &body::yaml(&request.body)?);
            value
        }
        _ => return Err(Failure::unsupported_media_type("application/json")),
    };
    for (field, why) in [("resourceVersion", ""), ("uid", "Precondition failed: UID in precondition")] {
        let of = |value: &Value| {
            value.pointer(&format!("/metadata/{field}")).and_then(Value::as_str).unwrap_or("").to_owned()
        };
        if !of(&wanted).is_empty() && of(&wanted) != of(&before) {
            return Err(if why.is_empty() {
                Failure::modified(resource, target.name())
            } else {
                Failure::conflict(resource, target.name(), why)
            });
        }
    }
    let replicas = match wanted.pointer("/spec/replicas") {
        None | Some(Value::Null) => 0,
        Some(value) => value
            .as_i64()
            .filter(|&value| value <= i64::from(i32::MAX))
            .ok_or_else(|| Failure::bad_request("spec.replicas is no number of replicas"))?,
    };
    if replicas < 0 {
        let cause = Cause {
            reason: "FieldValueInvalid",
            message: format!("Invalid value: {replicas}: must be greater than or equal to 0"),
            field: Some("spec.replicas".into()),
        };
        let mut failure = Failure::invalid(resource, target.name(), vec![cause]);
        failure.about = Some(Box::new(("autoscaling".into(), "Scale".into(), target.name().into())));
        return Err(failure);
    }
    let mut new = (*old).clone();
    if new["spec"].is_object() {
        new["spec"]["replicas"] = json!(replicas);
    }
    if dry_run(request, None)? || managed::same(&old, &new) {
        return Ok(Response::json(200, &scale_of(target, &new)));
    }
    let generation = old.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or(1);
    new["metadata"]["generation"] = json!(generation.saturating_add(1));
    let now = world.timestamp(world.now() as i64);
    managed::on_write(resource, Some(&old), &mut new, &managed::manager(request), None, "scale", &now);
    let entry = world.written("scale", resource, &target.key());
    let stored = world
        .update_object(target.index, &old, new, false, entry)
        .map_err(|why| Failure::bad_request(format!("{}: {why}", resource.kind)))?;
    Ok(Response::json(200, &scale_of(target, &stored)))
}
