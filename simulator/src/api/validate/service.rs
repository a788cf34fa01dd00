//! Services.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::{
    Causes, list,
    meta::{self, is_label},
    text,
};

pub(super) const PORT_RANGE: &str = "must be between 1 and 65535, inclusive";
const TYPES: &[&str] = &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];

pub(super) fn is_port(value: Option<&Value>) -> bool {
    value.and_then(Value::as_i64).is_some_and(|port| (1..=65_535).contains(&port))
}

/// A name of a port as IANA has it.
pub(super) fn is_port_name(name: &str) -> bool {
    name.len() <= 15 && name.chars().any(|c| c.is_ascii_lowercase()) && !name.contains("--") && is_label(name)
}

pub(super) fn service(value: &Value, old: Option<&Value>, causes: &mut Causes) {
    let empty = json!({});
    let spec = value.get("spec").unwrap_or(&empty);
    let of_type = text(spec, "type");
    let headless = text(spec, "clusterIP") == "None";
    let ports = list(spec, "ports").count();
    if ports == 0 && !headless && of_type != "ExternalName" {
        causes.required("spec.ports", "");
    }
    if of_type == "LoadBalancer" && headless {
        causes.invalid(
            "spec.clusterIP",
            &json!("None"),
            "may not be set to 'None' for LoadBalancer services",
        );
    }
    if of_type == "NodePort" && headless {
        causes.invalid("spec.clusterIP", &json!("None"), "may not be set to 'None' for NodePort services");
    }
    if of_type == "ExternalName" {
        if !text(spec, "clusterIP").is_empty() {
            causes.forbidden("spec.clusterIPs", "may not be set for ExternalName services");
        }
        let name = text(spec, "externalName").trim_end_matches('.');
        if name.is_empty() {
            causes.required("spec.externalName", "");
        } else if !meta::is_subdomain(name) {
            causes.invalid("spec.externalName", &json!(name), meta::SUBDOMAIN);
        }
    }
    let mut names: Vec<&str> = Vec::new();
    for (index, port) in list(spec, "ports") {
        service_port(port, &format!("spec.ports[{index}]"), ports > 1, &mut names, causes);
    }
    meta::labels(spec, "selector", "spec.selector", causes);
    match text(spec, "sessionAffinity") {
        "" => causes.required("spec.sessionAffinity", ""),
        "None" | "ClientIP" => {}
        other => causes.not_supported("spec.sessionAffinity", &json!(other), &["ClientIP", "None"]),
    }
    if text(spec, "sessionAffinity") == "ClientIP" {
        let field = "spec.sessionAffinityConfig.clientIP.timeoutSeconds";
        let seconds = spec.pointer("/sessionAffinityConfig/clientIP/timeoutSeconds");
        if !seconds.and_then(Value::as_i64).is_some_and(|seconds| (1..=86_400).contains(&seconds)) {
            causes.invalid(
                field,
                seconds.unwrap_or(&Value::Null),
                "must be greater than 0 and less than or equal to 86400",
            );
        }
    }
    for (index, address) in list(spec, "externalIPs") {
        if address.as_str().is_none_or(|text| text.parse::<IpAddr>().is_err()) {
            causes.invalid(
                &format!("spec.externalIPs[{index}]"),
                address,
                "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
            );
        }
    }
    if of_type.is_empty() {
        causes.required("spec.type", "");
    } else if !TYPES.contains(&of_type) {
        causes.not_supported("spec.type", &json!(of_type), TYPES);
    }
    duplicate_ports(spec, causes);
    if of_type != "LoadBalancer" && spec.get("loadBalancerSourceRanges").is_some() {
        let why = "may only be used when `type` is 'LoadBalancer'";
        causes.forbidden("spec.LoadBalancerSourceRanges", why);
    }
    if of_type == "ClusterIP" {
        for (index, port) in list(spec, "ports") {
            if port.get("nodePort").and_then(Value::as_i64).unwrap_or(0) != 0 {
                let why = "may not be used when `type` is 'ClusterIP'";
                causes.forbidden(&format!("spec.ports[{index}].nodePort"), why);
            }
        }
    }
    traffic_policies(spec, of_type, causes);
    if let Some(old) = old.and_then(|old| old.get("spec")) {
        immutable(spec, old, causes);
    }
}

