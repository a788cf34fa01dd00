//! Deletion of one object or of all that are selected.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{body, dry_run, success};
use crate::{
    api::{
        Failure, Request, Response,
        objects::{self, Shape},
        read::store,
        route::Target,
        select::Selection,
    },
    world::{
        World,
        store::Key,
        writes::{Deleted, Deletion, Propagation},
    },
};

/// DELETE of one object.
pub(super) fn one(world: &mut World, request: &Request, target: &Target) -> Result<Response, Failure> {
    let options = body::options(request)?;
    let dry = dry_run(request, options.as_ref())?;
    let old = store(world)?
        .get(target.index, &target.key())
        .cloned()
        .ok_or_else(|| Failure::not_found(&target.resource, target.name()))?;
    preconditions(target, &old, options.as_ref())?;
    let deletion = deletion(request, options.as_ref())?;
    let uid = old.pointer("/metadata/uid");
    if dry {
        return if target.resource.kind == "Pod" {
            shown(world, request, target, &old)
        } else {
            Ok(success(target, uid, 200))
        };
    }
    match delete(world, target, &target.key(), &old, deletion) {
        Deleted::Remains(value) => shown(world, request, target, &value),
        Deleted::Gone if target.resource.kind == "Pod" => shown(world, request, target, &old),
        Deleted::Gone => Ok(success(target, uid, 200)),
    }
}

/// DELETE of a collection: those that are gone or going.
pub(super) fn collection(world: &mut World, request: &Request, target: &Target) -> Result<Response, Failure> {
    let options = body::options(request)?;
    let dry = dry_run(request, options.as_ref())?;
    if target.resource.namespaced && target.namespace.is_none() {
        return Err(Failure::method_not_allowed());
    }
    let selection = Selection::of(request, target)?;
    let deletion = deletion(request, options.as_ref())?;
    let meant: Vec<(Key, Arc<Value>)> = store(world)?
        .objects(target.index)
        .iter()
        .filter(|(_, value)| selection.matches(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let mut items = Vec::new();
    for (key, value) in meant {
        if !dry {
            delete(world, target, &key, &value, deletion);
        }
        items.push(value);
    }
    let meta = json!({"resourceVersion": world.resource_version().to_string()});
    let now = world.wall(world.now() as i64);
    let body = objects::list(&target.resource, &items, meta, Shape::of(request)?, now);
    Ok(Response::new(200, "application/json", body))
}

fn shown(world: &World, request: &Request, target: &Target, value: &Value) -> Result<Response, Failure> {
    let now = world.wall(world.now() as i64);
    let body = objects::one(&target.resource, value, Shape::of(request)?, now);
    Ok(Response::new(200, "application/json", body))
}

fn delete(world: &mut World, target: &Target, key: &Key, value: &Arc<Value>, deletion: Deletion) -> Deleted {
    let entry = world.written("delete", &target.resource, key);
    world.delete_object(target.index, value, deletion, entry)
}

/// Refuses where the object is another one, or another version, than the client means.
pub(super) fn preconditions(target: &Target, old: &Value, options: Option<&Value>) -> Result<(), Failure> {
    for (field, name) in [("uid", "UID"), ("resourceVersion", "ResourceVersion")] {
        let asked = options.and_then(|options| options.pointer(&format!("/preconditions/{field}")));
        let found = old.pointer(&format!("/metadata/{field}"));
        if let Some(asked) = asked.filter(|asked| !asked.is_null() && Some(*asked) != found) {
            let told = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or("").to_owned();
            let why = format!(
                "the {name} in the precondition ({}) does not match the {name} in record ({}). The object might have \
                 been deleted and then recreated",
                told(Some(asked)),
                told(found)
            );
            return Err(Failure::conflict(&target.resource, target.name(), &why));
        }
    }
    Ok(())
}

/// How to delete, from the body and the parameters.
pub(super) fn deletion(request: &Request, options: Option<&Value>) -> Result<Deletion, Failure> {
    let in_body =
        |field: &str| options.and_then(|options| options.get(field)).filter(|value| !value.is_null());
    let grace = match in_body("gracePeriodSeconds") {
        Some(value) => {
            Some(value.as_i64().ok_or_else(|| Failure::bad_request("gracePeriodSeconds is no number"))?)
        }
        None => request
            .parameter("gracePeriodSeconds")
            .map(|text| text.parse().map_err(|_| Failure::bad_request("gracePeriodSeconds is no number")))
            .transpose()?,
    };
    let policy =
        in_body("propagationPolicy").and_then(Value::as_str).or(request.parameter("propagationPolicy"));
    let orphan = in_body("orphanDependents") == Some(&json!(true))
        || request.parameter("orphanDependents") == Some("true");
    let propagation = match policy {
        Some("Orphan") => Propagation::Orphan,
        None if orphan => Propagation::Orphan,
        None | Some("Background") => Propagation::Background,
        Some("Foreground") => Propagation::Foreground,
        Some(other) => {
            return Err(Failure::bad_request(format!(
                "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"{other}\": supported \
                 values: \"Background\", \"Foreground\", \"Orphan\""
            )));
        }
    };
    // A negative grace period means one second.
    let grace =
        grace.map(|seconds| if seconds < 0 { 1_000 } else { seconds.unsigned_abs().min(1 << 31) * 1_000 });
    Ok(Deletion { grace, propagation })
}
