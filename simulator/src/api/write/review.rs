//! Questions of clients about themselves: who am I, and may I. Everybody may do everything here.

use serde_json::{Value, json};

use super::body;
use crate::{
    api::{Failure, Request, Response, route::Target},
    world::World,
};

pub(super) fn answer(_world: &World, request: &Request, target: &Target) -> Result<Response, Failure> {
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
            json!({"allowed": true, "reason": "everybody may do everything in a simulated cluster"})
        }
    };
    Ok(Response::json(201, &review))
}
