//! Updates and patches: what stands, what is wanted, what comes of it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{body, create, dry_run, fits, service, written};
use crate::{
    api::{
        Failure, Request, Response, apply, content, defaults,
        failure::Cause,
        managed,
        patch::{self, OPERATIONS_MAX, PatchError, strategic},
        read::store,
        resources::{Resource, Subresource},
        route::Target,
        validate,
    },
    world::{World, bounds},
};

const PATCHES: &str = "application/json-patch+json, application/merge-patch+json, \
                       application/strategic-merge-patch+json, application/apply-patch+yaml";

/// PUT.
pub(super) fn update(world: &mut World, request: &Request, target: &Target) -> Result<Response, Failure> {
    let sent = body::object(request)?;
    body::check_kind(&sent, target)?;
    let name = sent.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("");
    if name != target.name() {
        return Err(Failure::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            target.name()
        )));
    }
    let old = standing(world, target)?;
    let decoded = decode_body(&target.resource, &sent)?;
    let warnings = body::field_validation(request, &target.resource, &decoded, &[])?;
    finish(world, request, target, &old, decoded.value, None, warnings)
}

fn decode_body(resource: &Resource, sent: &Value) -> Result<content::Decoded, Failure> {
    content::decode(resource, sent).map_err(|why| {
        Failure::bad_request(format!(
            "{} in version \"{}\" cannot be handled as a {}: {why}",
            resource.kind, resource.version, resource.kind
        ))
    })
}

fn standing(world: &World, target: &Target) -> Result<Arc<Value>, Failure> {
    store(world)?
        .get(target.index, &target.key())
        .cloned()
        .ok_or_else(|| Failure::not_found(&target.resource, target.name()))
}

/// PATCH, of all four kinds.
pub(super) fn patch(world: &mut World, request: &Request, target: &Target) -> Result<Response, Failure> {
    let media = body::media_type(request);
    if media == "application/apply-patch+yaml" {
        return apply_patch(world, request, target);
    }
    let known = [
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
    ];
    if !known.contains(&media) {
        return Err(Failure::unsupported_media_type(PATCHES));
    }
    let sent = body::json(&request.body)?;
    let old = standing(world, target)?;
    let patched = patched(&target.resource, &old, &sent, media)?;
    if !patch::is_shallow(&patched) {
        return Err(Failure::bad_request("the patched object is nested too deep"));
    }
    let refuse = |why: String| {
        let cause = Cause { reason: "FieldValueInvalid", message: why, field: Some("patch".into()) };
        Failure::invalid(&target.resource, "", vec![cause])
    };
    body::check_kind(&patched, target)?;
    let decoded = content::decode(&target.resource, &patched).map_err(refuse)?;
    let before = content::decode(&target.resource, &old).map(|decoded| decoded.unknown).unwrap_or_default();
    let warnings = body::field_validation(request, &target.resource, &decoded, &before)?;
    finish(world, request, target, &old, decoded.value, None, warnings)
}

fn patched(resource: &Resource, old: &Value, sent: &Value, media: &str) -> Result<Value, Failure> {
    match media {
        "application/json-patch+json" => {
            if sent.as_array().is_some_and(|all| all.len() > OPERATIONS_MAX) {
                return Err(Failure::too_large());
            }
            let mut value = old.clone();
            match patch::json_patch(&mut value, sent) {
                Ok(()) => Ok(value),
                Err(PatchError::Malformed(why)) => Err(Failure::bad_request(why)),
                Err(PatchError::Inapplicable(_)) => Err(Failure::inapplicable()),
            }
        }
        "application/merge-patch+json" => {
            if !sent.is_object() {
                return Err(Failure::bad_request("a merge patch is an object"));
            }
            let mut value = old.clone();
            patch::merge(&mut value, sent);
            Ok(value)
        }
        _ => {
            if !is_built_in(resource) {
                return Err(Failure::unsupported_media_type(
                    "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
                ));
            }
            strategic::apply(&resource.kind, old, sent).map_err(|error| match error {
                PatchError::Malformed(why) => Failure::bad_request(why),
                PatchError::Inapplicable(why) => Failure::internal(&why),
            })
        }
    }
}

