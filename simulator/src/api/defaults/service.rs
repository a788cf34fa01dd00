//! Services. Addresses and node ports are not defaults: they are allocated when a Service is written.

use serde_json::{Value, json};

use super::{at, each, set, text};

/// How long a client sticks to its endpoint, in seconds. Source: `DefaultClientIPServiceAffinitySeconds`.
const AFFINITY_SECONDS: i32 = 10_800;

pub(super) fn apply(value: &mut Value) {
    let spec = at(value, "spec");
    set(spec, "sessionAffinity", json!("None"));
    if text(spec, "/sessionAffinity") == "None" {
        if let Some(fields) = spec.as_object_mut() {
            fields.shift_remove("sessionAffinityConfig");
        }
    } else if text(spec, "/sessionAffinity") == "ClientIP" {
        let seconds = spec.pointer("/sessionAffinityConfig/clientIP/timeoutSeconds");
        if seconds.is_none() {
            spec["sessionAffinityConfig"] = json!({"clientIP": {"timeoutSeconds": AFFINITY_SECONDS}});
        }
    }
    set(spec, "type", json!("ClusterIP"));
    let of_type = text(spec, "/type").to_owned();
    for port in each(spec, "ports") {
        set(port, "protocol", json!("TCP"));
        let number = port.get("port").cloned().unwrap_or_default();
        set(port, "targetPort", number.clone());
        if matches!(port.get("targetPort"), Some(target) if *target == json!(0) || *target == json!("")) {
            port["targetPort"] = number;
        }
    }
    let exposed = matches!(of_type.as_str(), "NodePort" | "LoadBalancer");
    if exposed || spec.get("externalIPs").is_some() && of_type == "ClusterIP" {
        set(spec, "externalTrafficPolicy", json!("Cluster"));
    }
    if matches!(of_type.as_str(), "NodePort" | "LoadBalancer" | "ClusterIP") {
        set(spec, "internalTrafficPolicy", json!("Cluster"));
    }
    if of_type == "LoadBalancer" {
        set(spec, "allocateLoadBalancerNodePorts", json!(true));
    }
}
