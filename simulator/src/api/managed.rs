//! Who manages which fields: `metadata.managedFields`, kept up with every write.
//!
//! Source: `sigs.k8s.io/structured-merge-diff` and the markers of the API's Go types. A set of fields is the tree that
//! `fieldsV1` writes: `f:` a field, `k:` an element of a list by its keys, `v:` a value of a set, `.` the thing itself.

use serde_json::{Map, Value, json};

use super::resources::Resource;
use crate::http::Request;

/// Longest name of a manager, in characters. Source: apimachinery, `FieldManagerMaxLength`.
const NAME_LENGTH_MAX: usize = 128;

/// Who is named as manager of the fields: the parameter, else the program's name.
pub(super) fn manager(request: &Request) -> String {
    let program = request.user_agent.split('/').next().unwrap_or("");
    let name = request.parameter("fieldManager").unwrap_or(program);
    if name.is_empty() { "unknown".into() } else { name.chars().take(NAME_LENGTH_MAX).collect() }
}

/// How the parts of a list or a map are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parts {
    /// Maps that are known by these fields.
    ByKeys(&'static [&'static str]),
    /// Values.
    Values,
    /// Fields of a map.
    Fields,
    /// Nothing: it is one whole.
    Whole,
}

/// Where in an object: its kind and the two fields above, elements of lists by their list's name.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    kind: &'a str,
    above: [&'a str; 2],
}

