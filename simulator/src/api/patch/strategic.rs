//! Strategic merge patches: lists of maps are merged by a key, directives say what to delete, replace, keep and order.
//!
//! Source: `apimachinery/pkg/util/strategicpatch/patch.go`, whose order of elements clients can see: what a patch names
//! stands before what only the server has, unless the server's order says otherwise.

use serde_json::{Map, Value};

use super::PatchError;

/// How a list of a kind is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum Merge {
    /// Elements are maps, the same where this field is.
    ByKey(&'static str),
    /// Elements are values, each once.
    AsSet,
    /// The patch's list takes the place of the other.
    Replace,
}

/// Where in an object a field is: its kind and the fields above, lists without their indices.
#[derive(Debug, Clone, Copy)]
pub(in crate::api) struct Context<'a> {
    pub(in crate::api) kind: &'a str,
    /// The field that holds the map, and the one that holds that.
    pub(in crate::api) parents: [&'a str; 2],
}

impl<'a> Context<'a> {
    pub(in crate::api) fn root(kind: &'a str) -> Context<'a> {
        Context { kind, parents: ["", ""] }
    }

    fn below(self, field: &'a str) -> Context<'a> {
        Context { kind: self.kind, parents: [field, self.parents[0]] }
    }

    /// How the list in a field is merged. Source: the `patchStrategy` and `patchMergeKey` of the API's Go types.
    fn list(self, field: &str) -> Merge {
        let [parent, above] = self.parents;
        match (field, parent) {
            ("containers" | "initContainers" | "ephemeralContainers", "spec") => Merge::ByKey("name"),
            ("volumes" | "imagePullSecrets" | "schedulingGates" | "resourceClaims", "spec") => {
                Merge::ByKey("name")
            }
            ("hostAliases", "spec") => Merge::ByKey("ip"),
            ("topologySpreadConstraints", "spec") => Merge::ByKey("topologyKey"),
            ("env", "containers" | "initContainers" | "ephemeralContainers") => Merge::ByKey("name"),
            ("ports", "containers" | "initContainers" | "ephemeralContainers") => {
                Merge::ByKey("containerPort")
            }
            ("volumeMounts", "containers" | "initContainers" | "ephemeralContainers") => {
                Merge::ByKey("mountPath")
            }
            ("volumeDevices", "containers" | "initContainers" | "ephemeralContainers") => {
                Merge::ByKey("devicePath")
            }
            ("ports", "spec") if self.kind == "Service" && above.is_empty() => Merge::ByKey("port"),
            ("secrets", "") if self.kind == "ServiceAccount" => Merge::ByKey("name"),
            ("webhooks", "") => Merge::ByKey("name"),
            ("conditions", "status") => Merge::ByKey("type"),
            ("addresses", "status") if self.kind == "Node" => Merge::ByKey("type"),
            ("podIPs" | "hostIPs", "status") => Merge::ByKey("ip"),
            ("resourceClaimStatuses", "status") => Merge::ByKey("name"),
            ("ownerReferences", "metadata") => Merge::ByKey("uid"),
            ("finalizers", "metadata") => Merge::AsSet,
            ("podCIDRs", "spec") => Merge::AsSet,
            _ => Merge::Replace,
        }
    }
}

const DIRECTIVE: &str = "$patch";
const RETAIN: &str = "$retainKeys";
const ORDER: &str = "$setElementOrder/";
const DELETE: &str = "$deleteFromPrimitiveList/";

/// What an object becomes.
pub(in crate::api) fn apply(kind: &str, original: &Value, patch: &Value) -> Result<Value, PatchError> {
    let (Value::Object(original), Value::Object(patch)) = (original, patch) else {
        return Err(PatchError::Malformed("a strategic merge patch is an object".into()));
    };
    merge_map(original.clone(), patch.clone(), Context::root(kind)).map(Value::Object)
}

type Fields = Map<String, Value>;

fn merge_map(mut original: Fields, mut patch: Fields, at: Context<'_>) -> Result<Fields, PatchError> {
    match patch.shift_remove(DIRECTIVE) {
        None => {}
        Some(Value::String(what)) if what == "replace" => {
            patch.shift_remove(RETAIN);
            return Ok(without_directives_in(patch));
        }
        Some(Value::String(what)) if what == "delete" => return Ok(Fields::new()),
        Some(Value::String(what)) if what == "merge" => {}
        Some(other) => return Err(PatchError::Inapplicable(format!("unknown patch type: {other}"))),
    }
    retain_keys(&mut original, &mut patch)?;
    apply_orders(&mut original, &mut patch, at)?;
    for (field, change) in patch {
        if let Some(list) = field.strip_prefix(DELETE) {
            delete_from(&mut original, list, &change)?;
            continue;
        }
        if change.is_null() {
            original.shift_remove(&field);
            continue;
        }
        let merged = match (original.get_mut(&field).map(Value::take), change) {
            (Some(Value::Object(before)), Value::Object(change)) => {
                Value::Object(merge_map(before, change, at.below(&field))?)
            }
            (Some(Value::Array(before)), Value::Array(change)) => {
                Value::Array(merge_list(before, change, &field, at)?)
            }
            (_, change) => match without_directives(change) {
                Some(change) => change,
                None => continue,
            },
        };
        original.insert(field, merged);
    }
    Ok(original)
}

fn retain_keys(original: &mut Fields, patch: &mut Fields) -> Result<(), PatchError> {
    let Some(retained) = patch.shift_remove(RETAIN) else { return Ok(()) };
    let retained: Vec<&str> = retained
        .as_array()
        .ok_or_else(|| PatchError::Malformed("$retainKeys is a list".into()))?
        .iter()
        .filter_map(Value::as_str)
        .collect();
    if let Some(other) = patch.keys().find(|key| !key.starts_with('$') && !retained.contains(&key.as_str())) {
        return Err(PatchError::Malformed(format!("{other} is not among $retainKeys")));
    }
    original.retain(|key, _| retained.contains(&key.as_str()));
    Ok(())
}

fn delete_from(original: &mut Fields, list: &str, values: &Value) -> Result<(), PatchError> {
    let Some(gone) = values.as_array() else {
        return Err(PatchError::Malformed(format!("{DELETE}{list} is a list")));
    };
    if let Some(Value::Array(items)) = original.get_mut(list) {
        items.retain(|item| !gone.contains(item));
    }
    Ok(())
}

/// Merges the lists whose order the patch gives, and takes them out of the patch.
fn apply_orders(original: &mut Fields, patch: &mut Fields, at: Context<'_>) -> Result<(), PatchError> {
    let directives: Vec<String> = patch.keys().filter(|key| key.starts_with(ORDER)).cloned().collect();
    for directive in directives {
        let order = match patch.shift_remove(&directive) {
            Some(Value::Array(order)) => order,
            _ => return Err(PatchError::Malformed(format!("{directive} is a list"))),
        };
        let field = directive.trim_start_matches(ORDER).to_owned();
        let how = at.list(&field);
        let list = |value: Option<&Value>| match value {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items.clone())),
            Some(_) => Err(PatchError::Malformed(format!("{field} is a list"))),
        };
        let (before, change) = (list(original.get(&field))?, list(patch.get(&field))?);
        if patch.get(&field).is_some_and(Value::is_null) {
            continue;
        }
        if let Some(change) = &change {
            agrees_with_order(change, &order, how)?;
        }
        let merged = match (&before, change) {
            (Some(before), None) => before.clone(),
            (None, Some(change)) => change.into_iter().filter_map(without_directives).collect(),
            (Some(before), Some(change)) => merge_list(before.clone(), change, &field, at)?,
            (None, None) => continue,
        };
        let (named, others): (Vec<Value>, Vec<Value>) =
            merged.into_iter().partition(|item| position(&order, item, how).is_some());
        let server_order = before.unwrap_or_default();
        original.insert(field.clone(), Value::Array(ordered(named, others, &order, &server_order, how)));
        patch.shift_remove(&field);
    }
    Ok(())
}

