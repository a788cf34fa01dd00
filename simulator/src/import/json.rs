//! JSON text into items: one document or many, lists, arrays and single objects.
//!
//! Nothing is held as a tree: what the parser reports is written straight into the compact text of the item.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::document::{AS_EXPORTED, Document, Fault, push_text, within_limit};
use super::error::plain;
use super::{DEPTH_MAX, ImportError, Place, Sink};

/// Hands every object of `text` to `sink`.
pub(super) fn read(file: &str, text: &str, sink: Sink<'_>) -> Result<(), ImportError> {
    let mut at = Position { offset: 0, line: 1, column: 1 };
    for number in 1.. {
        let blanks = text[at.offset..].bytes().take_while(|byte| b" \t\r\n".contains(byte)).count();
        at.pass(text, blanks);
        if at.offset == text.len() {
            break;
        }
        // A parser for each document: asked for its position, it counts lines from its beginning, which would take the
        // square of the file's length.
        let mut json = serde_json::Deserializer::from_str(&text[at.offset..]);
        let mut document = Document::new(file, text, number, Some((at.line, at.column)));
        let refusals = Refusals::default();
        let root = Root { document: &mut document, sink, refusals: &refusals };
        match root.deserialize(&mut json) {
            Ok(Shape::Object) => document.finish(sink)?,
            Ok(Shape::Sequence) => {}
            Err(error) => return Err(refusals.explain(file, at, &error)),
        }
        at.pass(text, json.into_iter::<IgnoredAny>().byte_offset());
    }
    Ok(())
}

/// A place in the text; line and column count from 1.
#[derive(Clone, Copy)]
struct Position {
    offset: usize,
    line: usize,
    column: usize,
}

impl Position {
    /// Goes on by so many bytes.
    fn pass(&mut self, text: &str, bytes: usize) {
        let passed = &text.as_bytes()[self.offset..self.offset + bytes];
        self.offset += bytes;
        match passed.iter().rposition(|&byte| byte == b'\n') {
            Some(last) => {
                self.line += passed.iter().filter(|&&byte| byte == b'\n').count();
                self.column = bytes - last;
            }
            None => self.column += bytes,
        }
    }

    /// Where something is that a parser which began here puts on this line and column.
    fn plus(self, line: usize, column: usize) -> (usize, usize) {
        let first = line <= 1;
        (
            self.line + line.saturating_sub(1),
            if first { self.column + column.saturating_sub(1) } else { column },
        )
    }
}

/// Why reading was ended by us: `serde` carries a message through its errors, but no value.
#[derive(Default)]
struct Refusals {
    fault: RefCell<Option<Fault>>,
    refused: RefCell<Option<ImportError>>,
}

impl Refusals {
    fn fault<E: Error>(&self, fault: Fault) -> E {
        *self.fault.borrow_mut() = Some(fault);
        E::custom("refused")
    }

    fn refused<E: Error>(&self, error: ImportError) -> E {
        *self.refused.borrow_mut() = Some(error);
        E::custom("refused")
    }

    fn explain(self, file: &str, began: Position, error: &serde_json::Error) -> ImportError {
        let (line, column) = began.plus(error.line(), error.column());
        let place = Place::line(file, line, column);
        match (self.refused.into_inner(), self.fault.into_inner()) {
            (Some(refused), _) => refused,
            (None, Some((what, mend))) => ImportError::Shape { place, what, mend },
            (None, None) => ImportError::Syntax { place, what: plain(error) },
        }
    }
}

/// What a document turned out to be.
enum Shape {
    Object,
    Sequence,
}

/// A whole document.
struct Root<'a, 'b, 'f> {
    document: &'a mut Document<'f>,
    sink: Sink<'b>,
    refusals: &'a Refusals,
}

impl<'de> DeserializeSeed<'de> for Root<'_, '_, '_> {
    type Value = Shape;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Shape, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Root<'_, '_, '_> {
    type Value = Shape;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object or a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Shape, A::Error> {
        Items { document: self.document, sink: self.sink, refusals: self.refusals }.visit_seq(seq)?;
        Ok(Shape::Sequence)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let Root { document, sink, refusals } = self;
        let mut keys = BTreeSet::new();
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if document.is_list(&key) {
                document.on_list();
                map.next_value_seed(Items { document: &mut *document, sink: &mut *sink, refusals })?;
            } else {
                let mut value = Vec::new();
                map.next_value_seed(Compact { out: &mut value, depth: 1, refusals })?;
                document.on_field(&key, &value).map_err(|fault| refusals.fault(fault))?;
            }
            once(&mut keys, key, refusals)?;
        }
        Ok(Shape::Object)
    }
}

/// Refuses a key that the same map already has: which of the two counts would be anyone's guess.
fn once<'de, E: Error>(
    keys: &mut BTreeSet<Cow<'de, str>>,
    key: Cow<'de, str>,
    refusals: &Refusals,
) -> Result<(), E> {
    if keys.contains(&key) {
        return Err(refusals.fault((format!("key {key:?} for the second time"), "keep one of the two")));
    }
    keys.insert(key);
    Ok(())
}

/// The items of a list, each handed on as soon as it ends. `null` is what an empty list may print as.
struct Items<'a, 'b, 'f> {
    document: &'a mut Document<'f>,
    sink: Sink<'b>,
    refusals: &'a Refusals,
}

impl<'de> DeserializeSeed<'de> for Items<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Items<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of objects")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let refusals = self.refusals;
        loop {
            let mut value = Vec::new();
            if seq.next_element_seed(Compact { out: &mut value, depth: 2, refusals })?.is_none() {
                return Ok(());
            }
            self.document
                .on_item(value, None, &mut *self.sink)
                .map_err(|error| refusals.refused::<A::Error>(error))?;
        }
    }
}

/// Any value, copied as compact JSON.
struct Compact<'a> {
    out: &'a mut Vec<u8>,
    depth: usize,
    refusals: &'a Refusals,
}

impl Compact<'_> {
    fn child(&mut self) -> Compact<'_> {
        Compact { out: &mut *self.out, depth: self.depth + 1, refusals: self.refusals }
    }

    fn check<E: Error>(&self) -> Result<(), E> {
        if self.depth > DEPTH_MAX {
            let what = format!("nested deeper than {DEPTH_MAX} levels");
            return Err(self.refusals.fault((what, AS_EXPORTED)));
        }
        within_limit(self.out).map_err(|fault| self.refusals.fault(fault))
    }

    fn number<E: Error>(self, number: impl fmt::Display) -> Result<(), E> {
        self.out.extend_from_slice(number.to_string().as_bytes());
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Compact<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Compact<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.number(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.number(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        // Through `serde_json`, which keeps the point of `1.0`: Display would turn it into an integer.
        self.number(serde_json::Value::from(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        push_text(self.out, value);
        self.check()
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        self.check()?;
        self.out.push(b'[');
        let start = self.out.len();
        while seq.next_element_seed(self.child())?.is_some() {
            self.out.push(b',');
        }
        close(self.out, start, b']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        self.check()?;
        self.out.push(b'{');
        let start = self.out.len();
        let mut keys = BTreeSet::new();
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            push_text(self.out, &key);
            self.out.push(b':');
            map.next_value_seed(self.child())?;
            self.out.push(b',');
            once(&mut keys, key, self.refusals)?;
        }
        close(self.out, start, b'}');
        Ok(())
    }
}

/// Ends a map or sequence that began at `start`, in place of the comma after its last element.
pub(super) fn close(out: &mut Vec<u8>, start: usize, bracket: u8) {
    if out.len() > start {
        out.pop();
    }
    out.push(bracket);
}