impl<'a> At<'a> {
    pub(super) fn root(kind: &'a str) -> At<'a> {
        At { kind, above: ["", ""] }
    }

    pub(super) fn below(self, field: &'a str) -> At<'a> {
        At { kind: self.kind, above: [field, self.above[0]] }
    }

    /// How the value of a field is divided.
    pub(super) fn parts(self, field: &str, value: &Value) -> Parts {
        let [parent, grandparent] = self.above;
        let in_container = matches!(parent, "containers" | "initContainers" | "ephemeralContainers");
        match (field, parent) {
            _ if value.is_object() => {
                let atomic = matches!(
                    field,
                    "nodeSelector"
                        | "selector"
                        | "labelSelector"
                        | "fieldRef"
                        | "resourceFieldRef"
                        | "configMapKeyRef"
                        | "secretKeyRef"
                        | "scaleTargetRef"
                        | "namespaceSelector"
                        | "claimRef"
                        | "targetRef"
                        | "involvedObject"
                        | "roleRef"
                );
                if atomic { Parts::Whole } else { Parts::Fields }
            }
            (
                "containers"
                | "initContainers"
                | "ephemeralContainers"
                | "volumes"
                | "imagePullSecrets"
                | "schedulingGates"
                | "resourceClaims",
                "spec",
            ) => Parts::ByKeys(&["name"]),
            ("hostAliases", "spec") => Parts::ByKeys(&["ip"]),
            ("topologySpreadConstraints", "spec") => Parts::ByKeys(&["topologyKey", "whenUnsatisfiable"]),
            ("env", _) if in_container => Parts::ByKeys(&["name"]),
            ("ports", _) if in_container => Parts::ByKeys(&["containerPort", "protocol"]),
            ("volumeMounts", _) if in_container => Parts::ByKeys(&["mountPath"]),
            ("volumeDevices", _) if in_container => Parts::ByKeys(&["devicePath"]),
            ("ports", "spec") if self.kind == "Service" && grandparent.is_empty() => {
                Parts::ByKeys(&["port", "protocol"])
            }
            ("secrets", "") if self.kind == "ServiceAccount" => Parts::ByKeys(&["name"]),
            ("webhooks", "") => Parts::ByKeys(&["name"]),
            ("conditions" | "addresses", "status") => Parts::ByKeys(&["type"]),
            ("podIPs" | "hostIPs", "status") => Parts::ByKeys(&["ip"]),
            ("ownerReferences", "metadata") => Parts::ByKeys(&["uid"]),
            ("finalizers", "metadata") | ("podCIDRs", "spec") => Parts::Values,
            _ => Parts::Whole,
        }
    }
}

/// The name of an element of a list in a set of fields; `None` where it lacks a key.
pub(super) fn element(item: &Value, parts: Parts) -> Option<String> {
    match parts {
        Parts::Values => Some(format!("v:{item}")),
        Parts::ByKeys(keys) => {
            let mut name = Map::new();
            for key in keys {
                let value = match item.get(key) {
                    Some(value) => value.clone(),
                    None if *key == "protocol" => json!("TCP"),
                    None => return None,
                };
                name.insert((*key).into(), value);
            }
            Some(format!("k:{}", Value::Object(name)))
        }
        Parts::Fields | Parts::Whole => None,
    }
}

/// A set of fields.
pub(super) type Set = Map<String, Value>;

/// Fields of the metadata that the server alone writes, or that name the object.
const SERVER_ONLY: &[&str] = &[
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
];

/// An object without what nobody manages.
fn manageable(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(fields) = value.as_object_mut() {
        fields.shift_remove("kind");
        fields.shift_remove("apiVersion");
    }
    if let Some(meta) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.retain(|key, _| !SERVER_ONLY.contains(&key.as_str()));
    }
    value
}

/// All fields of an object.
pub(super) fn set_of(kind: &str, value: &Value) -> Set {
    match changed(None, &manageable(value), At::root(kind), Parts::Fields) {
        Some(Value::Object(set)) => set,
        _ => Set::new(),
    }
}

/// The fields of `new` that `old` has not, or with another value.
fn changed(old: Option<&Value>, new: &Value, at: At<'_>, parts: Parts) -> Option<Value> {
    if old == Some(new) {
        return None;
    }
    let mut set = Set::new();
    match (new, parts) {
        (Value::Object(fields), Parts::Fields) if !fields.is_empty() => {
            for (key, value) in fields {
                let before = old.and_then(|old| old.get(key));
                let below = at.parts(key, value);
                let inside = at.below(key);
                let found = changed(before, value, inside, below);
                if let Some(found) = found {
                    set.insert(format!("f:{key}"), found);
                }
            }
        }
        (Value::Array(items), Parts::ByKeys(_) | Parts::Values) => {
            let known: Vec<(Option<String>, &Value)> = old
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .map(|item| (element(item, parts), item))
                .collect();
            for item in items {
                let Some(name) = element(item, parts) else { continue };
                let before = known.iter().find(|(of, _)| of.as_ref() == Some(&name)).map(|(_, item)| *item);
                let below = if parts == Parts::Values { Parts::Whole } else { Parts::Fields };
                let Some(mut found) = changed(before, item, at, below) else { continue };
                if before.is_none() && below == Parts::Fields && found.is_object() {
                    found["."] = json!({});
                }
                set.insert(name, found);
            }
        }
        _ => return Some(json!({})),
    }
    (!set.is_empty()).then_some(Value::Object(set))
}

fn union(into: &mut Set, other: &Set) {
    for (key, value) in other {
        match (into.get_mut(key), value) {
            (Some(Value::Object(found)), Value::Object(value)) => union(found, value),
            _ => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Takes the leaves of `other` away.
fn subtract(from: &mut Set, other: &Set) {
    for (key, value) in other {
        let Value::Object(value) = value else { continue };
        let Some(Value::Object(found)) = from.get_mut(key) else { continue };
        if value.is_empty() {
            from.shift_remove(key);
            continue;
        }
        let was_leaf = found.is_empty();
        subtract(found, value);
        if found.is_empty() && !was_leaf {
            from.shift_remove(key);
        }
    }
}

/// Keeps what the object still has.
fn retain(set: &mut Set, all: &Set) {
    set.retain(|key, value| {
        let Some(Value::Object(there)) = all.get(key) else { return key == "." };
        if let Value::Object(inside) = value
            && !inside.is_empty()
        {
            retain(inside, there);
            return !inside.is_empty();
        }
        true
    });
}

/// One entry of the list.
pub(super) struct Manager {
    pub(super) name: String,
    pub(super) applies: bool,
    pub(super) subresource: String,
    pub(super) api_version: String,
    pub(super) fields: Set,
    time: Value,
}

/// The managers that an object names.
pub(super) fn managers(value: &Value) -> Vec<Manager> {
    let entries = value.pointer("/metadata/managedFields").and_then(Value::as_array);
    let text = |entry: &Value, field: &str| entry.get(field).and_then(Value::as_str).unwrap_or("").to_owned();
    entries
        .into_iter()
        .flatten()
        .map(|entry| Manager {
            name: text(entry, "manager"),
            applies: text(entry, "operation") == "Apply",
            subresource: text(entry, "subresource"),
            api_version: text(entry, "apiVersion"),
            fields: entry.get("fieldsV1").and_then(Value::as_object).cloned().unwrap_or_default(),
            time: entry.get("time").cloned().unwrap_or_default(),
        })
        .collect()
}

/// Equal but for who manages what.
pub(super) fn same(old: &Value, new: &Value) -> bool {
    let bare = |value: &Value| {
        let mut value = value.clone();
        if let Some(meta) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            meta.shift_remove("managedFields");
        }
        value
    };
    bare(old) == bare(new)
}

/// Notes a write: what `name` changed, or applied, is its own now.
pub(super) fn on_write(
    resource: &Resource,
    old: Option<&Value>,
    new: &mut Value,
    name: &str,
    applied: Option<&Value>,
    subresource: &str,
    now: &str,
) {
    let kind = resource.kind.as_str();
    let (before, after) = (old.map(manageable), manageable(new));
    let written = match changed(before.as_ref(), &after, At::root(kind), Parts::Fields) {
        Some(Value::Object(set)) => set,
        _ => Set::new(),
    };
    let all = set_of(kind, new);
    let mut list = managers(old.unwrap_or(new));
    let applies = applied.is_some();
    let own = list
        .iter()
        .position(|one| one.name == name && one.applies == applies && one.subresource == subresource);
    for (index, other) in list.iter_mut().enumerate() {
        if Some(index) != own {
            subtract(&mut other.fields, &written);
        }
        retain(&mut other.fields, &all);
    }
    let mut fields = match applied {
        Some(applied) => set_of(kind, applied),
        None => written,
    };
    if let Some(index) = own {
        let before = list.remove(index);
        if !applies {
            let mut joined = before.fields;
            union(&mut joined, &fields);
            fields = joined;
        }
    }
    if !fields.is_empty() {
        list.push(Manager {
            name: name.to_owned(),
            applies,
            subresource: subresource.to_owned(),
            api_version: resource.api_version(),
            fields,
            time: json!(now),
        });
    }
    list.retain(|one| !one.fields.is_empty());
    let entries: Vec<Value> = list
        .into_iter()
        .map(|one| {
            let mut entry = json!({"manager": one.name, "operation": if one.applies { "Apply" } else { "Update" },
                "apiVersion": one.api_version, "time": one.time, "fieldsType": "FieldsV1",
                "fieldsV1": one.fields});
            if !one.subresource.is_empty() {
                entry["subresource"] = json!(one.subresource);
            }
            entry
        })
        .collect();
    if let Some(meta) = new.get_mut("metadata").and_then(Value::as_object_mut) {
        if entries.is_empty() {
            meta.shift_remove("managedFields");
        } else {
            meta.insert("managedFields".into(), Value::Array(entries));
        }
    }
}