/// Whatever a patch's list holds must stand in its order in the list of the order.
fn agrees_with_order(change: &[Value], order: &[Value], how: Merge) -> Result<(), PatchError> {
    let mut last = 0;
    for item in change {
        if item.get(DIRECTIVE).is_some() {
            continue;
        }
        let found = order.iter().skip(last).position(|one| identical(one, item, how));
        match found {
            Some(index) => last += index + 1,
            None => {
                let why = "The order in patch list doesn't match the $setElementOrder list";
                return Err(PatchError::Inapplicable(why.into()));
            }
        }
    }
    Ok(())
}

fn merge_list(
    mut original: Vec<Value>,
    mut patch: Vec<Value>,
    field: &str,
    at: Context<'_>,
) -> Result<Vec<Value>, PatchError> {
    let how = at.list(field);
    match how {
        Merge::Replace => return Ok(patch.into_iter().filter_map(without_directives).collect()),
        Merge::AsSet => {
            let mut merged = original.clone();
            for value in &patch {
                if !merged.contains(value) {
                    merged.push(value.clone());
                }
            }
            let (named, others) = merged.into_iter().partition(|item| patch.contains(item));
            return Ok(ordered(named, others, &patch, &original, how));
        }
        Merge::ByKey(key) => {
            if special_elements(&mut original, &mut patch, key)? {
                return Ok(patch);
            }
        }
    }
    let mut merged = original.clone();
    for change in &patch {
        let (Value::Object(fields), Merge::ByKey(key)) = (change, how) else {
            return Err(PatchError::Inapplicable(format!("elements of {field} are maps")));
        };
        if fields.get(key).is_none_or(Value::is_null) {
            return Err(PatchError::Inapplicable(format!("map does not contain declared merge key: {key}")));
        }
        match merged.iter_mut().find(|item| identical(item, change, how)) {
            Some(Value::Object(found)) => {
                *found = merge_map(std::mem::take(found), fields.clone(), at.below_list(field))?;
            }
            _ => merged.extend(without_directives(change.clone())),
        }
    }
    let (named, others) = merged.into_iter().partition(|item| position(&patch, item, how).is_some());
    Ok(ordered(named, others, &patch, &original, how))
}

