//! Pods and pod templates.

use serde_json::{Value, json};

use super::{
    Causes, list,
    meta::{self, LABEL, SUBDOMAIN, is_label, is_subdomain},
    node::EFFECTS,
    service::{PORT_RANGE, is_port, is_port_name},
    text,
};
use crate::{
    api::defaults,
    world::{bytes, cpu_milli},
};

mod container;

pub(super) fn template(template: &Value, field: &str, causes: &mut Causes) {
    let empty = json!({});
    let meta = template.get("metadata").unwrap_or(&empty);
    meta::labels(meta, "labels", &format!("{field}.labels"), causes);
    meta::annotations(meta, &format!("{field}.annotations"), causes);
    spec(template.get("spec").unwrap_or(&empty), &format!("{field}.spec"), causes);
}

pub(super) fn pod(value: &Value, old: Option<&Value>, causes: &mut Causes) {
    let empty = json!({});
    let new = value.get("spec").unwrap_or(&empty);
    spec(new, "spec", causes);
    if let Some(old) = old {
        // A pod of an export may lack what the server would have written when it was created; that is no change of it.
        let [mut stored, mut new] = [old.clone(), value.clone()];
        defaults::pod(&mut stored);
        defaults::pod(&mut new);
        update(new.get("spec").unwrap_or(&empty), stored.get("spec").unwrap_or(&empty), causes);
    }
}

/// What of a pod may change: images, a shorter deadline, more tolerations, fewer scheduling gates.
fn update(new: &Value, old: &Value, causes: &mut Causes) {
    let mut fixed = new.clone();
    let Some(fields) = fixed.as_object_mut() else { return };
    for part in ["containers", "initContainers", "ephemeralContainers"] {
        let before: Vec<Value> = old.get(part).and_then(Value::as_array).cloned().unwrap_or_default();
        if let Some(after) = fields.get_mut(part).and_then(Value::as_array_mut) {
            for (container, before) in after.iter_mut().zip(&before) {
                if let (Some(image), Some(container)) = (before.get("image"), container.as_object_mut()) {
                    container.insert("image".into(), image.clone());
                }
            }
        }
    }
    for free in ["activeDeadlineSeconds", "tolerations", "schedulingGates", "terminationGracePeriodSeconds"] {
        match old.get(free) {
            Some(before) => fields.insert(free.into(), before.clone()),
            None => fields.shift_remove(free),
        };
    }
    let tolerations =
        |spec: &Value| spec.get("tolerations").and_then(Value::as_array).cloned().unwrap_or_default();
    if tolerations(old).iter().any(|one| !tolerations(new).contains(one)) {
        causes.forbidden(
            "spec.tolerations",
            "existing toleration can not be modified except its tolerationSeconds",
        );
    }
    if fixed != *old {
        causes.forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`, \
             `spec.initContainers[*].image`, `spec.activeDeadlineSeconds`, `spec.tolerations` (only additions to \
             existing tolerations), `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously \
             negative)",
        );
    }
}

