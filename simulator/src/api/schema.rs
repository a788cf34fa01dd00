//! The fields of the API's messages: their numbers for clients that send protobuf, their types for those that ask for the
//! schema.
//!
//! `fields.txt` is read once per process. Fields that it lacks, newer ones, are skipped in protobuf.

use std::{collections::BTreeMap, sync::OnceLock};

mod protobuf;

pub(super) use protobuf::decode;

/// A field of a message.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) number: u32,
    /// Name in JSON; `None`: its fields are the message's own.
    pub(super) name: Option<&'static str>,
    /// A scalar's name, or a message's.
    pub(super) of: &'static str,
    pub(super) shape: Shape,
}

/// How often a field is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Once,
    List,
    Map,
}

/// Fields of every message, by its name.
pub(super) type Messages = BTreeMap<&'static str, Vec<Field>>;

/// All messages.
pub(super) fn messages() -> &'static Messages {
    static MESSAGES: OnceLock<Messages> = OnceLock::new();
    MESSAGES.get_or_init(|| read(include_str!("schema/fields.txt")))
}

fn read(text: &'static str) -> Messages {
    let mut all = Messages::new();
    let mut current = "";
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some(field) = line.strip_prefix("  ") else {
            current = line;
            all.entry(current).or_default();
            continue;
        };
        let mut words = field.split(' ');
        if let (Some(number), Some(name), Some(of)) = (words.next(), words.next(), words.next())
            && let Ok(number) = number.parse()
        {
            let (of, shape) = match (of.strip_suffix('*'), of.strip_suffix('%')) {
                (Some(of), _) => (of, Shape::List),
                (_, Some(of)) => (of, Shape::Map),
                _ => (of, Shape::Once),
            };
            let name = (name != "&").then_some(name);
            all.entry(current).or_default().push(Field { number, name, of, shape });
        }
    }
    all
}

/// The message of a kind.
pub(super) fn message(api_version: &str, kind: &str) -> Option<&'static str> {
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("core", api_version));
    let group = group.split('.').next().unwrap_or(group);
    let name = match kind {
        "DeleteOptions" => "meta.v1.DeleteOptions".to_owned(),
        _ => format!("{group}.{version}.{kind}"),
    };
    messages().get_key_value(name.as_str()).map(|(name, _)| *name)
}
