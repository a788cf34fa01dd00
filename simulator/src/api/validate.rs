//! What the server refuses of an object, with every cause at its field.
//!
//! Source: `pkg/apis/*/validation/validation.go` and the strategies of `pkg/registry`, for the fields that clients of
//! the simulated kinds send. What is not looked at here is accepted.

use serde_json::Value;

use super::{failure::Cause, resources::Resource};

mod meta;
mod node;
mod pod;
mod policy;
mod service;
#[cfg(test)]
mod tests;
mod workload;

/// The causes that are found, in the order of the server.
#[derive(Debug, Default)]
pub(super) struct Causes(pub(super) Vec<Cause>);

impl Causes {
    fn add(&mut self, reason: &'static str, field: &str, message: String) {
        self.0.push(Cause { reason, message, field: Some(field.to_owned()) });
    }

    fn invalid(&mut self, field: &str, value: &Value, why: &str) {
        self.add("FieldValueInvalid", field, format!("Invalid value: {value}: {why}"));
    }

    fn required(&mut self, field: &str, why: &str) {
        let message = if why.is_empty() { "Required value".into() } else { format!("Required value: {why}") };
        self.add("FieldValueRequired", field, message);
    }

    fn duplicate(&mut self, field: &str, value: &Value) {
        self.add("FieldValueDuplicate", field, format!("Duplicate value: {value}"));
    }

    fn forbidden(&mut self, field: &str, why: &str) {
        self.add("FieldValueForbidden", field, format!("Forbidden: {why}"));
    }

    fn not_found(&mut self, field: &str, value: &Value) {
        self.add("FieldValueNotFound", field, format!("Not found: {value}"));
    }

    fn too_long(&mut self, field: &str, most: usize) {
        self.add("FieldValueTooLong", field, format!("Too long: may not be more than {most} bytes"));
    }

    fn not_supported(&mut self, field: &str, value: &Value, supported: &[&str]) {
        let all: Vec<String> = supported.iter().map(|one| format!("\"{one}\"")).collect();
        let message = format!("Unsupported value: {value}: supported values: {}", all.join(", "));
        self.add("FieldValueNotSupported", field, message);
    }

    /// A text that must be one of a few; an absent one is the defaults' affair.
    fn one_of(&mut self, field: &str, value: Option<&Value>, supported: &[&str]) {
        if let Some(value) = value.filter(|value| !value.is_null())
            && !value.as_str().is_some_and(|text| supported.contains(&text))
        {
            self.not_supported(field, value, supported);
        }
    }

    fn not_negative(&mut self, field: &str, value: Option<&Value>) {
        if let Some(value) = value.filter(|value| value.as_i64().is_some_and(|number| number < 0)) {
            self.invalid(field, value, "must be greater than or equal to 0");
        }
    }

    fn immutable(&mut self, field: &str, new: Option<&Value>, old: Option<&Value>) {
        if new != old {
            self.invalid(field, new.unwrap_or(&Value::Null), "field is immutable");
        }
    }
}

/// Checks an object that is to be created, or to take the place of `old`.
pub(super) fn object(resource: &Resource, value: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut causes = Causes::default();
    meta::object(resource, value, old, &mut causes);
    match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Node") => node::node(value, old, &mut causes),
        ("", "Pod") => pod::pod(value, old, &mut causes),
        ("", "Service") => service::service(value, old, &mut causes),
        ("", "ConfigMap" | "Secret") => policy::data(resource, value, old, &mut causes),
        ("apps", "Deployment") => workload::deployment(value, old, &mut causes),
        ("apps", "ReplicaSet") => workload::replica_set(value, old, &mut causes),
        ("apps", "StatefulSet") => workload::stateful_set(value, old, &mut causes),
        ("apps", "DaemonSet") => workload::daemon_set(value, old, &mut causes),
        ("batch", "Job") => workload::job(value, old, &mut causes),
        ("autoscaling", "HorizontalPodAutoscaler") => policy::autoscaler(value, &mut causes),
        ("policy", "PodDisruptionBudget") => policy::budget(value, &mut causes),
        ("coordination.k8s.io", "Lease") => policy::lease(value, &mut causes),
        _ => {}
    }
    causes.0
}

fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = (usize, &'a Value)> + use<'a> {
    value.get(field).and_then(Value::as_array).into_iter().flatten().enumerate()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or("")
}
