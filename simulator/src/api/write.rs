//! Writes: which method on which target does what.

use serde_json::{Value, json};

use super::{
    failure::Failure,
    objects::{self, Shape},
    resources::{Resource, Subresource},
    route::Target,
};
use crate::{
    http::{Method, Request, Response},
    world::{World, bounds},
};

mod body;
mod create;
mod delete;
mod pods;
mod review;
mod scale;
mod service;
mod update;

pub(super) use scale::scale_of;

pub(super) fn answer(world: &mut World, request: &Request, target: &Target) -> Result<Response, Failure> {
    if target.resource.transient {
        return match request.method {
            Method::Post if target.name.is_none() => review::answer(world, request, target),
            _ => Err(Failure::method_not_allowed()),
        };
    }
    if request.method != Method::Delete && world.is_full() {
        return Err(Failure::no_space());
    }
    match (request.method, &target.name, target.subresource) {
        (Method::Post, None, None) => create::create(world, request, target),
        (Method::Post, Some(_), Some(Subresource::Eviction)) => pods::evict(world, request, target),
        (Method::Post, Some(_), Some(Subresource::Binding)) => pods::bind(world, request, target),
        (Method::Put, Some(_), None | Some(Subresource::Status)) => update::update(world, request, target),
        (Method::Patch, Some(_), None | Some(Subresource::Status)) => update::patch(world, request, target),
        (Method::Put | Method::Patch, Some(_), Some(Subresource::Scale)) => {
            scale::write(world, request, target)
        }
        (Method::Delete, Some(_), None) => delete::one(world, request, target),
        (Method::Delete, None, None) => delete::collection(world, request, target),
        _ => Err(Failure::method_not_allowed()),
    }
}

/// Largest object that is stored, in bytes of JSON: 1.5 MiB. Source: etcd, `--max-request-bytes`.
const OBJECT_BYTES_MAX: usize = 3 << 19;

/// Refuses an object that is too large to be stored.
fn fits(value: &Value) -> Result<(), Failure> {
    // Text is written out only where the estimate, which is never far below it, leaves a doubt.
    if bounds::weight(value) > OBJECT_BYTES_MAX && value.to_string().len() > OBJECT_BYTES_MAX {
        return Err(Failure::object_too_large());
    }
    Ok(())
}

/// Whether the request is only to be tried.
fn dry_run(request: &Request, options: Option<&Value>) -> Result<bool, Failure> {
    let in_body = options.and_then(|options| options.get("dryRun")).and_then(Value::as_array);
    let asked: Vec<&str> = request
        .parameter("dryRun")
        .into_iter()
        .chain(in_body.into_iter().flatten().filter_map(Value::as_str))
        .collect();
    match asked.iter().find(|one| **one != "All") {
        Some(other) => Err(Failure::bad_request(format!(
            "dryRun: Unsupported value: \"{other}\": supported values: \"All\""
        ))),
        None => Ok(!asked.is_empty()),
    }
}

/// The answer to what is stored, or would be; each warning is for people.
fn written(
    code: u16,
    world: &World,
    request: &Request,
    resource: &Resource,
    stored: &Value,
    warnings: Vec<String>,
) -> Result<Response, Failure> {
    let (shape, now) = (Shape::of(request)?, world.wall(world.now() as i64));
    let mut response = Response::new(code, "application/json", objects::one(resource, stored, shape, now));
    for warning in warnings {
        // Source: apiserver, `net.NewWarningHeader`; 299: a warning that stays true.
        let told = warning.replace(['"', '\\'], "'");
        response.headers.push(("warning", format!("299 - \"{told}\"")));
    }
    Ok(response)
}

/// The answer to what is done and leaves nothing to show.
fn success(target: &Target, uid: Option<&Value>, code: u16) -> Response {
    let mut details = json!({"name": target.name, "kind": target.resource.plural});
    if !target.resource.group.is_empty() {
        details["group"] = json!(target.resource.group);
    }
    if let Some(uid) = uid {
        details["uid"] = uid.clone();
    }
    Response::json(
        code,
        &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
            "details": details}),
    )
}
