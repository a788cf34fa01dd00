//! YAML text into items, read as `kubectl` reads and writes it: the scalars of YAML 1.1, the structure of YAML 1.2.
//!
//! Works on parser events, not on a tree: each item becomes compact JSON text as it passes, so that an export of any
//! size needs one item at a time, and every item knows its line. Aliases are expanded; what they expand to counts
//! against the size of the object, which ends every bomb made of them.

pub(crate) mod scalar;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_saphyr::granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use super::document::{AS_EXPORTED, Document, push_text, within_limit};
use super::json::close;
use super::{DEPTH_MAX, DOCUMENTS_MAX, ImportError, OBJECT_BYTES_MAX, Place, Sink};

/// Hands every object of `text` to `sink`.
pub(super) fn read<'a>(file: &'a str, text: &'a str, sink: Sink<'_>) -> Result<(), ImportError> {
    let mut options = serde_saphyr::granit_parser::Options::default();
    options.set_emit_comments(false);
    // More than ours, so that our own message names the limit: the parser reads ahead, by up to a key's length.
    options.flow_nesting_limit = DEPTH_MAX + options.simple_key_max_lookahead + 1;
    options.block_nesting_limit = DEPTH_MAX + 8;
    let parser = Parser::new_from_str_with_options(text, options);
    Reader { file, text, parser, anchors: BTreeMap::new(), anchored_bytes: 0 }.stream(sink)
}

struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    parser: Parser<'a, StrInput<'a>>,
    /// Compact text of what each anchor of the current document names; complete ones only.
    anchors: BTreeMap<usize, Vec<u8>>,
    /// Sum of their sizes: texts of nested anchors are kept twice, so they need a bound of their own.
    anchored_bytes: usize,
}