fn spec(spec: &Value, at: &str, causes: &mut Causes) {
    let volumes = volumes(spec, at, causes);
    let mut names: Vec<&str> = Vec::new();
    if list(spec, "containers").count() == 0 {
        causes.required(&format!("{at}.containers"), "");
    }
    for part in ["containers", "initContainers"] {
        for (index, container) in list(spec, part) {
            let field = format!("{at}.{part}[{index}]");
            container::check(container, &field, &volumes, &mut names, causes);
        }
    }
    host_ports(spec, at, causes);
    match text(spec, "restartPolicy") {
        "" => causes.required(&format!("{at}.restartPolicy"), ""),
        "Always" | "OnFailure" | "Never" => {}
        other => {
            let policies = ["Always", "OnFailure", "Never"];
            causes.not_supported(&format!("{at}.restartPolicy"), &json!(other), &policies);
        }
    }
    let dns = ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"];
    causes.one_of(&format!("{at}.dnsPolicy"), spec.get("dnsPolicy"), &dns);
    if text(spec, "dnsPolicy") == "None" && spec.pointer("/dnsConfig/nameservers").is_none() {
        let why = "must provide `dnsConfig` when `dnsPolicy` is None";
        causes.required(&format!("{at}.dnsConfig"), why);
    }
    meta::labels(spec, "nodeSelector", &format!("{at}.nodeSelector"), causes);
    for (index, secret) in list(spec, "imagePullSecrets") {
        if text(secret, "name").is_empty() {
            causes.required(&format!("{at}.imagePullSecrets[{index}].name"), "");
        }
    }
    let account = text(spec, "serviceAccountName");
    if !account.is_empty() && !is_subdomain(account) {
        causes.invalid(&format!("{at}.serviceAccountName"), &json!(account), SUBDOMAIN);
    }
    if let Some(deadline) = spec.get("activeDeadlineSeconds")
        && !deadline.as_i64().is_some_and(|seconds| (1..=i64::from(i32::MAX)).contains(&seconds))
    {
        let why = "must be between 1 and 2147483647, inclusive";
        causes.invalid(&format!("{at}.activeDeadlineSeconds"), deadline, why);
    }
    for field in ["hostname", "subdomain"] {
        let name = text(spec, field);
        if !name.is_empty() && !is_label(name) {
            causes.invalid(&format!("{at}.{field}"), &json!(name), LABEL);
        }
    }
    tolerations(spec, at, causes);
    for (index, alias) in list(spec, "hostAliases") {
        if text(alias, "ip").parse::<std::net::IpAddr>().is_err() {
            let why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
            causes.invalid(&format!("{at}.hostAliases[{index}].ip"), &json!(text(alias, "ip")), why);
        }
    }
    let class = text(spec, "priorityClassName");
    if !class.is_empty() && !is_subdomain(class) {
        causes.invalid(&format!("{at}.priorityClassName"), &json!(class), SUBDOMAIN);
    }
    spread(spec, at, causes);
    affinity(spec, at, causes);
    if let Some(grace) =
        spec.get("terminationGracePeriodSeconds").filter(|one| one.as_i64().is_some_and(|one| one < 0))
    {
        causes.invalid(
            &format!("{at}.terminationGracePeriodSeconds"),
            grace,
            "must be greater than or equal to 0",
        );
    }
}

fn volumes<'a>(spec: &'a Value, at: &str, causes: &mut Causes) -> Vec<&'a str> {
    let mut names = Vec::new();
    for (index, volume) in list(spec, "volumes") {
        let field = format!("{at}.volumes[{index}]");
        let name = text(volume, "name");
        if name.is_empty() {
            causes.required(&format!("{field}.name"), "");
        } else if !is_label(name) {
            causes.invalid(&format!("{field}.name"), &json!(name), LABEL);
        } else if names.contains(&name) {
            causes.duplicate(&format!("{field}.name"), &json!(name));
        }
        names.push(name);
        let mut sources = volume
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(key, value)| *key != "name" && !value.is_null());
        match (sources.next(), sources.next()) {
            (None, _) => causes.required(&field, "must specify a volume type"),
            (Some(_), Some((second, _))) => {
                causes.forbidden(&format!("{field}.{second}"), "may not specify more than 1 volume type");
            }
            _ => {}
        }
        for (source, required) in [
            ("secret", "secretName"),
            ("configMap", "name"),
            ("persistentVolumeClaim", "claimName"),
            ("hostPath", "path"),
        ] {
            if volume.get(source).is_some_and(|one| text(one, required).is_empty()) {
                causes.required(&format!("{field}.{source}.{required}"), "");
            }
        }
    }
    names
}

/// The same port of the host twice.
fn host_ports(spec: &Value, at: &str, causes: &mut Causes) {
    let mut seen: Vec<String> = Vec::new();
    for (index, container) in list(spec, "containers") {
        for (number, port) in list(container, "ports") {
            let host = port.get("hostPort").and_then(Value::as_i64).unwrap_or(0);
            if host == 0 {
                continue;
            }
            let key = format!("{}/{}/{host}", text(port, "protocol"), text(port, "hostIP"));
            if seen.contains(&key) {
                causes.duplicate(&format!("{at}.containers[{index}].ports[{number}].hostPort"), &json!(key));
            }
            seen.push(key);
        }
    }
}

