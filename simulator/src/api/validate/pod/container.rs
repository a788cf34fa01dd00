//! Containers: names, images, ports, variables, mounts, resources, probes.

use serde_json::{Value, json};

use super::{Causes, LABEL, PORT_RANGE, is_label, is_port, is_port_name, list, quantity, text};

pub(super) fn check<'a>(
    container: &'a Value,
    at: &str,
    volumes: &[&str],
    names: &mut Vec<&'a str>,
    causes: &mut Causes,
) {
    let name = text(container, "name");
    if name.is_empty() {
        causes.required(&format!("{at}.name"), "");
    } else if !is_label(name) {
        causes.invalid(&format!("{at}.name"), &json!(name), LABEL);
    } else if names.contains(&name) {
        causes.duplicate(&format!("{at}.name"), &json!(name));
    }
    names.push(name);
    let image = text(container, "image");
    if image.is_empty() {
        causes.required(&format!("{at}.image"), "");
    } else if image.trim() != image {
        causes.invalid(&format!("{at}.image"), &json!(image), "must not have leading or trailing whitespace");
    }
    let policies = ["Always", "IfNotPresent", "Never"];
    causes.one_of(&format!("{at}.imagePullPolicy"), container.get("imagePullPolicy"), &policies);
    let messages = ["FallbackToLogsOnError", "File"];
    causes.one_of(
        &format!("{at}.terminationMessagePolicy"),
        container.get("terminationMessagePolicy"),
        &messages,
    );
    ports(container, at, causes);
    environment(container, at, causes);
    mounts(container, at, volumes, causes);
    resources(container, at, causes);
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(found) = container.get(probe) {
            self::probe(found, &format!("{at}.{probe}"), probe, causes);
        }
    }
}

fn ports(container: &Value, at: &str, causes: &mut Causes) {
    let mut names: Vec<&str> = Vec::new();
    for (index, port) in list(container, "ports") {
        let field = format!("{at}.ports[{index}]");
        let name = text(port, "name");
        if !name.is_empty() {
            if !is_port_name(name) {
                let why = "must contain at least one letter (a-z), only alphanumeric characters and '-', and at most \
                           15 characters";
                causes.invalid(&format!("{field}.name"), &json!(name), why);
            } else if names.contains(&name) {
                causes.duplicate(&format!("{field}.name"), &json!(name));
            }
            names.push(name);
        }
        match port.get("containerPort").and_then(Value::as_i64) {
            None | Some(0) => causes.required(&format!("{field}.containerPort"), ""),
            _ if !is_port(port.get("containerPort")) => {
                let number = port.get("containerPort").unwrap_or(&Value::Null);
                causes.invalid(&format!("{field}.containerPort"), number, PORT_RANGE);
            }
            _ => {}
        }
        if let Some(host) = port.get("hostPort").filter(|port| !is_port(Some(port))) {
            causes.invalid(&format!("{field}.hostPort"), host, PORT_RANGE);
        }
        match text(port, "protocol") {
            "" => causes.required(&format!("{field}.protocol"), ""),
            "TCP" | "UDP" | "SCTP" => {}
            other => {
                causes.not_supported(&format!("{field}.protocol"), &json!(other), &["SCTP", "TCP", "UDP"]);
            }
        }
    }
}

fn environment(container: &Value, at: &str, causes: &mut Causes) {
    for (index, variable) in list(container, "env") {
        let field = format!("{at}.env[{index}]");
        let name = text(variable, "name");
        if name.is_empty() {
            causes.required(&format!("{field}.name"), "");
        } else if name.contains('=') || name.chars().any(|c| !(' '..='~').contains(&c)) {
            let why = "a valid environment variable name must consist only of printable ASCII characters other than \
                       '='";
            causes.invalid(&format!("{field}.name"), &json!(name), why);
        }
        let Some(source) = variable.get("valueFrom").filter(|one| !one.is_null()) else { continue };
        if !text(variable, "value").is_empty() {
            let why = "may not be specified when `value` is not empty";
            causes.invalid(&format!("{field}.valueFrom"), &json!(""), why);
        }
        let sources =
            source.as_object().map_or(0, |fields| fields.values().filter(|one| !one.is_null()).count());
        if sources == 0 {
            causes.invalid(
                &format!("{field}.valueFrom"),
                &json!(""),
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
            );
        } else if sources > 1 {
            let why = "may not have more than one field specified at a time";
            causes.invalid(&format!("{field}.valueFrom"), &json!(""), why);
        }
    }
}

