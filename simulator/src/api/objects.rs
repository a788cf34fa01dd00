//! Objects and lists in the form that was asked for.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{negotiate::Form, resources::Resource, table};
use crate::http::Request;

/// How answers to a request look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) form: Form,
    /// What a table's rows carry of their objects.
    pub(super) include: Include,
}

/// What a table's rows carry of their objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Include {
    Nothing,
    Metadata,
    Object,
}

impl Shape {
    pub(super) fn of(request: &Request) -> Result<Shape, super::Failure> {
        let include = match request.parameter("includeObject") {
            None | Some("Metadata") => Include::Metadata,
            Some("None") => Include::Nothing,
            Some("Object") => Include::Object,
            Some(other) => {
                return Err(super::Failure::bad_request(format!(
                    "unable to convert to Table: unrecognized includeObject value: \"{other}\""
                )));
            }
        };
        Ok(Shape { form: super::negotiate::form(&request.accept)?, include })
    }
}

/// One object.
pub(super) fn one(resource: &Resource, value: &Value, shape: Shape, now: Timestamp) -> Vec<u8> {
    match shape.form {
        Form::Objects => value.to_string(),
        Form::Metadata => metadata(value).to_string(),
        Form::Table => {
            let meta = json!({"resourceVersion": value.pointer("/metadata/resourceVersion")});
            table::of(resource, [value], shape.include, meta, true, now).to_string()
        }
    }
    .into_bytes()
}

/// A list.
pub(super) fn list(
    resource: &Resource,
    items: &[Arc<Value>],
    meta: Value,
    shape: Shape,
    now: Timestamp,
) -> Vec<u8> {
    if shape.form == Form::Table {
        return table::of(resource, items.iter().map(|item| &**item), shape.include, meta, true, now)
            .to_string()
            .into_bytes();
    }
    let (kind, api_version) = match shape.form {
        Form::Metadata => ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1".to_owned()),
        _ => (format!("{}List", resource.kind), resource.api_version()),
    };
    let head = json!({"kind": kind, "apiVersion": api_version, "metadata": meta}).to_string();
    let mut bytes = head.into_bytes();
    bytes.pop();
    bytes.extend_from_slice(b",\"items\":[");
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            bytes.push(b',');
        }
        if shape.form == Form::Metadata {
            bytes.extend_from_slice(metadata(item).to_string().as_bytes());
        } else {
            push_item(&mut bytes, item);
        }
    }
    bytes.extend_from_slice(b"]}");
    bytes
}

/// Items of a list do not repeat what they are.
fn push_item(bytes: &mut Vec<u8>, item: &Value) {
    let Value::Object(fields) = item else { return };
    bytes.push(b'{');
    let mut first = true;
    for (key, value) in fields.iter().filter(|(key, _)| !matches!(key.as_str(), "kind" | "apiVersion")) {
        if !std::mem::take(&mut first) {
            bytes.push(b',');
        }
        serde_json::to_writer(&mut *bytes, key).expect("a key is a string");
        bytes.push(b':');
        serde_json::to_writer(&mut *bytes, value).expect("a tree of JSON is JSON");
    }
    bytes.push(b'}');
}

/// The metadata of an object, as an object.
pub(super) fn metadata(value: &Value) -> Value {
    let mut partial = Map::new();
    partial.insert("kind".into(), json!("PartialObjectMetadata"));
    partial.insert("apiVersion".into(), json!("meta.k8s.io/v1"));
    partial.insert("metadata".into(), value.get("metadata").cloned().unwrap_or_default());
    Value::Object(partial)
}
