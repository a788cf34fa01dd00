//! Finds the line of a field whose value was refused.
//!
//! The compact text of an object no longer knows lines, and keeping one for every value would cost more than the objects
//! do. So the file is read a second time, up to the field, when there is something to report. JSON passes as YAML here,
//! except several JSON documents in one file; for those no line is given.

use serde_path_to_error::{Path, Segment};
use serde_saphyr::granit_parser::{Event, Marker, Options, Parser, Span, StrInput};

use super::Place;

/// Line and column of the field, counted from 1; of the nearest part of the path that exists, if the field does not.
pub(super) fn field(text: &str, place: &Place, path: &Path) -> Option<(usize, usize)> {
    let mut steps: Vec<Step<'_>> = Vec::new();
    if let Some(item) = place.item {
        steps.push(Step::Item(item - 1));
    }
    for segment in path {
        match segment {
            Segment::Seq { index } => steps.push(Step::Index(*index)),
            Segment::Map { key } => steps.push(Step::Key(key)),
            // What an error says about enumerations and unknown parts is no place in the file.
            Segment::Enum { .. } | Segment::Unknown => break,
        }
    }
    let mut options = Options::default();
    options.set_emit_comments(false);
    let mut finder = Finder(Parser::new_from_str_with_options(text, options));
    finder.document(place.document)?;
    let (event, span) = finder.next()?;
    let found = finder.descend(&event, span, &steps)?;
    Some((found.line(), found.col() + 1))
}

/// One step down a path.
enum Step<'a> {
    /// An item of the document's list, or of the bare sequence that the document is.
    Item(usize),
    Index(usize),
    Key(&'a str),
}

struct Finder<'a>(Parser<'a, StrInput<'a>>);

impl<'a> Finder<'a> {
    fn next(&mut self) -> Option<(Event<'a>, Span)> {
        self.0.next_event()?.ok()
    }

    /// Goes to just before the root of the `wanted`th document that has content.
    fn document(&mut self, wanted: usize) -> Option<()> {
        let mut number = 0;
        loop {
            match self.0.peek()?.ok()?.0 {
                Event::MappingStart(..) | Event::SequenceStart(..) => {
                    number += 1;
                    if number == wanted {
                        return Some(());
                    }
                    let (event, _) = self.next()?;
                    self.skip(&event)?;
                }
                Event::StreamEnd => return None,
                _ => {
                    self.next()?;
                }
            }
        }
    }

    fn descend(&mut self, event: &Event<'a>, span: Span, steps: &[Step<'_>]) -> Option<Marker> {
        let here = Some(span.start);
        match (event, steps) {
            (Event::MappingStart(..), [Step::Item(_), ..]) => self.value_of("items", steps).or(here),
            (Event::MappingStart(..), [Step::Key(key), rest @ ..]) => self.value_of(key, rest).or(here),
            (Event::SequenceStart(..), [Step::Item(wanted) | Step::Index(wanted), rest @ ..]) => {
                for _ in 0..*wanted {
                    let (event, _) = self.next()?;
                    self.skip(&event)?;
                }
                let (event, span) = self.next()?;
                if matches!(event, Event::SequenceEnd) { here } else { self.descend(&event, span, rest) }
            }
            _ => here,
        }
    }

    fn value_of(&mut self, wanted: &str, steps: &[Step<'_>]) -> Option<Marker> {
        loop {
            let (key, _) = self.next()?;
            if matches!(key, Event::MappingEnd) {
                return None;
            }
            let (event, span) = self.next()?;
            match key {
                Event::Scalar(text, ..) if text == wanted => return self.descend(&event, span, steps),
                _ => self.skip(&event)?,
            }
        }
    }

    /// Passes the rest of the value that began with `event`.
    fn skip(&mut self, event: &Event<'a>) -> Option<()> {
        let mut open = usize::from(matches!(event, Event::MappingStart(..) | Event::SequenceStart(..)));
        while open > 0 {
            match self.next()?.0 {
                Event::MappingStart(..) | Event::SequenceStart(..) => open += 1,
                Event::MappingEnd | Event::SequenceEnd => open -= 1,
                _ => {}
            }
        }
        Some(())
    }
}
