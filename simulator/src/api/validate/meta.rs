//! Names, labels, annotations, and what of the metadata may change.

use serde_json::{Value, json};

use super::{super::resources::Resource, Causes, list, text};

/// All annotations together, in bytes. Source: `TotalAnnotationSizeLimitB`.
const ANNOTATIONS_BYTES_MAX: usize = 256 << 10;

pub(super) const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end \
     with an alphanumeric character";
pub(super) const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an \
     alphanumeric character";
const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric \
     character";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end \
     with an alphanumeric character";

pub(super) fn object(resource: &Resource, value: &Value, old: Option<&Value>, causes: &mut Causes) {
    let empty = json!({});
    let meta = value.get("metadata").unwrap_or(&empty);
    let name = text(meta, "name");
    if name.is_empty() {
        causes.required("metadata.name", "name or generateName is required");
    } else if let Some(why) = refused_name(resource, name).filter(|_| old.is_none()) {
        causes.invalid("metadata.name", &json!(name), why);
    }
    annotations(meta, "metadata.annotations", causes);
    labels(meta, "labels", "metadata.labels", causes);
    finalizers(meta, causes);
    owners(meta, causes);
    let Some(old) = old.and_then(|old| old.get("metadata")) else { return };
    for field in
        ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"]
    {
        causes.immutable(&format!("metadata.{field}"), meta.get(field), old.get(field));
    }
}

fn refused_name(resource: &Resource, name: &str) -> Option<&'static str> {
    match resource.kind.as_str() {
        "Namespace" => (!is_label(name)).then_some(LABEL),
        "Service" => (!is_service_name(name)).then_some(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic \
             character, and end with an alphanumeric character",
        ),
        "Role" | "RoleBinding" | "ClusterRole" | "ClusterRoleBinding" => {
            (matches!(name, "." | "..") || name.contains(['/', '%'])).then_some("may not contain '/' or '%'")
        }
        _ => (!is_subdomain(name)).then_some(SUBDOMAIN),
    }
}

pub(super) fn annotations(meta: &Value, field: &str, causes: &mut Causes) {
    let Some(all) = meta.get("annotations").and_then(Value::as_object) else { return };
    let mut size = 0;
    for (key, value) in all {
        if !is_qualified(&key.to_lowercase()) {
            causes.invalid(field, &json!(key), QUALIFIED);
        }
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > ANNOTATIONS_BYTES_MAX {
        causes.too_long(field, ANNOTATIONS_BYTES_MAX);
    }
}

/// The map of labels in a field of `meta`.
pub(super) fn labels(meta: &Value, key: &str, field: &str, causes: &mut Causes) {
    for (key, value) in meta.get(key).and_then(Value::as_object).into_iter().flatten() {
        if !is_qualified(key) {
            causes.invalid(field, &json!(key), QUALIFIED);
        }
        if !value.as_str().is_some_and(is_label_value) {
            causes.invalid(field, value, LABEL_VALUE);
        }
    }
}

fn finalizers(meta: &Value, causes: &mut Causes) {
    for (index, value) in list(meta, "finalizers") {
        let name = value.as_str().unwrap_or("");
        let field = format!("metadata.finalizers[{index}]");
        if !is_qualified(name) {
            causes.invalid("metadata.finalizers", value, QUALIFIED);
        }
        let standard = ["kubernetes", "orphan", "foregroundDeletion"];
        if !name.contains('/') && !standard.contains(&name) {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            causes.invalid(&field, value, why);
        }
    }
}

fn owners(meta: &Value, causes: &mut Causes) {
    let mut controllers = 0;
    for (index, owner) in list(meta, "ownerReferences") {
        let at = |field: &str| format!("metadata.ownerReferences[{index}].{field}");
        for field in ["apiVersion", "kind", "name", "uid"] {
            if text(owner, field).is_empty() {
                causes.invalid(&at(field), &json!(""), "must not be empty");
            }
        }
        controllers += usize::from(owner.get("controller") == Some(&json!(true)));
    }
    if controllers > 1 {
        let owners = meta.get("ownerReferences").cloned().unwrap_or_default();
        let why = "Only one reference can have Controller set to true";
        causes.invalid("metadata.ownerReferences", &owners, why);
    }
}

/// A selector of labels with `matchLabels` and `matchExpressions`.
pub(super) fn selector(value: &Value, field: &str, causes: &mut Causes) {
    labels(value, "matchLabels", &format!("{field}.matchLabels"), causes);
    for (index, one) in list(value, "matchExpressions") {
        let at = |part: &str| format!("{field}.matchExpressions[{index}].{part}");
        let values = list(one, "values").count();
        match text(one, "operator") {
            "In" | "NotIn" if values == 0 => {
                causes.required(&at("values"), "must be specified when `operator` is 'In' or 'NotIn'");
            }
            "Exists" | "DoesNotExist" if values > 0 => {
                causes.forbidden(
                    &at("values"),
                    "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                );
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            _ => {
                let operator = one.get("operator").cloned().unwrap_or(json!(""));
                causes.invalid(&at("operator"), &operator, "not a valid selector operator");
            }
        }
        if !is_qualified(text(one, "key")) {
            causes.invalid(&at("key"), &json!(text(one, "key")), QUALIFIED);
        }
    }
}

fn alphanumeric(letter: Option<char>) -> bool {
    letter.is_some_and(|letter| letter.is_ascii_alphanumeric())
}

fn ends_well(text: &str) -> bool {
    alphanumeric(text.chars().next()) && alphanumeric(text.chars().next_back())
}

pub(super) fn is_label(text: &str) -> bool {
    text.len() <= 63
        && ends_well(text)
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

pub(super) fn is_subdomain(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|part| {
            ends_well(part) && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        })
}

fn is_service_name(text: &str) -> bool {
    is_label(text) && text.starts_with(|c: char| c.is_ascii_lowercase())
}

pub(super) fn is_label_value(text: &str) -> bool {
    text.is_empty() || is_name_part(text)
}

fn is_name_part(text: &str) -> bool {
    text.len() <= 63
        && ends_well(text)
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// `prefix/name` or `name`.
pub(super) fn is_qualified(text: &str) -> bool {
    match text.split_once('/') {
        None => is_name_part(text),
        Some((prefix, name)) => is_subdomain(prefix) && is_name_part(name),
    }
}
