//! Disruption budgets, autoscalers, leases, configuration.

use serde_json::{Value, json};

use super::{super::resources::Resource, Causes, list, meta, text, workload::amount};

/// All data of a ConfigMap or Secret together, in bytes. Source: `MaxSecretSize`.
const DATA_BYTES_MAX: usize = 1 << 20;

pub(super) fn budget(value: &Value, causes: &mut Causes) {
    let empty = json!({});
    let spec = value.get("spec").unwrap_or(&empty);
    let both = spec.get("minAvailable").is_some() && spec.get("maxUnavailable").is_some();
    if both {
        causes.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set");
    }
    for field in ["minAvailable", "maxUnavailable"] {
        let at = format!("spec.{field}");
        amount(spec.get(field), &at, causes);
        let over = spec
            .get(field)
            .and_then(Value::as_str)
            .and_then(|text| text.strip_suffix('%')?.parse::<i64>().ok())
            .is_some_and(|percent| percent > 100);
        if over {
            causes.invalid(&at, spec.get(field).unwrap_or(&Value::Null), "must not be greater than 100%");
        }
    }
    if let Some(selector) = spec.get("selector") {
        meta::selector(selector, "spec.selector", causes);
    }
    causes.one_of(
        "spec.unhealthyPodEvictionPolicy",
        spec.get("unhealthyPodEvictionPolicy"),
        &["AlwaysAllow", "IfHealthyBudget"],
    );
}

pub(super) fn autoscaler(value: &Value, causes: &mut Causes) {
    let empty = json!({});
    let spec = value.get("spec").unwrap_or(&empty);
    let number = |field: &str| spec.get(field).and_then(Value::as_i64);
    let (least, most) = (number("minReplicas").unwrap_or(1), number("maxReplicas").unwrap_or(0));
    if least < 1 {
        causes.invalid("spec.minReplicas", &json!(least), "must be greater than or equal to 1");
    }
    if most < 1 {
        causes.invalid("spec.maxReplicas", &json!(most), "must be greater than 0");
    }
    if most < least {
        causes.invalid("spec.maxReplicas", &json!(most), "must be greater than or equal to `minReplicas`");
    }
    let target = spec.get("scaleTargetRef").unwrap_or(&empty);
    for field in ["kind", "name"] {
        if text(target, field).is_empty() {
            causes.required(&format!("spec.scaleTargetRef.{field}"), "");
        }
    }
    for (index, metric) in list(spec, "metrics") {
        let at = format!("spec.metrics[{index}]");
        let kinds = ["ContainerResource", "External", "Object", "Pods", "Resource"];
        match text(metric, "type") {
            "" => causes.required(&format!("{at}.type"), "must specify a metric source type"),
            kind if kinds.contains(&kind) => {}
            kind => causes.not_supported(&format!("{at}.type"), &json!(kind), &kinds),
        }
    }
}

pub(super) fn lease(value: &Value, causes: &mut Causes) {
    let empty = json!({});
    let spec = value.get("spec").unwrap_or(&empty);
    if let Some(seconds) =
        spec.get("leaseDurationSeconds").filter(|one| one.as_i64().is_some_and(|one| one <= 0))
    {
        causes.invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0");
    }
    if let Some(count) = spec.get("leaseTransitions").filter(|one| one.as_i64().is_some_and(|one| one < 0)) {
        causes.invalid("spec.leaseTransitions", count, "must be greater than or equal to 0");
    }
}

pub(super) fn data(resource: &Resource, value: &Value, old: Option<&Value>, causes: &mut Causes) {
    let mut size = 0;
    for field in ["data", "binaryData"] {
        for (key, content) in value.get(field).and_then(Value::as_object).into_iter().flatten() {
            let well = !key.is_empty()
                && key.len() <= 253
                && !matches!(key.as_str(), "." | "..")
                && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
            if !well {
                let why = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
                causes.invalid(&format!("{field}[{key}]"), &json!(key), why);
            }
            size += content.as_str().map_or(0, str::len);
        }
    }
    if size > DATA_BYTES_MAX {
        causes.too_long("", DATA_BYTES_MAX);
    }
    let Some(old) = old else { return };
    if old.get("immutable") == Some(&json!(true)) {
        if value.get("immutable") != Some(&json!(true)) {
            causes.forbidden("immutable", "field is immutable when `immutable` is set");
        }
        for field in ["data", "binaryData"] {
            if value.get(field) != old.get(field) {
                causes.forbidden(field, "field is immutable when `immutable` is set");
            }
        }
    }
    if resource.kind == "Secret" {
        causes.immutable("type", value.get("type"), old.get("type"));
    }
}