fn mounts(container: &Value, at: &str, volumes: &[&str], causes: &mut Causes) {
    let mut paths: Vec<&str> = Vec::new();
    for (index, mount) in list(container, "volumeMounts") {
        let field = format!("{at}.volumeMounts[{index}]");
        let (name, path) = (text(mount, "name"), text(mount, "mountPath"));
        if name.is_empty() {
            causes.required(&format!("{field}.name"), "");
        }
        if path.is_empty() {
            causes.required(&format!("{field}.mountPath"), "");
        } else if paths.contains(&path) {
            causes.invalid(&format!("{field}.mountPath"), &json!(path), "must be unique");
        }
        paths.push(path);
        if !volumes.contains(&name) {
            causes.not_found(&format!("{field}.name"), &json!(name));
        }
        if text(mount, "subPath").starts_with('/') {
            let why = "must be a relative path";
            causes.invalid(&format!("{field}.subPath"), &json!(text(mount, "subPath")), why);
        }
    }
}

fn resources(container: &Value, at: &str, causes: &mut Causes) {
    let Some(resources) = container.get("resources") else { return };
    let limits = resources.get("limits");
    for part in ["limits", "requests"] {
        for (name, value) in resources.get(part).and_then(Value::as_object).into_iter().flatten() {
            let field = format!("{at}.resources.{part}[{name}]");
            let standard = matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage");
            if !standard && !name.contains('/') && !name.starts_with("hugepages-") {
                causes.invalid(&field, &json!(name), "must be a standard resource type or fully qualified");
            }
            let amount = quantity(name, value);
            if amount.is_some_and(|amount| amount < 0) {
                causes.invalid(&field, value, "must be greater than or equal to 0");
            }
            let limit = limits.and_then(|all| all.get(name));
            let over = part == "requests"
                && limit
                    .and_then(|limit| quantity(name, limit))
                    .zip(amount)
                    .is_some_and(|(limit, amount)| amount > limit);
            if over {
                let limit = limit.and_then(Value::as_str).unwrap_or("");
                let why = format!("must be less than or equal to {name} limit of {limit}");
                causes.invalid(&format!("{at}.resources.requests"), value, &why);
            }
        }
    }
}

fn probe(probe: &Value, at: &str, kind: &str, causes: &mut Causes) {
    let handlers = ["exec", "httpGet", "tcpSocket", "grpc"];
    let found: Vec<&str> =
        handlers.into_iter().filter(|one| probe.get(one).is_some_and(|one| !one.is_null())).collect();
    match found.as_slice() {
        [] => causes.required(at, "must specify a handler type"),
        [_] => {}
        [_, second, ..] => {
            causes.forbidden(&format!("{at}.{second}"), "may not specify more than 1 handler type");
        }
    }
    for handler in ["httpGet", "tcpSocket", "grpc"] {
        let Some(port) = probe.get(handler).map(|one| one.get("port").cloned().unwrap_or_default()) else {
            continue;
        };
        match &port {
            Value::String(name) if !is_port_name(name) => {
                let why = "must contain only alphanumeric characters and '-', and at most 15 characters";
                causes.invalid(&format!("{at}.{handler}.port"), &port, why);
            }
            Value::String(_) => {}
            other if !is_port(Some(other)) => {
                causes.invalid(&format!("{at}.{handler}.port"), &port, PORT_RANGE)
            }
            _ => {}
        }
    }
    for field in
        ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"]
    {
        causes.not_negative(&format!("{at}.{field}"), probe.get(field));
    }
    if kind != "readinessProbe"
        && let Some(threshold) = probe.get("successThreshold").filter(|one| **one != json!(1))
    {
        causes.invalid(&format!("{at}.successThreshold"), threshold, "must be 1");
    }
}
