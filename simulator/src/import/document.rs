//! One document of a file: a single object, or a list whose items are handed on as they come.
//!
//! Common to YAML and JSON, which differ in how text becomes compact JSON and agree in what it means.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{ImportError, Item, OBJECT_BYTES_MAX, Place, Sink};

/// Why a value is refused, and what to do about it, before it is known where it stands.
pub(super) type Fault = (String, &'static str);

/// What `kubectl` never prints and people write by hand is refused with this.
pub(super) const AS_EXPORTED: &str = "give whole objects, as `kubectl get -o yaml` prints them";

/// What has been read of one document.
pub(super) struct Document<'a> {
    place: Place,
    file: &'a str,
    kind: Option<String>,
    api_version: Option<String>,
    /// How many items were handed on; none if the document is no list so far.
    items: Option<usize>,
    /// The document itself as compact JSON, without its items.
    text: Vec<u8>,
}

impl<'a> Document<'a> {
    /// The `number`th document of the file that is called `name` and contains `file`.
    pub(super) fn new(
        name: &str,
        file: &'a str,
        number: usize,
        line_column: Option<(usize, usize)>,
    ) -> Document<'a> {
        let place = Place { file: name.to_owned(), line_column, document: number, item: None };
        Document { place, file, kind: None, api_version: None, items: None, text: Vec::new() }
    }

    /// Says whether the value of `key` is to be read item by item.
    ///
    /// YAML keys are sorted, so `items` comes before `kind`: until the kind is known, `items` is taken to be a list's.
    pub(super) fn is_list(&self, key: &str) -> bool {
        key == "items" && self.kind.as_deref().is_none_or(|kind| kind.ends_with("List"))
    }

    /// Takes a field of the document that is not its items.
    pub(super) fn on_field(&mut self, key: &str, value: &[u8]) -> Result<(), Fault> {
        match key {
            "kind" => self.kind = serde_json::from_slice(value).ok(),
            "apiVersion" => self.api_version = serde_json::from_slice(value).ok(),
            _ => {}
        }
        self.text.push(if self.text.is_empty() { b'{' } else { b',' });
        push_text(&mut self.text, key);
        self.text.push(b':');
        self.text.extend_from_slice(value);
        within_limit(&self.text)
    }

    /// Notes that the document is a list, even if it turns out to be empty.
    pub(super) fn on_list(&mut self) {
        self.items.get_or_insert(0);
    }

    /// Takes an item of the list.
    pub(super) fn on_item(
        &mut self,
        value: Vec<u8>,
        line_column: Option<(usize, usize)>,
        sink: Sink<'_>,
    ) -> Result<(), ImportError> {
        let number = self.items.unwrap_or(0) + 1;
        self.items = Some(number);
        let place = Place { line_column, item: Some(number), ..self.place.clone() };
        let mut text = json_text(value);
        if !text.starts_with('{') {
            let what = "item that is not an object".to_owned();
            return Err(ImportError::Shape { place: place.into(), what, mend: AS_EXPORTED });
        }
        // The items of a PodList, unlike those of a List, do not repeat what they are.
        if let (Some(kind), Some(api_version)) = (&self.kind, &self.api_version)
            && let Some(kind) = kind.strip_suffix("List").filter(|kind| !kind.is_empty())
            && !says_its_kind(&text)
        {
            let mut words = Vec::new();
            words.extend_from_slice(b"\"apiVersion\":");
            push_text(&mut words, api_version);
            words.extend_from_slice(b",\"kind\":");
            push_text(&mut words, kind);
            if text.len() > "{}".len() {
                words.push(b',');
            }
            text.insert_str(1, &json_text(words));
        }
        sink(Item { text, place, file: self.file })
    }

    /// Ends the document; hands it on as an object if it was no list.
    pub(super) fn finish(mut self, sink: Sink<'_>) -> Result<(), ImportError> {
        match (self.items, self.kind.as_deref()) {
            (Some(_), Some(kind)) if kind.ends_with("List") => Ok(()),
            (Some(_), Some(kind)) => Err(ImportError::Shape {
                what: format!("{kind} with items, but its kind does not end in List"),
                place: self.place.into(),
                mend: AS_EXPORTED,
            }),
            (Some(_), None) | (None, Some("List")) => Err(ImportError::Shape {
                place: self.place.into(),
                what: "list without kind or without items".to_owned(),
                mend: "the file was probably cut off: export it again",
            }),
            (None, _) => {
                self.text.extend_from_slice(if self.text.is_empty() { b"{}" } else { b"}" });
                sink(Item { text: json_text(self.text), place: self.place, file: self.file })
            }
        }
    }
}

/// Refuses what has grown beyond [`OBJECT_BYTES_MAX`].
pub(super) fn within_limit(text: &[u8]) -> Result<(), Fault> {
    if text.len() <= OBJECT_BYTES_MAX {
        return Ok(());
    }
    let what = format!("object larger than {OBJECT_BYTES_MAX} bytes, aliases expanded");
    Err((what, "leave it out: Kubernetes itself stores no object of more than 1.5 MiB"))
}

/// Writes a JSON string.
pub(super) fn push_text(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text)
        .expect("writing to memory does not fail, and a string has no keys to refuse");
}

/// Bytes that were written as JSON, as text.
fn json_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("it was written from text and JSON punctuation")
}

fn says_its_kind(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Kind {
        kind: Option<IgnoredAny>,
    }
    serde_json::from_str::<Kind>(text).is_ok_and(|found| found.kind.is_some())
}