/// Kinds that the server has types for; of others no list has a merge key.
fn is_built_in(resource: &Resource) -> bool {
    resource.group.is_empty() || resource.group.ends_with(".k8s.io") || !resource.group.contains('.')
}

/// Server-side apply.
fn apply_patch(world: &mut World, request: &Request, target: &Target) -> Result<Response, Failure> {
    if request.parameter("fieldManager").is_none() {
        return Err(Failure::bad_request(
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
        ));
    }
    let sent = body::yaml(&request.body)?;
    if !sent.is_object() {
        return Err(Failure::bad_request("an apply patch is an object"));
    }
    body::check_kind(&sent, target)?;
    if sent.pointer("/metadata/managedFields").is_some_and(|all| !all.is_null()) {
        return Err(Failure::bad_request("metadata.managedFields must be nil"));
    }
    let Some(old) = store(world)?.get(target.index, &target.key()).cloned() else {
        if target.subresource.is_some() {
            return Err(Failure::not_found(&target.resource, target.name()));
        }
        let mut sent = sent;
        if !sent["metadata"].is_object() {
            sent["metadata"] = json!({});
        }
        sent["metadata"]["name"] = json!(target.name());
        return create::create_object(world, request, target, &sent, true);
    };
    let decoded = decode_body(&target.resource, &sent)?;
    let warnings = body::field_validation(request, &target.resource, &decoded, &[])?;
    // What the client said, without what an empty object gets by being read.
    let applied = decoded.value;
    let subresource = target.subresource.map_or("", Subresource::name);
    let merged = apply::merge(
        &target.resource,
        &old,
        &applied,
        &managed::manager(request),
        subresource,
        request.flag("force"),
    )
    .map_err(|causes| Failure::apply_conflict(&target.resource, target.name(), causes))?;
    let decoded = decode_body(&target.resource, &merged)?;
    finish(world, request, target, &old, decoded.value, Some(&applied), warnings)
}

/// Checks and stores what was wanted; answers with what stands now.
fn finish(
    world: &mut World,
    request: &Request,
    target: &Target,
    old: &Arc<Value>,
    mut new: Value,
    applied: Option<&Value>,
    warnings: Vec<String>,
) -> Result<Response, Failure> {
    let resource = &target.resource;
    let dry = dry_run(request, None)?;
    let status = target.subresource == Some(Subresource::Status);
    let version = |value: &Value| value.pointer("/metadata/resourceVersion").cloned();
    if version(&new).is_some_and(|asked| asked != json!("") && Some(asked) != version(old)) {
        return Err(Failure::modified(resource, target.name()));
    }
    let uid = |value: &Value| value.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or("").to_owned();
    if !uid(&new).is_empty() && uid(&new) != uid(old) {
        let why = format!(
            "Precondition failed: UID in precondition: {}, UID in object meta: {}",
            uid(&new),
            uid(old)
        );
        return Err(Failure::conflict(resource, target.name(), &why));
    }
    keep(old, &mut new, status);
    if !status {
        defaults::apply(resource, &mut new);
        keep_status(old, &mut new, resource);
        if resource.kind == "Service" {
            service::allocate(world, &mut new, Some(old));
        }
        if resource.kind == "Secret" {
            create::encode_texts(&mut new);
        }
    }
    let causes = validate::object(resource, &new, Some(old));
    if !causes.is_empty() {
        return Err(Failure::invalid(resource, target.name(), causes));
    }
    // What stands may have been imported as somebody wrote it; only what it means counts as a change.
    let before = if status { (**old).clone() } else { normal(resource, old) };
    let changed = !managed::same(&before, &new);
    if changed && !status && has_generation(resource) {
        raise_generation(resource, &before, &mut new);
    }
    let now = world.timestamp(world.now() as i64);
    let subresource = target.subresource.map_or("", Subresource::name);
    managed::on_write(
        resource,
        Some(&before),
        &mut new,
        &managed::manager(request),
        applied,
        subresource,
        &now,
    );
    let managers_changed = new.pointer("/metadata/managedFields") != old.pointer("/metadata/managedFields");
    fits(&new)?;
    let writes = changed || applied.is_some() && managers_changed;
    let stored = if dry || !writes {
        if changed { Arc::new(new) } else { old.clone() }
    } else {
        if before.pointer("/spec/template") != new.pointer("/spec/template") {
            // Templates of the past are kept for the pods that have them.
            world.charge(bounds::weight(&new));
        }
        let entry = world.written("update", resource, &target.key());
        world
            .update_object(target.index, &before, new, status, entry)
            .map_err(|why| Failure::bad_request(format!("{}: {why}", resource.kind)))?
    };
    written(200, world, request, resource, &stored, warnings)
}