fn service_port<'a>(port: &'a Value, at: &str, named: bool, names: &mut Vec<&'a str>, causes: &mut Causes) {
    let name = text(port, "name");
    if name.is_empty() {
        if named {
            causes.required(&format!("{at}.name"), "");
        }
    } else {
        if !is_label(name) {
            causes.invalid(&format!("{at}.name"), &json!(name), meta::LABEL);
        }
        if names.contains(&name) {
            causes.duplicate(&format!("{at}.name"), &json!(name));
        } else {
            names.push(name);
        }
    }
    if !is_port(port.get("port")) {
        causes.invalid(&format!("{at}.port"), port.get("port").unwrap_or(&json!(0)), PORT_RANGE);
    }
    match text(port, "protocol") {
        "" => causes.required(&format!("{at}.protocol"), ""),
        "TCP" | "UDP" | "SCTP" => {}
        other => causes.not_supported(&format!("{at}.protocol"), &json!(other), &["SCTP", "TCP", "UDP"]),
    }
    match port.get("targetPort") {
        Some(Value::String(name)) if !is_port_name(name) => {
            let why = "must contain at least one letter (a-z), only alphanumeric characters and '-', and at most 15 \
                       characters";
            causes.invalid(&format!("{at}.targetPort"), &json!(name), why);
        }
        Some(number @ Value::Number(_)) if !is_port(Some(number)) => {
            causes.invalid(&format!("{at}.targetPort"), number, PORT_RANGE);
        }
        _ => {}
    }
}

/// The same port and protocol twice, or the same node port.
fn duplicate_ports(spec: &Value, causes: &mut Causes) {
    let mut seen: Vec<(i64, &str)> = Vec::new();
    let mut on_nodes: Vec<(i64, &str)> = Vec::new();
    let number = |port: &Value, field: &str| port.get(field).and_then(Value::as_i64).unwrap_or(0);
    for (index, port) in list(spec, "ports") {
        let node = (number(port, "nodePort"), text(port, "protocol"));
        if node.0 != 0 {
            if on_nodes.contains(&node) {
                causes.duplicate(&format!("spec.ports[{index}].nodePort"), &json!(node.0));
            }
            on_nodes.push(node);
        }
    }
    for (index, port) in list(spec, "ports") {
        let key = (number(port, "port"), text(port, "protocol"));
        if seen.contains(&key) {
            causes.duplicate(&format!("spec.ports[{index}]"), &json!({"port": key.0, "protocol": key.1}));
        }
        seen.push(key);
    }
}

fn traffic_policies(spec: &Value, of_type: &str, causes: &mut Causes) {
    let external = text(spec, "externalTrafficPolicy");
    let may = matches!(of_type, "NodePort" | "LoadBalancer") || spec.get("externalIPs").is_some();
    if !external.is_empty() && !may {
        let why = "may only be set for externally-accessible services";
        causes.invalid("spec.externalTrafficPolicy", &json!(external), why);
    } else if !external.is_empty() && !["Cluster", "Local"].contains(&external) {
        causes.not_supported("spec.externalTrafficPolicy", &json!(external), &["Cluster", "Local"]);
    }
    let internal = text(spec, "internalTrafficPolicy");
    if !internal.is_empty() && !["Cluster", "Local"].contains(&internal) {
        causes.not_supported("spec.internalTrafficPolicy", &json!(internal), &["Cluster", "Local"]);
    }
}

/// Addresses stay, unless the type changes from or to one without.
fn immutable(spec: &Value, old: &Value, causes: &mut Causes) {
    let address = |spec: &Value| text(spec, "clusterIP").to_owned();
    let has = |spec: &Value| text(spec, "type") != "ExternalName" && !address(spec).is_empty();
    if has(old) && text(spec, "type") != "ExternalName" && address(old) != address(spec) {
        let list = spec.get("clusterIPs").cloned().unwrap_or_else(|| json!([address(spec)]));
        let first = list.get(0).cloned().unwrap_or_default();
        causes.invalid("spec.clusterIPs[0]", &first, "may not change once set");
    }
    let class = "loadBalancerClass";
    if text(old, "type") == "LoadBalancer"
        && text(spec, "type") == "LoadBalancer"
        && old.get(class) != spec.get(class)
    {
        causes.invalid(
            "spec.loadBalancerClass",
            spec.get(class).unwrap_or(&Value::Null),
            "may not change once set",
        );
    }
}
