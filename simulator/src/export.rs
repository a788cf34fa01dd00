//! Writes objects as one `v1/List`, the way `kubectl get … -o yaml` and `-o json` print it.
//!
//! Decides the style only: what is written is exactly what was given, keys in the given order. YAML is written for any
//! reader: whatever YAML 1.1, YAML 1.2 or a common deviation of theirs could take for something else than a text is
//! quoted.

pub mod aws;

use std::borrow::Borrow;
use std::cell::RefCell;
use std::io;

use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::Value;

use crate::import::reads_as_text;

/// Writes the objects as YAML.
///
/// # Errors
///
/// If `out` does not take them.
pub fn write_yaml<V: Borrow<Value>>(
    out: &mut impl io::Write,
    objects: impl IntoIterator<Item = V>,
) -> io::Result<()> {
    let mut objects = objects.into_iter().peekable();
    out.write_all(b"apiVersion: v1\n")?;
    out.write_all(if objects.peek().is_some() { b"items:\n" } else { b"items: []\n" })?;
    for object in objects {
        out.write_all(b"- ")?;
        block(out, object.borrow(), 1, Position::AfterDash)?;
    }
    out.write_all(b"kind: List\nmetadata:\n  resourceVersion: \"\"\n")
}

/// Writes the objects as JSON, indented by four blanks.
///
/// # Errors
///
/// If `out` does not take them.
pub fn write_json<V: Borrow<Value>>(
    out: &mut impl io::Write,
    objects: impl IntoIterator<Item = V>,
) -> io::Result<()> {
    let list = List { objects: RefCell::new(Some(objects)) };
    let style = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    list.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, style))?;
    out.write_all(b"\n")
}

/// A list whose items are made while it is written, so that no more than one tree exists at once.
struct List<I> {
    objects: RefCell<Option<I>>,
}

impl<V: Borrow<Value>, I: IntoIterator<Item = V>> Serialize for List<I> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut list = to.serialize_struct("List", 4)?;
        list.serialize_field("apiVersion", "v1")?;
        list.serialize_field("items", &Items(self))?;
        list.serialize_field("kind", "List")?;
        list.serialize_field("metadata", &serde_json::json!({ "resourceVersion": "" }))?;
        list.end()
    }
}

struct Items<'a, I>(&'a List<I>);

impl<V: Borrow<Value>, I: IntoIterator<Item = V>> Serialize for Items<'_, I> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let objects = self.0.objects.borrow_mut().take();
        to.collect_seq(objects.into_iter().flatten().map(Shown))
    }
}

struct Shown<V>(V);

impl<V: Borrow<Value>> Serialize for Shown<V> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.borrow().serialize(to)
    }
}

/// What stands on the line already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    /// `key:`, without a blank.
    AfterKey,
    /// `- `, with its blank: a map or sequence begins on the same line.
    AfterDash,
}

/// Writes a value and the end of its last line. `indent` is that of its own lines, in steps of two blanks; the sequence
/// in a field stands one step to the left, as kubectl prints it.
fn block(out: &mut impl io::Write, value: &Value, indent: usize, position: Position) -> io::Result<()> {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let mut first = position == Position::AfterDash;
            if !first {
                out.write_all(b"\n")?;
            }
            for (key, value) in fields {
                if !first {
                    blanks(out, indent)?;
                }
                first = false;
                let long = key.len() > KEY_BYTES_MAX;
                if long {
                    out.write_all(b"? ")?;
                }
                text(out, key)?;
                if long {
                    out.write_all(b"\n")?;
                    blanks(out, indent)?;
                }
                out.write_all(b":")?;
                block(out, value, indent + 1, Position::AfterKey)?;
            }
            Ok(())
        }
        Value::Array(items) if !items.is_empty() => {
            let own = if position == Position::AfterKey { indent - 1 } else { indent };
            let mut first = position == Position::AfterDash;
            if !first {
                out.write_all(b"\n")?;
            }
            for item in items {
                if !first {
                    blanks(out, own)?;
                }
                first = false;
                out.write_all(b"- ")?;
                block(out, item, own + 1, Position::AfterDash)?;
            }
            Ok(())
        }
        _ => {
            if position == Position::AfterKey {
                out.write_all(b" ")?;
            }
            match value {
                Value::String(value) if is_literal(value) => return literal(out, value, indent),
                Value::String(value) => text(out, value)?,
                // `null`, `true`, numbers, `[]` and `{}` are written alike in JSON and YAML.
                _ => serde_json::to_writer(&mut *out, value)?,
            }
            out.write_all(b"\n")
        }
    }
}

/// YAML reads a key on one line only up to 1024 characters; beyond, it is announced with `?`. Counted in bytes after
/// quoting may have lengthened it up to sixfold.
const KEY_BYTES_MAX: usize = 1024 / 6 - 2;

fn blanks(out: &mut impl io::Write, steps: usize) -> io::Result<()> {
    for _ in 0..steps {
        out.write_all(b"  ")?;
    }
    Ok(())
}

/// A text on one line, quoted if it has to be.
fn text(out: &mut impl io::Write, text: &str) -> io::Result<()> {
    if is_plain(text) {
        return out.write_all(text.as_bytes());
    }
    out.write_all(b"\"")?;
    for character in text.chars() {
        match character {
            '"' => out.write_all(b"\\\"")?,
            '\\' => out.write_all(b"\\\\")?,
            '\n' => out.write_all(b"\\n")?,
            '\t' => out.write_all(b"\\t")?,
            '\r' => out.write_all(b"\\r")?,
            _ if is_printable(character) => write!(out, "{character}")?,
            _ => write!(out, "\\U{:08X}", u32::from(character))?,
        }
    }
    out.write_all(b"\"")
}

/// Says whether the text may stand without quotes. Narrower than YAML demands: quotes are never wrong.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let safe = |byte: &u8| byte.is_ascii_alphanumeric() || b"_./@=+,;()$^~%- :".contains(byte);
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    (first.is_ascii_alphanumeric() || b"_/.".contains(first))
        && last != &b' '
        && last != &b':'
        && bytes.iter().all(safe)
        && !text.contains(": ")
        // Dates and sexagesimal numbers of YAML 1.1.
        && !(first.is_ascii_digit() && (bytes.contains(&b':') || bytes.get(4) == Some(&b'-')))
        && !matches!(text, "y" | "Y" | "n" | "N")
        && reads_as_text(text)
}

/// Says whether the text is better shown as the block after `|`: lines, all of them printable.
fn is_literal(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with([' ', '\n', '\t'])
        && text.chars().all(|character| character == '\n' || character == '\t' || is_printable(character))
        // Invisible in a block, and a block of nothing but them has no indentation.
        && !text.lines().any(|line| line.ends_with([' ', '\t']))
}

fn literal(out: &mut impl io::Write, text: &str, indent: usize) -> io::Result<()> {
    let body = text.trim_end_matches('\n');
    out.write_all(match text.len() - body.len() {
        0 => b"|-\n",
        1 => b"|\n",
        _ => b"|+\n",
    })?;
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        if !line.is_empty() {
            blanks(out, indent)?;
            out.write_all(line.as_bytes())?;
        }
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Not a control character, and no line break or mark that only some readers know.
fn is_printable(character: char) -> bool {
    let special =
        matches!(character, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}');
    !character.is_control() && !special
}

#[cfg(test)]
mod tests;
