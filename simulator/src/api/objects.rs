//! Objects and lists in the form that was asked for.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

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
    let mut out = Vec::new();
    write_one(&mut out, resource, value, shape, true, now);
    out
}

/// Writes one object; a table has columns where it is the first that a client is sent.
pub(super) fn write_one(
    out: &mut Vec<u8>,
    resource: &Resource,
    value: &Value,
    shape: Shape,
    with_columns: bool,
    now: Timestamp,
) {
    match shape.form {
        Form::Objects => write_json(out, value),
        Form::Metadata => write_metadata(out, value),
        Form::Table => {
            let meta = json!({"resourceVersion": value.pointer("/metadata/resourceVersion")});
            table::write(out, resource, [value], shape.include, &meta, with_columns, now);
        }
    }
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
        let mut out = Vec::new();
        table::write(&mut out, resource, items.iter().map(|item| &**item), shape.include, &meta, true, now);
        return out;
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
            write_metadata(&mut bytes, item);
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
        write_json(bytes, value);
    }
    bytes.push(b'}');
}

/// Writes the metadata of an object, as an object.
pub(super) fn write_metadata(out: &mut Vec<u8>, value: &Value) {
    out.extend_from_slice(
        b"{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":",
    );
    write_json(out, value.get("metadata").unwrap_or(&Value::Null));
    out.push(b'}');
}

/// Writes a value.
pub(super) fn write_json(out: &mut Vec<u8>, value: &impl serde::Serialize) {
    serde_json::to_writer(out, value).expect("a tree of JSON is JSON");
}

/// A part of an object, by names that hold neither `/` nor `~`. `Value::pointer` looks for escapes in each of them, which
/// takes most of the time of a table.
pub(super) fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('/').skip(1).try_fold(value, |value, name| match value {
        Value::Object(fields) => fields.get(name),
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    })
}
