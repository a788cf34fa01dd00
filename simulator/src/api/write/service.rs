//! Addresses and node ports of Services, allocated when they are written.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::{api::read::store, world::World};

/// Where cluster addresses come from: EKS' second range, 172.20.0.0/16.
const NETWORK: u32 = 0xac14_0000;
/// Node ports. Source: `--service-node-port-range`, 30000-32767.
const NODE_PORTS: std::ops::RangeInclusive<i64> = 30_000..=32_767;

/// Gives a Service what it needs and has not: the first free ones, so that equal requests get equal answers.
pub(super) fn allocate(world: &World, value: &mut Value, old: Option<&Value>) {
    if !value["spec"].is_object() {
        return;
    }
    let of_type = value["spec"]["type"].as_str().unwrap_or("").to_owned();
    if of_type == "ExternalName" {
        if let Some(spec) = value["spec"].as_object_mut() {
            for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"]
            {
                spec.shift_remove(field);
            }
        }
        return;
    }
    let before = old.and_then(|old| old.get("spec"));
    keep_what_was_left_out(&mut value["spec"], before);
    let spec = &value["spec"];
    let mut addresses: Vec<u32> = Vec::new();
    let mut ports: Vec<i64> = Vec::new();
    let services = store(world).ok().and_then(|store| Some(store.objects(store.find("", "v1", "services")?)));
    for other in services.into_iter().flat_map(|all| all.values()) {
        let address = other.pointer("/spec/clusterIP").and_then(Value::as_str);
        addresses.extend(address.and_then(|text| text.parse::<Ipv4Addr>().ok()).map(u32::from));
        for port in other.pointer("/spec/ports").and_then(Value::as_array).into_iter().flatten() {
            ports.extend(port.get("nodePort").and_then(Value::as_i64));
        }
        ports.extend(other.pointer("/spec/healthCheckNodePort").and_then(Value::as_i64));
    }
    let address = match spec.get("clusterIP").and_then(Value::as_str) {
        Some(address) if !address.is_empty() => address.to_owned(),
        _ => {
            let free = (NETWORK + 10..NETWORK + 0xfffe).find(|address| !addresses.contains(address));
            Ipv4Addr::from(free.unwrap_or(NETWORK)).to_string()
        }
    };
    let spec = &mut value["spec"];
    spec["clusterIP"] = json!(address);
    spec["clusterIPs"] = json!([address]);
    let missing = |spec: &Value, field: &str| spec.get(field).is_none_or(Value::is_null);
    if missing(spec, "ipFamilies") {
        spec["ipFamilies"] = json!(["IPv4"]);
    }
    if missing(spec, "ipFamilyPolicy") {
        spec["ipFamilyPolicy"] = json!("SingleStack");
    }
    let mut free = NODE_PORTS.filter(|port| !ports.contains(port));
    let exposed = of_type == "NodePort"
        || of_type == "LoadBalancer" && spec.get("allocateLoadBalancerNodePorts") != Some(&json!(false));
    if let Some(list) = spec.get_mut("ports").and_then(Value::as_array_mut) {
        for port in list.iter_mut().filter(|port| port.is_object()) {
            let has = port.get("nodePort").and_then(Value::as_i64).unwrap_or(0) != 0;
            if exposed && !has {
                port["nodePort"] = json!(free.next());
            } else if !exposed && before.is_some_and(was_exposed) {
                // With the type, its node ports go.
                if let Some(fields) = port.as_object_mut() {
                    fields.shift_remove("nodePort");
                }
            }
        }
    }
    let checked = of_type == "LoadBalancer" && spec.get("externalTrafficPolicy") == Some(&json!("Local"));
    if checked && missing(spec, "healthCheckNodePort") {
        spec["healthCheckNodePort"] = json!(free.next());
    }
    if let Some(fields) = spec.as_object_mut() {
        if !checked {
            fields.shift_remove("healthCheckNodePort");
        }
        if !matches!(of_type.as_str(), "NodePort" | "LoadBalancer")
            && !fields.contains_key("externalIPs")
            && before.is_some_and(was_exposed)
        {
            fields.shift_remove("externalTrafficPolicy");
        }
        if of_type != "LoadBalancer" && before.is_some_and(was_exposed) {
            for field in ["allocateLoadBalancerNodePorts", "loadBalancerClass"] {
                fields.shift_remove(field);
            }
        }
    }
}

fn was_exposed(spec: &Value) -> bool {
    matches!(spec.get("type").and_then(Value::as_str), Some("NodePort" | "LoadBalancer"))
}

/// Addresses and node ports that an update does not mention are those of before.
/// Source: `pkg/registry/core/service/storage/storage.go`, patchAllocatedValues.
fn keep_what_was_left_out(spec: &mut Value, before: Option<&Value>) {
    let Some(before) = before else { return };
    for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "healthCheckNodePort"] {
        let empty =
            matches!(spec.get(field), None | Some(Value::Null)) || spec.get(field) == Some(&json!(""));
        if empty && let Some(value) = before.get(field) {
            spec[field] = value.clone();
        }
    }
    let known: Vec<(Value, Value, Value)> = before
        .get("ports")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|port| {
            Some((port.get("port")?.clone(), port.get("protocol")?.clone(), port.get("nodePort")?.clone()))
        })
        .collect();
    let still_exposed = was_exposed(spec);
    for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        if !port.is_object()
            || port.get("nodePort").and_then(Value::as_i64).unwrap_or(0) != 0
            || !still_exposed
        {
            continue;
        }
        let same = known.iter().find(|(number, protocol, _)| {
            port.get("port") == Some(number) && port.get("protocol") == Some(protocol)
        });
        if let Some((_, _, node_port)) = same {
            port["nodePort"] = node_port.clone();
        }
    }
}
