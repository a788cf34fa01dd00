//! The answers to evictions of the pods of a ReplicaSet, one after the other.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Answer, CaseError, phase,
    served::{Server, world_of},
};
use crate::http::Method;

/// Between two evictions, in milliseconds.
const APART: u64 = 250;

#[derive(Deserialize)]
struct Case {
    replicas: u32,
    pdbs: Vec<Value>,
    evictions_in_order: Vec<Eviction>,
}

#[derive(Deserialize)]
struct Eviction {
    ready: bool,
    phase: String,
    code: u16,
    retry_after: Option<Value>,
    reason: Option<String>,
    #[serde(default)]
    cause: Vec<String>,
}

pub(in super::super) fn run(line: &[u8]) -> Result<Answer, CaseError> {
    let case: Case = serde_json::from_slice(line)?;
    let labels = json!({"app": "case"});
    let template = json!({"containers": [{"name": "case", "image": "case:1"}],
        "terminationGracePeriodSeconds": 600});
    // A node that nobody reports for: its pods stay as they are.
    let mut objects = vec![
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "case"},
            "status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}),
        json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": "case", "namespace": "default", "uid": "case"},
            "spec": {"replicas": case.replicas, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": template}}}),
    ];
    for (index, pdb) in case.pdbs.iter().enumerate() {
        let mut spec = pdb.clone();
        if let Some(fields) = spec.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
            fields.insert("selector".into(), json!({"matchLabels": labels}));
        }
        objects.push(json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": {"name": format!("case-{index}"), "namespace": "default"}, "spec": spec}));
    }
    for (index, eviction) in case.evictions_in_order.iter().enumerate() {
        phase(&eviction.phase)?;
        let mut spec = template.clone();
        spec["nodeName"] = json!("case");
        let ready = if eviction.ready { "True" } else { "False" };
        objects.push(json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("case-{index}"), "namespace": "default", "labels": labels,
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "case",
                    "uid": "case", "controller": true}]},
            "spec": spec,
            "status": {"phase": eviction.phase, "conditions": [{"type": "Ready", "status": ready}]}}));
    }
    let mut server = Server::start(world_of(&objects)?)?;
    let (mut expected, mut got) = (Vec::new(), Vec::new());
    for (index, eviction) in case.evictions_in_order.iter().enumerate() {
        let body = json!({"apiVersion": "policy/v1", "kind": "Eviction",
            "metadata": {"name": format!("case-{index}"), "namespace": "default"}});
        let path = format!("/api/v1/namespaces/default/pods/case-{index}/eviction");
        let answered = server.ask(Method::Post, &path, "application/json", &body)?;
        let causes = answered.body.pointer("/details/causes").and_then(Value::as_array);
        let reasons: Vec<&Value> =
            causes.into_iter().flatten().filter_map(|cause| cause.get("reason")).collect();
        got.push(json!({"code": answered.code, "retry_after": answered.retry_after,
            "reason": answered.body.get("reason"), "cause": reasons}));
        let retry_after = eviction.retry_after.as_ref().and_then(|value| match value {
            Value::String(text) => text.parse::<u64>().ok(),
            other => other.as_u64(),
        });
        expected.push(json!({"code": eviction.code, "retry_after": retry_after, "reason": eviction.reason,
            "cause": eviction.cause}));
        server.pass(APART);
    }
    Ok(Answer::compare(Value::Array(expected), Value::Array(got)))
}