impl<'a> Context<'a> {
    /// Inside an element of a list.
    fn below_list(self, field: &str) -> Context<'a> {
        let known = ["containers", "initContainers", "ephemeralContainers", "volumes"];
        let field = known.into_iter().find(|one| *one == field).unwrap_or("element");
        self.below(field)
    }
}

/// Carries out directives among a list's elements; whether the patch's list is to replace the other.
fn special_elements(
    original: &mut Vec<Value>,
    patch: &mut Vec<Value>,
    key: &'static str,
) -> Result<bool, PatchError> {
    let mut replace = false;
    let mut plain = Vec::new();
    for item in std::mem::take(patch) {
        match item.get(DIRECTIVE).and_then(Value::as_str) {
            None => plain.push(item),
            Some("delete") => {
                if item.get(key).is_none() {
                    return Err(PatchError::Inapplicable(format!(
                        "delete patch type with no merge key defined: {key}"
                    )));
                }
                original.retain(|other| !identical(other, &item, Merge::ByKey(key)));
            }
            Some("replace") => replace = true,
            Some("merge") => {
                return Err(PatchError::Inapplicable(
                    "merging lists cannot yet be specified in the patch".into(),
                ));
            }
            Some(other) => {
                return Err(PatchError::Inapplicable(format!("unknown patch type: {other}")));
            }
        }
    }
    *patch = plain;
    Ok(replace)
}

fn identical(one: &Value, other: &Value, how: Merge) -> bool {
    match how {
        Merge::ByKey(key) => one.get(key).is_some() && one.get(key) == other.get(key),
        Merge::AsSet | Merge::Replace => one == other,
    }
}

fn position(list: &[Value], item: &Value, how: Merge) -> Option<usize> {
    list.iter().position(|one| identical(one, item, how))
}

/// Elements that the patch names, in its order, among those that only the server has, in the server's.
fn ordered(
    mut named: Vec<Value>,
    mut others: Vec<Value>,
    order: &[Value],
    server: &[Value],
    how: Merge,
) -> Vec<Value> {
    named.sort_by_key(|item| position(order, item, how));
    others.sort_by_key(|item| position(server, item, how));
    let mut all = Vec::with_capacity(named.len() + others.len());
    let (mut named, mut others) = (named.into_iter().peekable(), others.into_iter().peekable());
    while let (Some(name), Some(other)) = (named.peek(), others.peek()) {
        let before = match (position(server, other, how), position(server, name, how)) {
            (Some(other), Some(name)) => other < name,
            _ => false,
        };
        all.extend(if before { others.next() } else { named.next() });
    }
    all.extend(named);
    all.extend(others);
    all
}

/// A value that is new, without nulls and directives; nothing where it says that it is to be deleted.
fn without_directives(value: Value) -> Option<Value> {
    match value {
        Value::Object(fields) => {
            if fields.get(DIRECTIVE).and_then(Value::as_str) == Some("delete") {
                return None;
            }
            Some(Value::Object(without_directives_in(fields)))
        }
        Value::Array(items) => Some(Value::Array(items.into_iter().filter_map(without_directives).collect())),
        other => Some(other),
    }
}

fn without_directives_in(fields: Fields) -> Fields {
    let directive =
        |key: &str| key == DIRECTIVE || key == RETAIN || key.starts_with(ORDER) || key.starts_with(DELETE);
    fields
        .into_iter()
        .filter(|(key, value)| !directive(key) && !value.is_null())
        .filter_map(|(key, value)| Some((key, without_directives(value)?)))
        .collect()
}
