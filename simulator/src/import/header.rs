//! What every object must say about itself, and the newest time that it proves.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{ImportError, Item, typed};

/// Identity of an object.
pub(super) struct Header {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) namespace: Option<Box<str>>,
    pub(super) name: Box<str>,
    /// Whether it has a `spec`.
    pub(super) specified: bool,
    /// Newest time that the object proves; see [`super::Cluster::newest`].
    pub(super) newest: Option<Timestamp>,
}

impl fmt::Display for Header {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(out, "{} {namespace}/{}", self.kind, self.name),
            None => write!(out, "{} {}", self.kind, self.name),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct Found {
    api_version: Option<String>,
    kind: Option<String>,
    metadata: Option<Metadata>,
    #[serde(default)]
    status: Times,
    #[serde(default)]
    spec: Spec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    creation_timestamp: Option<Timestamp>,
    deletion_timestamp: Option<Timestamp>,
    deletion_grace_period_seconds: Option<i64>,
    #[serde(default)]
    managed_fields: Option<Vec<ManagedField>>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct ManagedField {
    time: Option<Timestamp>,
}

/// `spec.renewTime` of a lease; absent or of any type in other kinds.
#[derive(Default)]
struct Spec {
    present: bool,
    renewed_at: Option<Timestamp>,
}

/// Reads what an object says about itself, and refuses it if that is not enough.
pub(super) fn read(item: &Item<'_>) -> Result<Header, ImportError> {
    let found: Found = item.read(&"object")?;
    let missing = |what: &str| ImportError::Shape {
        place: item.place.clone().into(),
        what: format!("object without {what}"),
        mend: "give whole objects, as `kubectl get -o yaml` prints them",
    };
    let metadata = found.metadata.unwrap_or_default();
    let text = |value: Option<String>| value.filter(|value| !value.is_empty());
    let kind = text(found.kind).ok_or_else(|| missing("kind"))?;
    let api_version = text(found.api_version).ok_or_else(|| missing("apiVersion"))?;
    if kind == "List" {
        return Err(ImportError::Shape {
            place: item.place.clone().into(),
            what: "list inside a list".to_owned(),
            mend: "give its items, or each list as a document of its own",
        });
    }
    let name = text(metadata.name).ok_or_else(|| missing("metadata.name"))?;

    let deletion_began_at = metadata.deletion_timestamp.and_then(|at| {
        // A deletion timestamp lies in the future by the grace period.
        let grace = SignedDuration::from_secs(metadata.deletion_grace_period_seconds.unwrap_or(0));
        at.checked_sub(grace).ok()
    });
    let managed_at = metadata.managed_fields.iter().flatten().filter_map(|field| field.time).max();
    let status_at = if typed::is_simulated(&api_version, &kind) { found.status.newest } else { None };
    let renewed_at = if kind == "Lease" { found.spec.renewed_at } else { None };
    let newest =
        metadata.creation_timestamp.max(deletion_began_at).max(managed_at).max(status_at).max(renewed_at);
    for name in metadata.namespace.iter().chain([&name]) {
        // What is printed must not steer a terminal; what is simulated must be what the API server stores.
        let simulated = typed::is_simulated(&api_version, &kind);
        if name.chars().any(char::is_control) || simulated && !is_name(name) {
            let shown: String = name.chars().take(NAME_BYTES_MAX).collect();
            return Err(ImportError::Shape {
                place: item.place.clone().into(),
                what: format!("{kind} with the name or namespace {shown:?}"),
                mend: "names have at most 253 lower case letters, digits, - and ., and begin and end with a letter or digit",
            });
        }
    }
    Ok(Header {
        specified: found.spec.present,
        api_version,
        kind,
        namespace: text(metadata.namespace).map(Into::into),
        name: name.into(),
        newest,
    })
}

/// Longest name of an object. Source: `apimachinery/pkg/util/validation`, `DNS1123SubdomainMaxLength`.
const NAME_BYTES_MAX: usize = 253;

/// Whether the API server takes this for a name of the kinds that are simulated.
fn is_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = [name.bytes().next(), name.bytes().next_back()];
    name.len() <= NAME_BYTES_MAX
        && ends.iter().flatten().all(|&byte| inner(byte))
        && name.bytes().all(|byte| inner(byte) || byte == b'-' || byte == b'.')
}

impl<'de> Deserialize<'de> for Spec {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Spec, D::Error> {
        struct Renewed;
        impl<'de> Visitor<'de> for Renewed {
            type Value = Spec;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }
            fn visit_unit<E>(self) -> Result<Spec, E> {
                Ok(Spec::default())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Spec, A::Error> {
                let mut spec = Spec { present: true, renewed_at: None };
                while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
                    if key == "renewTime" {
                        spec.renewed_at = map.next_value::<Times>()?.newest;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(spec)
            }
        }
        from.deserialize_any(Renewed)
    }
}

/// The newest timestamp among the strings of any tree.
#[derive(Clone, Copy, Default)]
struct Times {
    newest: Option<Timestamp>,
}

impl<'de> Deserialize<'de> for Times {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Times, D::Error> {
        from.deserialize_any(TimesVisitor)
    }
}

struct TimesVisitor;

impl<'de> Visitor<'de> for TimesVisitor {
    type Value = Times;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("anything")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Times, E> {
        Ok(Times::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Times, E> {
        Ok(Times::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Times, E> {
        Ok(Times::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Times, E> {
        Ok(Times::default())
    }

    fn visit_unit<E>(self) -> Result<Times, E> {
        Ok(Times::default())
    }

    fn visit_str<E>(self, text: &str) -> Result<Times, E> {
        // Parsing every string would cost more than the rest of the import; `2026-11-23T11:46:45Z` is the shape.
        let bytes = text.as_bytes();
        let shaped = (20..=35).contains(&bytes.len()) && bytes[4] == b'-' && bytes[10] == b'T';
        Ok(Times { newest: if shaped { text.parse().ok() } else { None } })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Times, A::Error> {
        let mut all = Times::default();
        while let Some(one) = seq.next_element::<Times>()? {
            all.newest = all.newest.max(one.newest);
        }
        Ok(all)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Times, A::Error> {
        let mut all = Times::default();
        while let Some((_, one)) = map.next_entry::<IgnoredAny, Times>()? {
            all.newest = all.newest.max(one.newest);
        }
        Ok(all)
    }
}
