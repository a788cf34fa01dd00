//! Questions of clients about themselves: who am I, and may I. Everybody may do everything that is served here.

use serde_json::{Value, json};

use super::body;
use crate::{
    api::{Failure, Request, Response, route::Target},
    world::World,
};

pub(super) fn answer(world: &World, request: &Request, target: &Target) -> Result<Response, Failure> {
    let mut review = body::object(request)?;
    body::check_kind(&review, target)?;
    review["kind"] = json!(target.resource.kind);
    review["apiVersion"] = json!(target.resource.api_version());
    if !review["metadata"].is_object() {
        review["metadata"] = json!({});
    }
    let anything = json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]);
    review["status"] = match target.resource.kind.as_str() {
        "SelfSubjectReview" => {
            json!({"userInfo": {"username": "nodeferry", "groups": ["system:masters", "system:authenticated"]}})
        }
        "SelfSubjectRulesReview" => json!({"resourceRules": anything,
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}], "incomplete": false}),
        _ => {
            let asked = |field: &str| review["spec"].get(field).is_some_and(Value::is_object);
            if !asked("resourceAttributes") && !asked("nonResourceAttributes") {
                return Err(Failure::bad_request(
                    "spec: exactly one of nonResourceAttributes or resourceAttributes must be specified",
                ));
            }
            match review["spec"].get("resourceAttributes").map(|asked| unserved(world, asked)) {
                Some(Some(why)) => json!({"allowed": false, "reason": why}),
                _ => json!({"allowed": true, "reason": "everybody may do everything in a simulated cluster"}),
            }
        }
    };
    Ok(Response::json(201, &review))
}

/// Why a request would come to nothing although nobody forbids it: there is no such resource, or it has no such verb.
fn unserved(world: &World, asked: &Value) -> Option<String> {
    let text = |field: &str| asked.get(field).and_then(Value::as_str).unwrap_or("");
    let any = |field: &str, name: &str| text(field) == name || text(field) == "*";
    if text("resource") == "*" || text("group") == "*" {
        return None;
    }
    let resources = world.store()?.resources();
    let Some(resource) =
        resources.iter().find(|one| one.plural == text("resource") && one.group == text("group"))
    else {
        return Some("the simulated cluster serves no such resource".into());
    };
    let verbs = match text("subresource") {
        "" => resource.verbs(),
        "*" => return None,
        name => match resource.subresources.iter().find(|one| one.name() == name) {
            Some(subresource) => subresource.verbs(),
            None => return Some("the simulated cluster serves no such subresource".into()),
        },
    };
    let served = verbs.iter().any(|verb| any("verb", verb));
    // Verbs that RBAC alone knows: they guard writes that are served.
    let guards = ["bind", "escalate", "impersonate", "use", "approve", "sign", "deletecollection"];
    (!served && !guards.contains(&text("verb")))
        .then(|| "the simulated cluster does not serve this verb of the resource".into())
}