/// An object as it would stand had it been written here.
fn normal(resource: &Resource, old: &Value) -> Value {
    let Ok(decoded) = content::decode(resource, old) else { return old.clone() };
    let mut value = decoded.value;
    defaults::apply(resource, &mut value);
    keep_status(old, &mut value, resource);
    value
}

/// What of an object only the server writes, and what this path does not write.
fn keep(old: &Value, new: &mut Value, status: bool) {
    let empty = json!({});
    let before = old.get("metadata").unwrap_or(&empty);
    if status {
        // All but the status stays; of the metadata, labels and the like may be written along.
        let wanted = new.get("status").cloned();
        let mut value = old.clone();
        if let Some(fields) = value.as_object_mut() {
            match wanted {
                Some(wanted) => fields.insert("status".into(), wanted),
                None => fields.shift_remove("status"),
            };
        }
        *new = value;
        return;
    }
    if !new["metadata"].is_object() {
        new["metadata"] = json!({});
    }
    if let Some(meta) = new["metadata"].as_object_mut() {
        // Names and the like are checked, not restored: a change of them is refused.
        for field in [
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "generation",
            "managedFields",
            "selfLink",
        ] {
            match before.get(field) {
                Some(value) => {
                    meta.insert(field.into(), value.clone());
                }
                None => {
                    meta.shift_remove(field);
                }
            }
        }
        for field in ["name", "namespace"] {
            if !meta.contains_key(field)
                && let Some(value) = before.get(field)
            {
                meta.insert(field.into(), value.clone());
            }
        }
    }
}

fn keep_status(old: &Value, new: &mut Value, resource: &Resource) {
    if !resource.subresources.contains(&Subresource::Status) {
        return;
    }
    if let Some(fields) = new.as_object_mut() {
        match old.get("status") {
            Some(status) => fields.insert("status".into(), status.clone()),
            None => fields.shift_remove("status"),
        };
    }
}

fn has_generation(resource: &Resource) -> bool {
    !matches!(
        resource.kind.as_str(),
        "Node"
            | "Service"
            | "ConfigMap"
            | "Secret"
            | "Lease"
            | "Namespace"
            | "ServiceAccount"
            | "Event"
            | "Endpoints"
            | "HorizontalPodAutoscaler"
            | "PersistentVolume"
            | "PersistentVolumeClaim"
            | "ResourceQuota"
            | "LimitRange"
    )
}

/// The generation counts changes of what is wanted; of a Deployment, changes of its annotations as well, because they
/// reach its ReplicaSet.
fn raise_generation(resource: &Resource, old: &Value, new: &mut Value) {
    let differs = |field: &str| old.get(field) != new.get(field);
    let annotations = |value: &Value| value.pointer("/metadata/annotations").cloned();
    let raised = differs("spec") || resource.kind == "Deployment" && annotations(old) != annotations(new);
    if raised {
        let generation = old.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or(1);
        new["metadata"]["generation"] = json!(generation.saturating_add(1));
    }
}
