//! Bodies of requests: JSON or YAML, and what to do about fields that mean nothing.

use serde_json::Value;

use super::super::{content::Decoded, failure::Failure, resources::Resource, route::Target, schema};
use crate::http::Request;

const ACCEPTED: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

/// The media type of the body, without parameters.
pub(super) fn media_type(request: &Request) -> &str {
    request.content_type.split(';').next().unwrap_or("").trim()
}

/// The body as an object.
pub(super) fn object(request: &Request) -> Result<Value, Failure> {
    let value = match media_type(request) {
        "" | "application/json" | "*/*" => json(&request.body)?,
        "application/yaml" => yaml(&request.body)?,
        "application/vnd.kubernetes.protobuf" => schema::decode(&request.body)
            .ok_or_else(|| Failure::bad_request("the body is no protobuf of a known kind"))?,
        _ => return Err(Failure::unsupported_media_type(ACCEPTED)),
    };
    if value.is_object() { Ok(value) } else { Err(Failure::bad_request("the body is no object")) }
}

/// The body of a request that may have none.
pub(super) fn options(request: &Request) -> Result<Option<Value>, Failure> {
    if request.body.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    object(request).map(Some)
}

pub(super) fn json(body: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(body)
        .map_err(|error| Failure::bad_request(format!("error decoding the body: {error}")))
}

pub(super) fn yaml(body: &[u8]) -> Result<Value, Failure> {
    serde_saphyr::from_slice(body)
        .map_err(|error| Failure::bad_request(format!("error decoding YAML: {error}")))
}

/// Checks that a body is of the kind that the path names.
pub(super) fn check_kind(value: &Value, target: &Target) -> Result<(), Failure> {
    let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or("");
    let (kind, api_version) = (text("kind"), text("apiVersion"));
    let expected = target.resource.api_version();
    if !kind.is_empty() && kind != target.resource.kind || !api_version.is_empty() && api_version != expected
    {
        return Err(Failure::bad_request(format!(
            "{kind} in version \"{api_version}\" cannot be handled as a {}: no kind \"{kind}\" is registered for \
             version \"{api_version}\"",
            target.resource.kind
        )));
    }
    Ok(())
}

/// Refuses or tells of fields that mean nothing, as the client wants it: the warnings to send.
pub(super) fn field_validation(
    request: &Request,
    resource: &Resource,
    decoded: &Decoded,
    known: &[String],
) -> Result<Vec<String>, Failure> {
    let unknown: Vec<String> = decoded
        .unknown
        .iter()
        .filter(|path| !known.contains(path))
        .map(|path| format!("unknown field \"{path}\""))
        .collect();
    match request.parameter("fieldValidation") {
        Some("Ignore") => Ok(Vec::new()),
        None | Some("Warn") => Ok(unknown),
        Some("Strict") if unknown.is_empty() => Ok(Vec::new()),
        Some("Strict") => Err(Failure::bad_request(format!(
            "{} in version \"{}\" cannot be handled as a {}: strict decoding error: {}",
            resource.kind,
            resource.version,
            resource.kind,
            unknown.join(", ")
        ))),
        Some(other) => Err(Failure::bad_request(format!(
            "fieldValidation: Unsupported value: \"{other}\": supported values: \"Ignore\", \"Strict\", \"Warn\""
        ))),
    }
}
