//! Server-side apply: what an applied configuration makes of the object that stands, and with whom it conflicts.

use serde_json::{Map, Value};

use super::{
    failure::Cause,
    managed::{At, Manager, Parts, Set, element, managers, set_of},
    resources::Resource,
};

/// The object after an apply.
///
/// # Errors
///
/// Fields that others manage and that would change, unless `force`.
pub(super) fn merge(
    resource: &Resource,
    live: &Value,
    applied: &Value,
    manager: &str,
    subresource: &str,
    force: bool,
) -> Result<Value, Vec<Cause>> {
    let all = managers(live);
    let is_own = |one: &Manager| one.applies && one.name == manager && one.subresource == subresource;
    let others: Vec<(&Manager, Option<&Set>)> =
        all.iter().filter(|one| !is_own(one)).map(|one| (one, Some(&one.fields))).collect();
    let mut applied = applied.clone();
    for field in ["name", "namespace", "uid", "resourceVersion", "managedFields", "creationTimestamp"] {
        if let Some(meta) = applied.get_mut("metadata").and_then(Value::as_object_mut) {
            meta.shift_remove(field);
        }
    }
    let at = At::root(&resource.kind);
    if !force {
        let mut causes = Vec::new();
        conflicts(live, &applied, at, Parts::Fields, &others, "", &mut causes);
        if !causes.is_empty() {
            return Err(causes);
        }
    }
    let mut merged = live.clone();
    let wanted = set_of(&resource.kind, &applied);
    if let Some(own) = all.iter().find(|one| is_own(one)) {
        let held: Vec<&Set> = others.iter().filter_map(|(_, set)| *set).collect();
        remove(&mut merged, at, Parts::Fields, &own.fields, Some(&wanted), &held);
    }
    lay_over(&mut merged, &applied, at, Parts::Fields);
    Ok(merged)
}

fn inside<'a>(set: Option<&'a Set>, name: &str) -> Option<&'a Set> {
    set?.get(name)?.as_object()
}

/// Collects the fields that would change and that others manage.
fn conflicts(
    live: &Value,
    applied: &Value,
    at: At<'_>,
    parts: Parts,
    others: &[(&Manager, Option<&Set>)],
    path: &str,
    causes: &mut Vec<Cause>,
) {
    if live == applied {
        return;
    }
    let narrowed = |name: &str| -> Vec<(&Manager, Option<&Set>)> {
        others.iter().map(|&(manager, set)| (manager, inside(set, name))).collect()
    };
    match (live, applied, parts) {
        (Value::Object(live), Value::Object(applied), Parts::Fields) => {
            for (key, value) in applied {
                let Some(before) = live.get(key) else { continue };
                let owners = narrowed(&format!("f:{key}"));
                let below = at.parts(key, value);
                conflicts(before, value, at.below(key), below, &owners, &format!("{path}.{key}"), causes);
            }
        }
        (Value::Array(live), Value::Array(applied), Parts::ByKeys(_)) => {
            for item in applied {
                let Some(name) = element(item, parts) else { continue };
                let before = live.iter().find(|one| element(one, parts).as_ref() == Some(&name));
                let Some(before) = before else { continue };
                let owners = narrowed(&name);
                let told = format!("{path}[{}]", name.trim_start_matches("k:").trim_matches(['{', '}']));
                conflicts(before, item, at, Parts::Fields, &owners, &told, causes);
            }
        }
        (_, _, Parts::Values) => {}
        _ => {
            for (manager, set) in others {
                if set.is_none() {
                    continue;
                }
                let mut told = format!("conflict with \"{}\"", manager.name);
                if !manager.subresource.is_empty() {
                    told = format!("{told} with subresource \"{}\"", manager.subresource);
                }
                if !manager.applies {
                    told = format!("{told} using {}", manager.api_version);
                }
                causes.push(Cause {
                    reason: "FieldManagerConflict",
                    message: told,
                    field: Some(path.to_owned()),
                });
            }
        }
    }
}

/// Removes what was applied before, is applied no longer and is nobody else's.
fn remove(value: &mut Value, at: At<'_>, parts: Parts, own: &Set, wanted: Option<&Set>, others: &[&Set]) {
    let held =
        |name: &str| -> Vec<&Set> { others.iter().filter_map(|set| set.get(name)?.as_object()).collect() };
    match (value, parts) {
        (Value::Object(fields), Parts::Fields) => {
            for (name, inner) in own {
                let Some(key) = name.strip_prefix("f:") else { continue };
                let Some(found) = fields.get_mut(key) else { continue };
                let (wanted, held) = (inside(wanted, name), held(name));
                let below = at.parts(key, found);
                let inner = inner.as_object().cloned().unwrap_or_default();
                if wanted.is_none() && held.is_empty() {
                    fields.shift_remove(key);
                } else if !inner.is_empty() {
                    remove(found, at.below(key), below, &inner, wanted, &held);
                }
            }
        }
        (Value::Array(items), Parts::ByKeys(_) | Parts::Values) => {
            items.retain_mut(|item| {
                let Some(name) = element(item, parts) else { return true };
                let Some(inner) = own.get(&name).and_then(Value::as_object) else { return true };
                let (wanted, held) = (inside(wanted, &name), held(&name));
                if wanted.is_none() && held.is_empty() {
                    return false;
                }
                if parts != Parts::Values {
                    remove(item, at, Parts::Fields, inner, wanted, &held);
                }
                true
            });
        }
        _ => {}
    }
}

/// Lays the applied configuration over the object.
fn lay_over(value: &mut Value, applied: &Value, at: At<'_>, parts: Parts) {
    match (&mut *value, applied, parts) {
        (Value::Object(fields), Value::Object(applied), Parts::Fields) => {
            for (key, wanted) in applied {
                let below = at.parts(key, wanted);
                lay_over(fields.entry(key.as_str()).or_insert(Value::Null), wanted, at.below(key), below);
            }
        }
        (Value::Null, Value::Object(_), Parts::Fields) => {
            *value = Value::Object(Map::new());
            lay_over(value, applied, at, parts);
        }
        (Value::Array(items), Value::Array(applied), Parts::ByKeys(_) | Parts::Values) => {
            for wanted in applied {
                let name = element(wanted, parts);
                let found = items.iter_mut().find(|one| name.is_some() && element(one, parts) == name);
                match found {
                    Some(found) if parts != Parts::Values => lay_over(found, wanted, at, Parts::Fields),
                    Some(_) => {}
                    None => items.push(wanted.clone()),
                }
            }
        }
        _ => *value = applied.clone(),
    }
}
