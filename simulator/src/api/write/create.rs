//! Creation of objects.

use serde_json::{Value, json};

use super::{body, dry_run, fits, service, written};
use crate::{
    api::{
        Failure, Request, Response, base64, content, defaults, managed, read::store, route::Target, validate,
    },
    world::{World, bounds, store::key_of, writes::WriteError},
};

/// Creates an object from the body.
pub(super) fn create(world: &mut World, request: &Request, target: &Target) -> Result<Response, Failure> {
    let sent = body::object(request)?;
    body::check_kind(&sent, target)?;
    create_object(world, request, target, &sent, false)
}

/// Creates an object, as POST or an apply of what is not there does.
pub(super) fn create_object(
    world: &mut World,
    request: &Request,
    target: &Target,
    sent: &Value,
    applied: bool,
) -> Result<Response, Failure> {
    let options_dry = dry_run(request, None)?;
    let resource = &target.resource;
    if resource.namespaced && target.namespace.is_none() {
        return Err(Failure::method_not_allowed());
    }
    let decoded = content::decode(resource, sent).map_err(|why| {
        Failure::bad_request(format!(
            "{} in version \"{}\" cannot be handled as a {}: {why}",
            resource.kind, resource.version, resource.kind
        ))
    })?;
    let warnings = body::field_validation(request, resource, &decoded, &[])?;
    let mut value = decoded.value;
    prepare_meta(world, &mut value, target)?;
    let key = key_of(&value);
    if let Some(namespace) = &target.namespace {
        let namespaces = store(world)?.find("", "v1", "namespaces").ok_or_else(Failure::no_path)?;
        match store(world)?.get(namespaces, &("".into(), namespace.clone())) {
            None => return Err(Failure::no_namespace(namespace)),
            Some(found) if found.pointer("/metadata/deletionTimestamp").is_some() => {
                let why = format!(
                    "unable to create new content in namespace {namespace} because it is being terminated"
                );
                return Err(Failure::forbidden(resource, &key.1, &why));
            }
            Some(_) => {}
        }
    }
    defaults::apply(resource, &mut value);
    if resource.kind == "Service" {
        service::allocate(world, &mut value, None);
    }
    if resource.kind == "Node" {
        not_ready(&mut value);
    }
    if resource.kind == "Secret" {
        encode_texts(&mut value);
    }
    let causes = validate::object(resource, &value, None);
    if !causes.is_empty() {
        return Err(Failure::invalid(resource, &key.1, causes));
    }
    if store(world)?.get(target.index, &key).is_some() {
        return Err(Failure::already_exists(resource, &key.1));
    }
    let now = world.timestamp(world.now() as i64);
    managed::on_write(
        resource,
        None,
        &mut value,
        &managed::manager(request),
        applied.then_some(sent),
        "",
        &now,
    );
    fits(&value)?;
    let stored = if options_dry {
        value["metadata"]["uid"] = json!("00000000-0000-4000-8000-000000000000");
        value["metadata"]["creationTimestamp"] = json!(now);
        std::sync::Arc::new(value)
    } else {
        if resource.kind == "Pod" || value.pointer("/spec/template").is_some() {
            world.charge(bounds::weight(&value));
        }
        let entry = world.written("create", resource, &key);
        world.create_object(target.index, value, entry).map_err(|error| match error {
            WriteError::Quota | WriteError::Full(_) => {
                Failure::forbidden(resource, &key.1, &error.to_string())
            }
            _ => Failure::bad_request(format!("{}: {error}", resource.kind)),
        })?
    };
    written(201, world, request, resource, &stored, warnings)
}

/// What a client may not choose is taken away; name and namespace are settled.
fn prepare_meta(world: &mut World, value: &mut Value, target: &Target) -> Result<(), Failure> {
    if !value["metadata"].is_object() {
        value["metadata"] = json!({});
    }
    if target.resource.subresources.contains(&crate::api::resources::Subresource::Status)
        && !matches!(target.resource.kind.as_str(), "Node" | "Namespace")
        && let Some(fields) = value.as_object_mut()
    {
        fields.shift_remove("status");
    }
    let text = |value: &Value, field: &str| {
        value["metadata"].get(field).and_then(Value::as_str).unwrap_or("").to_owned()
    };
    if !text(value, "resourceVersion").is_empty() {
        return Err(Failure::bad_request("resourceVersion should not be set on objects to be created"));
    }
    let namespace = text(value, "namespace");
    match &target.namespace {
        Some(of) if !namespace.is_empty() && *namespace != **of => {
            return Err(Failure::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        Some(of) => value["metadata"]["namespace"] = json!(of),
        None => {
            if let Some(meta) = value["metadata"].as_object_mut() {
                meta.shift_remove("namespace");
            }
        }
    }
    let name = text(value, "name");
    if let Some(wanted) = target.name.as_deref().filter(|wanted| !name.is_empty() && name != **wanted) {
        return Err(Failure::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({wanted})"
        )));
    }
    let generate = text(value, "generateName");
    if name.is_empty() && !generate.is_empty() {
        let suffix = world.generated_suffix();
        let most = generate.char_indices().nth(58).map_or(generate.len(), |(index, _)| index);
        let stem = generate.get(..most).unwrap_or("");
        value["metadata"]["name"] = json!(format!("{stem}{suffix}"));
    }
    if let Some(meta) = value["metadata"].as_object_mut() {
        for field in [
            "uid",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "selfLink",
            "generation",
        ] {
            meta.shift_remove(field);
        }
    }
    Ok(())
}

/// A node that registers is not ready yet: admission taints it.
fn not_ready(value: &mut Value) {
    const KEY: &str = "node.kubernetes.io/not-ready";
    if !value["spec"].is_object() {
        value["spec"] = json!({});
    }
    let taints = &mut value["spec"]["taints"];
    if !taints.is_array() {
        *taints = json!([]);
    }
    if let Some(list) = taints.as_array_mut()
        && !list.iter().any(|taint| taint["key"] == KEY)
    {
        list.push(json!({"key": KEY, "effect": "NoSchedule"}));
    }
}

/// `stringData` of a Secret is for writing only.
pub(super) fn encode_texts(value: &mut Value) {
    let Some(texts) = value.as_object_mut().and_then(|fields| fields.shift_remove("stringData")) else {
        return;
    };
    if !value["data"].is_object() {
        value["data"] = json!({});
    }
    for (key, text) in texts.as_object().into_iter().flatten() {
        value["data"][key] = json!(base64::encode(text.as_str().unwrap_or("").as_bytes()));
    }
}
