//! Nodes: taints, and what of a node may change.

use serde_json::{Value, json};

use super::{
    Causes, list,
    meta::{is_label_value, is_qualified},
    text,
};

pub(super) const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];

pub(super) fn node(value: &Value, old: Option<&Value>, causes: &mut Causes) {
    let empty = json!({});
    let spec = value.get("spec").unwrap_or(&empty);
    // The server looks at the taints where it looks at the metadata, and once more where the node is updated.
    for _ in 0..=usize::from(old.is_some()) {
        taints(spec, causes);
    }
    let Some(before) = old.and_then(|old| old.get("spec")) else { return };
    let provider = |spec: &Value| spec.get("providerID").cloned();
    if provider(before).is_some_and(|_| provider(before) != provider(spec)) {
        causes
            .forbidden("spec.providerID", "node updates may not change providerID except from \"\" to valid");
    }
    let cidrs = |spec: &Value| spec.get("podCIDRs").cloned();
    if cidrs(before).is_some_and(|_| cidrs(before) != cidrs(spec)) {
        causes.forbidden("spec.podCIDRs", "node updates may not change podCIDR except from \"\" to valid");
    }
}

fn taints(spec: &Value, causes: &mut Causes) {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for (index, taint) in list(spec, "taints") {
        let at = format!("metadata.taints[{index}]");
        let (key, effect) = (text(taint, "key"), text(taint, "effect"));
        if !is_qualified(key) {
            let why = "name part must consist of alphanumeric characters, '-', '_' or '.'";
            causes.invalid(&format!("{at}.key"), &json!(key), why);
        }
        if !is_label_value(text(taint, "value")) {
            let why = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.'";
            causes.invalid(&format!("{at}.value"), &json!(text(taint, "value")), why);
        }
        if effect.is_empty() {
            causes.required(&format!("{at}.effect"), "");
        } else if !EFFECTS.contains(&effect) {
            causes.not_supported(&format!("{at}.effect"), &json!(effect), EFFECTS);
        }
        if seen.contains(&(key, effect)) {
            causes.duplicate(&at, taint);
        } else {
            seen.push((key, effect));
        }
    }
}