fn tolerations(spec: &Value, at: &str, causes: &mut Causes) {
    for (index, one) in list(spec, "tolerations") {
        let field = format!("{at}.tolerations[{index}]");
        let (key, operator, effect) = (text(one, "key"), text(one, "operator"), text(one, "effect"));
        if !key.is_empty() && !meta::is_qualified(key) {
            causes.invalid(
                &format!("{field}.key"),
                &json!(key),
                "name part must consist of alphanumeric characters",
            );
        }
        if key.is_empty() && operator != "Exists" {
            let why =
                "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            causes.invalid(&format!("{field}.operator"), &json!(operator), why);
        }
        if one.get("tolerationSeconds").is_some_and(|seconds| !seconds.is_null()) && effect != "NoExecute" {
            let why = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            causes.invalid(&format!("{field}.effect"), &json!(effect), why);
        }
        match operator {
            "" | "Equal" if !meta::is_label_value(text(one, "value")) => {
                causes.invalid(
                    &format!("{field}.operator"),
                    &json!(text(one, "value")),
                    "a valid label is needed",
                );
            }
            "Exists" if !text(one, "value").is_empty() => {
                let why = "value must be empty when `operator` is 'Exists'";
                causes.invalid(&format!("{field}.operator"), one, why);
            }
            "" | "Equal" | "Exists" | "Lt" | "Gt" => {}
            other => causes.not_supported(&format!("{field}.operator"), &json!(other), &["Equal", "Exists"]),
        }
        if !effect.is_empty() && !EFFECTS.contains(&effect) {
            causes.not_supported(&format!("{field}.effect"), &json!(effect), EFFECTS);
        }
    }
}

fn spread(spec: &Value, at: &str, causes: &mut Causes) {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for (index, one) in list(spec, "topologySpreadConstraints") {
        let field = format!("{at}.topologySpreadConstraints[{index}]");
        let skew = one.get("maxSkew").cloned().unwrap_or(json!(0));
        if skew.as_i64().is_none_or(|skew| skew <= 0) {
            causes.invalid(&format!("{field}.maxSkew"), &skew, "must be greater than zero");
        }
        if text(one, "topologyKey").is_empty() {
            causes.required(&format!("{field}.topologyKey"), "can not be empty");
        }
        let when = ["DoNotSchedule", "ScheduleAnyway"];
        if !when.contains(&text(one, "whenUnsatisfiable")) {
            let value = json!(text(one, "whenUnsatisfiable"));
            causes.not_supported(&format!("{field}.whenUnsatisfiable"), &value, &when);
        }
        let key = (text(one, "topologyKey"), text(one, "whenUnsatisfiable"));
        if seen.contains(&key) {
            let told = format!("{{{}, {}}}", key.0, key.1);
            causes.duplicate(&format!("{field}.{{topologyKey, whenUnsatisfiable}}"), &json!(told));
        }
        seen.push(key);
        if let Some(selector) = one.get("labelSelector") {
            meta::selector(selector, &format!("{field}.labelSelector"), causes);
        }
    }
}

fn affinity(spec: &Value, at: &str, causes: &mut Causes) {
    for kind in ["podAffinity", "podAntiAffinity"] {
        let Some(found) = spec.pointer(&format!("/affinity/{kind}")) else { continue };
        let required = "requiredDuringSchedulingIgnoredDuringExecution";
        let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
        for (index, term) in list(found, required) {
            if text(term, "topologyKey").is_empty() {
                let field = format!("{at}.affinity.{kind}.{required}[{index}].topologyKey");
                causes.required(&field, "can not be empty");
            }
        }
        for (index, term) in list(found, preferred) {
            let field = format!("{at}.affinity.{kind}.{preferred}[{index}]");
            let weight = term.get("weight").cloned().unwrap_or(json!(0));
            if !weight.as_i64().is_some_and(|weight| (1..=100).contains(&weight)) {
                causes.invalid(&format!("{field}.weight"), &weight, "must be in the range 1-100");
            }
        }
    }
}

/// Whether a text is a quantity that is not negative, and how much it is.
fn quantity(name: &str, value: &Value) -> Option<i64> {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if name == "cpu" { cpu_milli(&text) } else { bytes(&text) }
}
