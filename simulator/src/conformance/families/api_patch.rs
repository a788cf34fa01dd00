//! The answer to a PATCH of an object that stands.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Answer, CaseError, meaningless,
    served::{Server, world_of},
};
use crate::http::Method;

#[derive(Deserialize)]
struct Case {
    kind: String,
    base: Value,
    content_type: String,
    patch: Value,
    code: u16,
    result: Option<Value>,
    reason: Option<String>,
    #[serde(default)]
    causes: Vec<Value>,
}

/// Written by a controller soon after a node appears: `base` is what was seen when the node was made, and a recorded
/// result shows whether the controller was faster than the patch.
const NODE_TTL: &str = "node.alpha.kubernetes.io/ttl";

/// Likewise, a taint that a controller removes.
const NOT_READY: &str = "node.kubernetes.io/not-ready";

/// The node as it stood when the patch came.
fn as_controllers_left_it(base: &mut Value, result: &Value) {
    if let Some(ttl) = result["metadata"]["annotations"].get(NODE_TTL) {
        if !base["metadata"]["annotations"].is_object() {
            base["metadata"]["annotations"] = json!({});
        }
        base["metadata"]["annotations"][NODE_TTL] = ttl.clone();
    }
    let tainted = |value: &Value| {
        let taints = value.pointer("/spec/taints").and_then(Value::as_array);
        taints.into_iter().flatten().any(|taint| taint["key"] == NOT_READY)
    };
    if !tainted(result)
        && let Some(taints) = base.pointer_mut("/spec/taints").and_then(Value::as_array_mut)
    {
        taints.retain(|taint| taint["key"] != NOT_READY);
    }
}

pub(in super::super) fn run(line: &[u8]) -> Result<Answer, CaseError> {
    let case: Case = serde_json::from_slice(line)?;
    let mut base = case.base;
    let text =
        |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let name = text(&base, "/metadata/name").ok_or_else(|| meaningless("base", "an object without name"))?;
    // Whatever version a patch names is a stale one.
    base["metadata"]["resourceVersion"] = json!("1000");
    if let Some(result) = case.result.as_ref().filter(|_| case.kind == "Node") {
        as_controllers_left_it(&mut base, result);
    }
    let path = match (case.kind.as_str(), text(&base, "/metadata/namespace")) {
        ("Deployment", Some(namespace)) => format!("/apis/apps/v1/namespaces/{namespace}/deployments/{name}"),
        ("Service", Some(namespace)) => format!("/api/v1/namespaces/{namespace}/services/{name}"),
        ("Node", None) => format!("/api/v1/nodes/{name}"),
        _ => return Err(meaningless("kind", case.kind)),
    };
    let mut server = Server::start(world_of(&[base])?)?;
    let answered = server.ask(Method::Patch, &path, &case.content_type, &case.patch)?;
    let got = if answered.code == 200 {
        json!({"code": 200, "result": comparable(answered.body)})
    } else {
        let causes = answered.body.pointer("/details/causes").and_then(Value::as_array);
        let causes: Vec<Value> = causes.into_iter().flatten().map(field_and_reason).collect();
        json!({"code": answered.code, "reason": answered.body.get("reason"), "causes": causes})
    };
    let expected = match case.result {
        Some(result) if case.code == 200 => json!({"code": 200, "result": comparable(result)}),
        _ => {
            let causes: Vec<Value> = case.causes.iter().map(field_and_reason).collect();
            json!({"code": case.code, "reason": case.reason, "causes": causes})
        }
    };
    Ok(Answer::compare(expected, got))
}

fn field_and_reason(cause: &Value) -> Value {
    json!({"field": cause.get("field"), "reason": cause.get("reason")})
}

/// An object without what differs from server to server.
fn comparable(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.shift_remove("status");
    }
    if let Some(meta) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in ["uid", "resourceVersion", "creationTimestamp", "managedFields"] {
            meta.shift_remove(field);
        }
    }
    value
}