impl<'a> Reader<'a> {
    fn stream(mut self, sink: Sink<'_>) -> Result<(), ImportError> {
        let mut number = 0;
        let mut begun = 0;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(()),
                Event::StreamStart | Event::DocumentEnd => {}
                Event::DocumentStart(..) => {
                    begun += 1;
                    if begun > DOCUMENTS_MAX {
                        return Err(self.shape(
                            span,
                            &format!("more than {DOCUMENTS_MAX} documents"),
                            AS_EXPORTED,
                        ));
                    }
                    self.anchors.clear();
                    self.anchored_bytes = 0;
                }
                Event::MappingStart(_, anchor, tag) => {
                    self.plain_root(anchor, tag, span)?;
                    number += 1;
                    self.object_or_list(
                        Document::new(self.file, self.text, number, Some(line_column(span.start))),
                        sink,
                    )?;
                }
                Event::SequenceStart(_, anchor, tag) => {
                    self.plain_root(anchor, tag, span)?;
                    number += 1;
                    let mut document =
                        Document::new(self.file, self.text, number, Some(line_column(span.start)));
                    self.items(&mut document, sink)?;
                }
                // `---` twice in a row, or a comment alone, is an empty document.
                Event::Scalar(text, ScalarStyle::Plain, _, None) if scalar::is_null(&text) => {}
                _ => return Err(self.shape(span, "neither an object nor a list", AS_EXPORTED)),
            }
        }
    }

    /// The outermost map is not kept as a whole, so nothing could refer back to it.
    fn plain_root(&self, anchor: usize, tag: Option<Cow<'a, Tag>>, span: Span) -> Result<(), ImportError> {
        if anchor != 0 || tag.is_some_and(|tag| !tag.is_yaml_core_schema()) {
            return Err(self.shape(span, "anchor or tag on a whole document", "remove it"));
        }
        Ok(())
    }

    fn object_or_list(&mut self, mut document: Document<'_>, sink: Sink<'_>) -> Result<(), ImportError> {
        let mut keys = BTreeSet::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return document.finish(sink);
            }
            let key = self.key(event, span)?;
            self.once(&mut keys, key.clone(), span)?;
            let (event, span) = self.next()?;
            match event {
                Event::SequenceStart(_, 0, None) if document.is_list(&key) => {
                    self.items(&mut document, sink)?
                }
                Event::Scalar(text, ScalarStyle::Plain, 0, None)
                    if document.is_list(&key) && scalar::is_null(&text) =>
                {
                    document.on_list();
                }
                event => {
                    let mut value = Vec::new();
                    self.value(event, span, &mut value, 1)?;
                    document.on_field(&key, &value).map_err(|(what, mend)| self.shape(span, &what, mend))?;
                }
            }
        }
    }

    fn items(&mut self, document: &mut Document<'_>, sink: Sink<'_>) -> Result<(), ImportError> {
        document.on_list();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(());
            }
            let mut value = Vec::new();
            self.value(event, span, &mut value, 2)?;
            document.on_item(value, Some(line_column(span.start)), sink)?;
        }
    }

    /// Writes the value that begins with `event`. Recursive, which [`DEPTH_MAX`] makes safe.
    fn value(
        &mut self,
        event: Event<'a>,
        span: Span,
        out: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), ImportError> {
        if depth > DEPTH_MAX {
            return Err(self.shape(span, &format!("nested deeper than {DEPTH_MAX} levels"), AS_EXPORTED));
        }
        let start = out.len();
        let anchor = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(&text, style, tag, span, out)?;
                anchor
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.known_tag(tag, span)?;
                out.push(b'[');
                loop {
                    let (event, span) = self.next()?;
                    if matches!(event, Event::SequenceEnd) {
                        break;
                    }
                    self.value(event, span, out, depth + 1)?;
                    out.push(b',');
                }
                close(out, start + 1, b']');
                anchor
            }
            Event::MappingStart(_, anchor, tag) => {
                self.known_tag(tag, span)?;
                out.push(b'{');
                self.fields(out, depth)?;
                close(out, start + 1, b'}');
                anchor
            }
            Event::Alias(anchor) => {
                let Some(text) = self.anchors.get(&anchor) else {
                    return Err(self.shape(span, "alias inside what it refers to", "write the value out"));
                };
                out.extend_from_slice(text);
                0
            }
            _ => return Err(self.shape(span, "value missing", AS_EXPORTED)),
        };
        within_limit(out).map_err(|(what, mend)| self.shape(span, &what, mend))?;
        if anchor != 0 {
            self.remember(anchor, &out[start..], span)?;
        }
        Ok(())
    }

    fn fields(&mut self, out: &mut Vec<u8>, depth: usize) -> Result<(), ImportError> {
        let mut keys = BTreeSet::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(());
            }
            let key = self.key(event, span)?;
            push_text(out, &key);
            self.once(&mut keys, key, span)?;
            out.push(b':');
            let (event, span) = self.next()?;
            self.value(event, span, out, depth + 1)?;
            out.push(b',');
        }
    }

    /// A key of a map. Kubernetes knows texts only, so `1:` and `true:` are texts here.
    fn key(&mut self, event: Event<'a>, span: Span) -> Result<Cow<'a, str>, ImportError> {
        match event {
            Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<" => {
                Err(self.shape(span, "merge key `<<`", "write the merged fields out"))
            }
            Event::Scalar(text, _, 0, tag) => {
                self.known_tag(tag, span)?;
                Ok(text)
            }
            _ => Err(self.shape(span, "key that is not a plain text", AS_EXPORTED)),
        }
    }

    fn once(
        &self,
        keys: &mut BTreeSet<Cow<'a, str>>,
        key: Cow<'a, str>,
        span: Span,
    ) -> Result<(), ImportError> {
        if keys.contains(&key) {
            return Err(self.shape(span, &format!("key {key:?} for the second time"), "keep one of the two"));
        }
        keys.insert(key);
        Ok(())
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        tag: Option<Cow<'a, Tag>>,
        span: Span,
        out: &mut Vec<u8>,
    ) -> Result<(), ImportError> {
        let quoted = style != ScalarStyle::Plain;
        match tag.as_deref() {
            None if quoted => push_text(out, text),
            None => scalar::write(text, out),
            Some(tag) if tag.is_yaml_core_schema_tag("str") => push_text(out, text),
            Some(tag) if tag.is_yaml_core_schema() && !tag.is_yaml_core_schema_tag("binary") => {
                scalar::write(text, out);
            }
            Some(_) => self.known_tag(tag, span)?,
        }
        Ok(())
    }

    fn known_tag(&self, tag: Option<Cow<'a, Tag>>, span: Span) -> Result<(), ImportError> {
        match tag {
            Some(tag) if !tag.is_yaml_core_schema() || tag.is_yaml_core_schema_tag("binary") => Err(
                self.shape(span, &format!("tag {}", tag.original()), "remove it: Kubernetes knows no tags")
            ),
            _ => Ok(()),
        }
    }

    fn remember(&mut self, anchor: usize, text: &[u8], span: Span) -> Result<(), ImportError> {
        self.anchored_bytes += text.len();
        if self.anchored_bytes > OBJECT_BYTES_MAX {
            let what = format!("more than {OBJECT_BYTES_MAX} bytes behind anchors");
            return Err(self.shape(span, &what, "write the values out instead of referring to them"));
        }
        self.anchors.insert(anchor, text.to_vec());
        Ok(())
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), ImportError> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(self.syntax(&error)),
            // The stream ends with `StreamEnd`; asking further is answered the same way.
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn syntax(&self, error: &ScanError) -> ImportError {
        let (line, column) = line_column(*error.marker());
        ImportError::Syntax { place: Place::line(self.file, line, column), what: error.info() }
    }

    fn shape(&self, span: Span, what: &str, mend: &'static str) -> ImportError {
        let (line, column) = line_column(span.start);
        ImportError::Shape { place: Place::line(self.file, line, column), what: what.to_owned(), mend }
    }
}

/// Counted from 1. The parser counts columns from 0.
fn line_column(marker: Marker) -> (usize, usize) {
    (marker.line(), marker.col() + 1)
}
