//! Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1 as api;
use serde_json::{Value, json};

use super::{Causes, meta, pod, text};
use crate::selector::LabelSelector;

const NO_MATCH: &str = "`selector` does not match template `labels`";

fn spec_of(value: &Value) -> Value {
    value.get("spec").cloned().unwrap_or_else(|| json!({}))
}

/// Selector and template that belong together, and the restart policies that the template may have.
fn selected_template(spec: &Value, kind: &str, policies: &[&str], causes: &mut Causes) {
    match spec.get("selector") {
        None | Some(Value::Null) => causes.required("spec.selector", ""),
        Some(selector) => {
            meta::selector(selector, "spec.selector", causes);
            let nothing = |field: &str| {
                selector.get(field).is_none_or(|all| {
                    all.as_object().is_some_and(serde_json::Map::is_empty)
                        || all.as_array().is_some_and(Vec::is_empty)
                })
            };
            if nothing("matchLabels") && nothing("matchExpressions") {
                let why = format!("empty selector is invalid for {kind}");
                causes.invalid("spec.selector", selector, &why);
            }
        }
    }
    let empty = json!({});
    let template = spec.get("template").unwrap_or(&empty);
    if let Some(selector) = spec.get("selector").filter(|one| one.is_object())
        && let Ok(selector) = serde_json::from_value::<api::LabelSelector>(selector.clone())
        && let Ok(selector) = LabelSelector::compile(Some(&selector))
    {
        let labels = template.pointer("/metadata/labels").cloned().unwrap_or_else(|| json!({}));
        let map: BTreeMap<String, String> = serde_json::from_value(labels.clone()).unwrap_or_default();
        if !selector.matches(&map) {
            causes.invalid("spec.template.metadata.labels", &labels, NO_MATCH);
        }
    }
    pod::template(template, "spec.template", causes);
    let policy = template.pointer("/spec/restartPolicy").cloned().unwrap_or_default();
    if !policy.as_str().is_some_and(|policy| policies.contains(&policy)) {
        causes.not_supported("spec.template.spec.restartPolicy", &policy, policies);
    }
    if template.pointer("/spec/activeDeadlineSeconds").is_some() && policies == ["Always"] {
        let why = format!("activeDeadlineSeconds in {kind} is not Supported");
        causes.forbidden("spec.template.spec.activeDeadlineSeconds", &why);
    }
}

fn immutable_selector(spec: &Value, old: Option<&Value>, causes: &mut Causes) {
    if let Some(old) = old.and_then(|old| old.get("spec")) {
        causes.immutable("spec.selector", spec.get("selector"), old.get("selector"));
    }
}

pub(super) fn deployment(value: &Value, old: Option<&Value>, causes: &mut Causes) {
    let spec = spec_of(value);
    causes.not_negative("spec.replicas", spec.get("replicas"));
    selected_template(&spec, "deployment", &["Always"], causes);
    strategy(&spec, causes);
    causes.not_negative("spec.minReadySeconds", spec.get("minReadySeconds"));
    causes.not_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit"));
    if let Some(deadline) = spec.get("progressDeadlineSeconds") {
        causes.not_negative("spec.progressDeadlineSeconds", Some(deadline));
        let least = spec.get("minReadySeconds").and_then(Value::as_i64).unwrap_or(0);
        if deadline.as_i64().is_some_and(|deadline| deadline <= least) {
            causes.invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds");
        }
    }
    immutable_selector(&spec, old, causes);
}

fn strategy(spec: &Value, causes: &mut Causes) {
    let empty = json!({});
    let strategy = spec.get("strategy").unwrap_or(&empty);
    let rolling = strategy.get("rollingUpdate").filter(|one| !one.is_null());
    match text(strategy, "type") {
        "Recreate" => {
            if rolling.is_some() {
                let why = "may not be specified when strategy `type` is 'Recreate'";
                causes.forbidden("spec.strategy.rollingUpdate", why);
            }
        }
        "RollingUpdate" => match rolling {
            None => {
                causes.required("spec.strategy.rollingUpdate", "this should be defaulted and never be nil")
            }
            Some(rolling) => rolling_update(rolling, "spec.strategy.rollingUpdate", causes),
        },
        _ => {
            let of_type = strategy.get("type").cloned().unwrap_or(json!(""));
            causes.not_supported("spec.strategy.type", &of_type, &["Recreate", "RollingUpdate"]);
        }
    }
}

fn rolling_update(rolling: &Value, field: &str, causes: &mut Causes) {
    for part in ["maxUnavailable", "maxSurge"] {
        amount(rolling.get(part), &format!("{field}.{part}"), causes);
    }
    let number = |part: &str| rolling.get(part).map(share);
    if number("maxUnavailable") == Some(Some(0)) && number("maxSurge") == Some(Some(0)) {
        let value = rolling.get("maxUnavailable").cloned().unwrap_or_default();
        causes.invalid(&format!("{field}.maxUnavailable"), &value, "may not be 0 when `maxSurge` is 0");
    }
    if rolling.get("maxUnavailable").and_then(percent).is_some_and(|percent| percent > 100) {
        let value = rolling.get("maxUnavailable").cloned().unwrap_or_default();
        causes.invalid(&format!("{field}.maxUnavailable"), &value, "must not be greater than 100%");
    }
}

