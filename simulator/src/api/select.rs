//! Label and field selectors of lists and watches.

use std::sync::Arc;

use serde_json::Value;

use super::{failure::Failure, objects::at, route::Target};
use crate::http::Request;

/// Which objects of a resource are meant.
#[derive(Debug, Clone, Default)]
pub(super) struct Selection {
    namespace: Option<Arc<str>>,
    labels: Vec<(String, Test)>,
    fields: Vec<(String, bool, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Exists,
    Missing,
    In(Vec<String>),
    NotIn(Vec<String>),
    Greater(i64),
    Less(i64),
}

impl Selection {
    pub(super) fn of(request: &Request, target: &Target) -> Result<Selection, Failure> {
        let mut selection = Selection { namespace: target.namespace.clone(), ..Selection::default() };
        if let Some(text) = request.parameter("labelSelector") {
            selection.labels = labels(text)?;
        }
        if let Some(text) = request.parameter("fieldSelector") {
            selection.fields = fields(text, &target.resource.plural)?;
        }
        if let Some(name) = &target.name {
            selection.fields.push(("metadata.name".into(), true, name.to_string()));
        }
        Ok(selection)
    }

    /// Whether an object is meant.
    pub(super) fn matches(&self, value: &Value) -> bool {
        let text = |pointer: &str| at(value, pointer).and_then(Value::as_str);
        if self.namespace.as_deref().is_some_and(|name| text("/metadata/namespace") != Some(name)) {
            return false;
        }
        self.labels.iter().all(|(key, test)| {
            let label = at(value, "/metadata/labels").and_then(|all| all.get(key)?.as_str());
            test.holds(label)
        }) && self.fields.iter().all(|(path, equal, wanted)| (field(value, path) == *wanted) == *equal)
    }
}

impl Test {
    fn holds(&self, value: Option<&str>) -> bool {
        let number = |value: Option<&str>| value.and_then(|text| text.parse::<i64>().ok());
        match self {
            Test::Exists => value.is_some(),
            Test::Missing => value.is_none(),
            Test::In(all) => value.is_some_and(|value| all.iter().any(|one| one == value)),
            Test::NotIn(all) => value.is_none_or(|value| all.iter().all(|one| one != value)),
            Test::Greater(bound) => number(value).is_some_and(|value| value > *bound),
            Test::Less(bound) => number(value).is_some_and(|value| value < *bound),
        }
    }
}

/// The text of a field; a missing one is empty, a missing flag `false`.
fn field(value: &Value, path: &str) -> String {
    let pointer = format!("/{}", path.replace('.', "/"));
    match at(value, &pointer) {
        None | Some(Value::Null) if path == "spec.unschedulable" || path == "spec.hostNetwork" => {
            "false".into()
        }
        None | Some(Value::Null) if path == "status.successful" => {
            at(value, "/status/succeeded").map_or("0".into(), Value::to_string)
        }
        None | Some(Value::Null) if path == "source" => {
            at(value, "/source/component").and_then(Value::as_str).unwrap_or("").into()
        }
        None | Some(Value::Null) if path == "status.replicas" => "0".into(),
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Object(source)) if path == "source" => {
            source.get("component").and_then(Value::as_str).unwrap_or("").into()
        }
        Some(other) => other.to_string(),
    }
}

/// Fields that objects of a resource can be selected by, name and namespace aside.
fn selectable(plural: &str) -> &'static [&'static str] {
    match plural {
        "pods" => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ],
        "events" => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        "nodes" => &["spec.unschedulable"],
        "namespaces" => &["status.phase"],
        "secrets" => &["type"],
        "jobs" => &["status.successful"],
        "replicasets" | "replicationcontrollers" => &["status.replicas"],
        "services" => &["spec.clusterIP", "spec.type"],
        _ => &[],
    }
}

fn fields(text: &str, plural: &str) -> Result<Vec<(String, bool, String)>, Failure> {
    text.split(',')
        .filter(|term| !term.is_empty())
        .map(|term| {
            let (path, equal, value) = if let Some((path, value)) = term.split_once("!=") {
                (path, false, value)
            } else if let Some((path, value)) = term.split_once("==") {
                (path, true, value)
            } else if let Some((path, value)) = term.split_once('=') {
                (path, true, value)
            } else {
                return Err(Failure::bad_request(format!(
                    "Unable to find \"{plural}\" that match label selector \"\", field selector \"{text}\": invalid \
                     selector: '{text}'; can't understand '{term}'"
                )));
            };
            let known = ["metadata.name", "metadata.namespace"].contains(&path) || selectable(plural).contains(&path);
            if known {
                return Ok((path.to_owned(), equal, value.to_owned()));
            }
            Err(Failure::bad_request(format!(
                "Unable to find \"{plural}\" that match label selector \"\", field selector \"{text}\": field label not \
                 supported: {path}"
            )))
        })
        .collect()
}

/// Reads a label selector: `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
fn labels(text: &str) -> Result<Vec<(String, Test)>, Failure> {
    let wrong = |term: &str| {
        Failure::bad_request(format!(
            "unable to parse requirement: couldn't parse the selector string \"{term}\""
        ))
    };
    terms(text)
        .into_iter()
        .map(|term| {
            let (key, test) = requirement(term).ok_or_else(|| wrong(term))?;
            let known =
                !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
            if known { Ok((key, test)) } else { Err(wrong(term)) }
        })
        .collect()
}

/// Splits at the commas that are not inside parentheses.
fn terms(text: &str) -> Vec<&str> {
    let mut all = Vec::new();
    let (mut depth, mut from) = (0usize, 0);
    for (index, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                all.push(text.get(from..index).unwrap_or(""));
                from = index + 1;
            }
            _ => {}
        }
    }
    all.push(text.get(from..).unwrap_or(""));
    all.into_iter().map(str::trim).filter(|term| !term.is_empty()).collect()
}

fn requirement(term: &str) -> Option<(String, Test)> {
    let owned = |text: &str| text.trim().to_owned();
    if let Some((key, values)) = term.split_once('(') {
        let values = values.strip_suffix(')')?.split(',').map(owned).collect();
        let (key, operator) = key.trim().split_once(char::is_whitespace)?;
        return match operator.trim() {
            "in" => Some((owned(key), Test::In(values))),
            "notin" => Some((owned(key), Test::NotIn(values))),
            _ => None,
        };
    }
    if let Some((key, value)) = term.split_once("!=") {
        return Some((owned(key), Test::NotIn(vec![owned(value)])));
    }
    if let Some((key, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        return Some((owned(key), Test::In(vec![owned(value)])));
    }
    if let Some((key, bound)) = term.split_once('>') {
        return Some((owned(key), Test::Greater(bound.trim().parse().ok()?)));
    }
    if let Some((key, bound)) = term.split_once('<') {
        return Some((owned(key), Test::Less(bound.trim().parse().ok()?)));
    }
    match term.strip_prefix('!') {
        Some(key) => Some((owned(key), Test::Missing)),
        None => Some((owned(term), Test::Exists)),
    }
}
