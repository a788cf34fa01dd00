//! Objects in the protobuf form, as typed clients of Go send them. Answers are always JSON, which they accept as well.

use serde_json::{Map, Value, json};

use super::{Field, Shape, message, messages};

#[cfg(test)]
mod tests;

/// What an envelope begins with.
const MAGIC: &[u8] = b"k8s\0";

/// Deepest nesting of messages: far more than any kind has.
const DEPTH_MAX: usize = 40;

/// Reads an object from its envelope; `None` where it is none, or of an unknown kind.
pub(in crate::api) fn decode(body: &[u8]) -> Option<Value> {
    let envelope = body.strip_prefix(MAGIC)?;
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    for part in parts(envelope)? {
        match part {
            (1, Wire::Bytes(meta)) => {
                for part in parts(meta)? {
                    match part {
                        (1, Wire::Bytes(text)) => api_version = String::from_utf8(text.to_vec()).ok()?,
                        (2, Wire::Bytes(text)) => kind = String::from_utf8(text.to_vec()).ok()?,
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let mut value = Map::new();
    value.insert("kind".into(), json!(kind));
    value.insert("apiVersion".into(), json!(api_version));
    read(raw, message(&api_version, &kind)?, &mut value, 0)?;
    Some(Value::Object(value))
}

/// A value as it stands in the bytes.
#[derive(Clone, Copy)]
enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The numbered values of a message.
fn parts(mut bytes: &[u8]) -> Option<Vec<(u64, Wire<'_>)>> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let key = number(&mut bytes)?;
        let value = match key & 7 {
            0 => Wire::Number(number(&mut bytes)?),
            1 => Wire::Number(u64::from_le_bytes(take(&mut bytes, 8)?.try_into().ok()?)),
            2 => {
                let length = usize::try_from(number(&mut bytes)?).ok()?;
                Wire::Bytes(take(&mut bytes, length)?)
            }
            5 => Wire::Number(u64::from(u32::from_le_bytes(take(&mut bytes, 4)?.try_into().ok()?))),
            _ => return None,
        };
        all.push((key >> 3, value));
    }
    Some(all)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(head)
}

/// A number of variable length, of at most ten bytes.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Reads a message's fields into a map.
fn read(bytes: &[u8], name: &str, into: &mut Map<String, Value>, depth: usize) -> Option<()> {
    if depth > DEPTH_MAX {
        return None;
    }
    let fields = messages().get(name)?;
    for (number, wire) in parts(bytes)? {
        let Some(field) = fields.iter().find(|field| u64::from(field.number) == number) else { continue };
        let Some(name) = field.name else {
            if let Wire::Bytes(inner) = wire {
                read(inner, field.of, into, depth + 1)?;
            }
            continue;
        };
        match field.shape {
            Shape::Once => {
                // What is not set has no empty text in JSON.
                let value = value(wire, field, depth)?;
                if !value.is_null() && value != json!("") {
                    into.insert(name.into(), value);
                }
            }
            Shape::List => {
                let value = value(wire, field, depth)?;
                if let Some(list) = into.entry(name).or_insert_with(|| json!([])).as_array_mut() {
                    list.push(value);
                }
            }
            Shape::Map => {
                let Wire::Bytes(pair) = wire else { return None };
                let (mut key, mut content) = (String::new(), Value::Null);
                for part in parts(pair)? {
                    match part {
                        (1, Wire::Bytes(text)) => key = String::from_utf8(text.to_vec()).ok()?,
                        (2, wire) => content = value(wire, field, depth)?,
                        _ => {}
                    }
                }
                if content.is_null() {
                    content = json!("");
                }
                if let Some(map) = into.entry(name).or_insert_with(|| json!({})).as_object_mut() {
                    map.insert(key, content);
                }
            }
        }
    }
    Some(())
}

fn value(wire: Wire<'_>, field: &Field, depth: usize) -> Option<Value> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    Some(match (field.of, wire) {
        ("bool", Wire::Number(number)) => json!(number != 0),
        ("int32" | "int64", Wire::Number(number)) => json!(number.cast_signed()),
        ("string", Wire::Bytes(bytes)) => json!(text(bytes)?),
        ("bytes", Wire::Bytes(bytes)) => json!(crate::api::base64::encode(bytes)),
        ("quantity", Wire::Bytes(bytes)) => match parts(bytes)?.first() {
            Some((1, Wire::Bytes(bytes))) => json!(text(bytes)?),
            _ => Value::Null,
        },
        ("raw", Wire::Bytes(bytes)) => match parts(bytes)?.first() {
            Some((1, Wire::Bytes(bytes))) => serde_json::from_slice(bytes).ok()?,
            _ => Value::Null,
        },
        ("time" | "microtime", Wire::Bytes(bytes)) => time(bytes, field.of == "microtime")?,
        ("intorstring", Wire::Bytes(bytes)) => {
            let (mut is_text, mut number, mut string) = (false, 0, String::new());
            for part in parts(bytes)? {
                match part {
                    (1, Wire::Number(kind)) => is_text = kind == 1,
                    (2, Wire::Number(value)) => number = value.cast_signed(),
                    (3, Wire::Bytes(bytes)) => string = text(bytes)?,
                    _ => {}
                }
            }
            if is_text { json!(string) } else { json!(number) }
        }
        (message, Wire::Bytes(bytes)) => {
            let mut map = Map::new();
            read(bytes, message, &mut map, depth + 1)?;
            Value::Object(map)
        }
        _ => return None,
    })
}

/// A time in seconds and billionths; one that is not set is null.
fn time(bytes: &[u8], fraction: bool) -> Option<Value> {
    let (mut seconds, mut nanos) = (0i64, 0i32);
    for part in parts(bytes)? {
        match part {
            (1, Wire::Number(value)) => seconds = value.cast_signed(),
            (2, Wire::Number(value)) => nanos = i32::try_from(value).unwrap_or(0),
            _ => {}
        }
    }
    if bytes.is_empty() {
        return Some(Value::Null);
    }
    let at = jiff::Timestamp::new(seconds, if fraction { nanos } else { 0 }).ok()?;
    Some(if fraction { json!(format!("{at:.6}")) } else { json!(at.to_string()) })
}