fn percent(value: &Value) -> Option<i64> {
    value.as_str()?.strip_suffix('%')?.parse().ok()
}

fn share(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| percent(value))
}

/// A number, or a percentage.
pub(super) fn amount(value: Option<&Value>, field: &str, causes: &mut Causes) {
    match value {
        None | Some(Value::Null) => {}
        Some(Value::String(text)) => {
            let digits = text.strip_suffix('%').unwrap_or("");
            if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_digit()) {
                let why = "a valid percent string must be a numeric string followed by an ending '%'";
                causes.invalid(field, &json!(text), why);
            }
        }
        Some(number) => causes.not_negative(field, Some(number)),
    }
}

pub(super) fn replica_set(value: &Value, old: Option<&Value>, causes: &mut Causes) {
    let spec = spec_of(value);
    causes.not_negative("spec.replicas", spec.get("replicas"));
    causes.not_negative("spec.minReadySeconds", spec.get("minReadySeconds"));
    selected_template(&spec, "deployment", &["Always"], causes);
    immutable_selector(&spec, old, causes);
}

pub(super) fn stateful_set(value: &Value, old: Option<&Value>, causes: &mut Causes) {
    let spec = spec_of(value);
    let policies = ["OrderedReady", "Parallel"];
    match text(&spec, "podManagementPolicy") {
        "" => causes.required("spec.podManagementPolicy", ""),
        policy if policies.contains(&policy) => {}
        policy => {
            let why = "must be 'OrderedReady' or 'Parallel'";
            causes.invalid("spec.podManagementPolicy", &json!(policy), why);
        }
    }
    match spec.pointer("/updateStrategy/type").and_then(Value::as_str) {
        Some("RollingUpdate" | "OnDelete") => {}
        other => {
            let why = "must be 'RollingUpdate' or 'OnDelete'";
            causes.invalid("spec.updateStrategy", &json!(other), why);
        }
    }
    causes.not_negative("spec.replicas", spec.get("replicas"));
    causes.not_negative("spec.minReadySeconds", spec.get("minReadySeconds"));
    selected_template(&spec, "statefulset", &["Always"], causes);
    let Some(before) = old.and_then(|old| old.get("spec")) else { return };
    let free = [
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    ];
    let rest = |spec: &Value| {
        let mut spec = spec.clone();
        if let Some(fields) = spec.as_object_mut() {
            fields.retain(|key, value| !free.contains(&key.as_str()) && !value.is_null());
        }
        spec
    };
    if rest(&spec) != rest(before) {
        causes.forbidden(
            "spec",
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', \
             'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        );
    }
}

pub(super) fn daemon_set(value: &Value, old: Option<&Value>, causes: &mut Causes) {
    let spec = spec_of(value);
    selected_template(&spec, "daemonset", &["Always"], causes);
    causes.not_negative("spec.minReadySeconds", spec.get("minReadySeconds"));
    let empty = json!({});
    let strategy = spec.get("updateStrategy").unwrap_or(&empty);
    match text(strategy, "type") {
        "OnDelete" => {}
        "RollingUpdate" => {
            if let Some(rolling) = strategy.get("rollingUpdate") {
                for part in ["maxUnavailable", "maxSurge"] {
                    let field = format!("spec.updateStrategy.rollingUpdate.{part}");
                    amount(rolling.get(part), &field, causes);
                }
            }
        }
        other => causes.not_supported("spec.updateStrategy", &json!(other), &["OnDelete", "RollingUpdate"]),
    }
    causes.not_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit"));
    immutable_selector(&spec, old, causes);
}

pub(super) fn job(value: &Value, old: Option<&Value>, causes: &mut Causes) {
    let spec = spec_of(value);
    for field in
        ["parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"]
    {
        causes.not_negative(&format!("spec.{field}"), spec.get(field));
    }
    let empty = json!({});
    let template = spec.get("template").unwrap_or(&empty);
    pod::template(template, "spec.template", causes);
    let policies = ["OnFailure", "Never"];
    match template.pointer("/spec/restartPolicy").and_then(Value::as_str) {
        Some(policy) if policies.contains(&policy) => {}
        None | Some("" | "Always") => {
            causes.required("spec.template.spec.restartPolicy", "valid values: \"OnFailure\", \"Never\"");
        }
        Some(other) => causes.not_supported("spec.template.spec.restartPolicy", &json!(other), &policies),
    }
    let Some(before) = old.and_then(|old| old.get("spec")) else { return };
    for field in ["selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex"] {
        causes.immutable(&format!("spec.{field}"), spec.get(field), before.get(field));
    }
    if text(&spec, "completionMode") != "Indexed" {
        causes.immutable("spec.completions", spec.get("completions"), before.get("completions"));
    }
    causes.immutable("spec.template", spec.get("template"), before.get("template"));
}
