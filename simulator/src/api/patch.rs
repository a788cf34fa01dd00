//! Patches: what an object becomes by a JSON patch (RFC 6902) or a merge patch (RFC 7386). Strategic merge patches, which
//! know the kinds, are in [`strategic`].

use serde_json::{Map, Value};

pub(super) mod strategic;
#[cfg(test)]
mod tests;

/// Most operations of a JSON patch. Source: `apiserver/pkg/endpoints/handlers/patch.go`, maxJSONPatchOperations.
pub(super) const OPERATIONS_MAX: usize = 10_000;

/// Most bytes that the copies of a JSON patch may add together, as JSON. Source: `apiserver/pkg/server/config.go`,
/// JSONPatchMaxCopyBytes.
const COPIED_BYTES_MAX: usize = 3 << 20;

/// Deepest nesting of what a patch leaves. Schemas of custom resources stay below 60; JSON is read down to 128.
pub(super) const DEPTH_MAX: usize = 100;

/// Whether a value is nested no deeper than [`DEPTH_MAX`].
pub(super) fn is_shallow(value: &Value) -> bool {
    fn within(value: &Value, left: usize) -> bool {
        match value {
            Value::Object(fields) => left > 0 && fields.values().all(|value| within(value, left - 1)),
            Value::Array(items) => left > 0 && items.iter().all(|value| within(value, left - 1)),
            _ => true,
        }
    }
    within(value, DEPTH_MAX)
}

/// A patch that makes no sense, or not for this object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PatchError {
    /// It is no patch.
    Malformed(String),
    /// It does not fit the object.
    Inapplicable(String),
}

/// Applies a merge patch.
pub(super) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(fields) = target else { return };
    for (key, change) in changes {
        if change.is_null() {
            fields.shift_remove(key);
        } else {
            merge(fields.entry(key.as_str()).or_insert(Value::Null), change);
        }
    }
}

/// Applies a JSON patch, all of it or an error.
pub(super) fn json_patch(target: &mut Value, patch: &Value) -> Result<(), PatchError> {
    let malformed = |why: &str| PatchError::Malformed(why.into());
    let operations = patch.as_array().ok_or_else(|| malformed("a JSON patch is a list of operations"))?;
    if operations.len() > OPERATIONS_MAX {
        return Err(malformed("The allowed maximum operations in a JSON patch is 10000"));
    }
    let mut bytes_copied = 0usize;
    for operation in operations {
        let text = |key: &str| operation.get(key).and_then(Value::as_str);
        let name = text("op").ok_or_else(|| malformed("an operation has no op"))?;
        let path = pointer(text("path").ok_or_else(|| malformed("an operation has no path"))?)?;
        let from = || pointer(text("from").ok_or_else(|| malformed("an operation has no from"))?);
        let value = || operation.get("value").cloned().unwrap_or(Value::Null);
        match name {
            "add" => add(target, &path, value())?,
            "remove" => {
                remove(target, &path)?;
            }
            "replace" => replace(target, &path, value())?,
            "move" => {
                let from = from()?;
                let moved = remove(target, &from)?;
                add(target, &path, moved)?;
            }
            "copy" => {
                let copied = find(target, &from()?)?.clone();
                bytes_copied = bytes_copied.saturating_add(copied.to_string().len());
                if bytes_copied > COPIED_BYTES_MAX {
                    return Err(malformed("the copies of the patch are larger than 3145728 bytes"));
                }
                add(target, &path, copied)?;
            }
            "test" => test(target, &path, &value())?,
            other => return Err(malformed(&format!("Unexpected kind: {other}"))),
        }
    }
    Ok(())
}

fn missing(path: &[String]) -> PatchError {
    PatchError::Inapplicable(format!("nothing is at /{}", path.join("/")))
}

fn pointer(text: &str) -> Result<Vec<String>, PatchError> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let Some(rest) = text.strip_prefix('/') else {
        return Err(PatchError::Inapplicable(format!("{text} does not begin with /")));
    };
    Ok(rest.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect())
}

fn index(part: &str, length: usize) -> Option<usize> {
    part.parse::<usize>().ok().filter(|&index| index < length)
}

fn find<'a>(target: &'a Value, path: &[String]) -> Result<&'a Value, PatchError> {
    path.iter()
        .try_fold(target, |at, part| match at {
            Value::Object(fields) => fields.get(part),
            Value::Array(items) => items.get(index(part, items.len())?),
            _ => None,
        })
        .ok_or_else(|| missing(path))
}

fn find_mut<'a>(target: &'a mut Value, path: &[String]) -> Result<&'a mut Value, PatchError> {
    path.iter()
        .try_fold(target, |at, part| match at {
            Value::Object(fields) => fields.get_mut(part),
            Value::Array(items) => {
                let index = index(part, items.len())?;
                items.get_mut(index)
            }
            _ => None,
        })
        .ok_or_else(|| missing(path))
}

fn add(target: &mut Value, path: &[String], value: Value) -> Result<(), PatchError> {
    let Some((last, parents)) = path.split_last() else {
        *target = value;
        return Ok(());
    };
    match find_mut(target, parents)? {
        Value::Object(fields) => {
            fields.insert(last.clone(), value);
        }
        Value::Array(items) if last == "-" => items.push(value),
        Value::Array(items) => {
            let at = index(last, items.len() + 1).ok_or_else(|| missing(path))?;
            items.insert(at, value);
        }
        _ => return Err(missing(path)),
    }
    Ok(())
}

/// A field that is missing is added, as the server's library does; an element of a list must be there.
fn replace(target: &mut Value, path: &[String], value: Value) -> Result<(), PatchError> {
    if let Some((last, parents)) = path.split_last()
        && let Value::Object(fields) = find_mut(target, parents)?
    {
        fields.insert(last.clone(), value);
        return Ok(());
    }
    *find_mut(target, path)? = value;
    Ok(())
}

fn remove(target: &mut Value, path: &[String]) -> Result<Value, PatchError> {
    let Some((last, parents)) = path.split_last() else { return Err(missing(path)) };
    match find_mut(target, parents)? {
        Value::Object(fields) => fields.shift_remove(last).ok_or_else(|| missing(path)),
        Value::Array(items) => {
            let at = index(last, items.len()).ok_or_else(|| missing(path))?;
            Ok(items.remove(at))
        }
        _ => Err(missing(path)),
    }
}

fn test(target: &Value, path: &[String], wanted: &Value) -> Result<(), PatchError> {
    // What is not there is null.
    let found = find(target, path).unwrap_or(&Value::Null);
    if found == wanted {
        return Ok(());
    }
    Err(PatchError::Inapplicable(format!("testing value /{} failed", path.join("/"))))
}
