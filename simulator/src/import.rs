//! Reads a cluster as `kubectl get … -A -o yaml` (or `json`) prints it.
//!
//! Decides what counts as an object, which kinds are understood, and how much a file may ask of us. Every object is
//! kept whole as compact JSON text, so that an export gives back what came in; the kinds that the world simulates are
//! parsed as well. What the objects mean is left to the world; the AWS side of the cluster is [`aws`].

pub mod aws;
mod checked;
mod document;
mod error;
mod header;
mod json;
mod locate;
mod typed;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;

pub use self::checked::{POD_SECONDS_MAX, REPLICAS_MAX};
pub use self::error::{ImportError, Place};
pub use self::typed::Typed;
pub(crate) use self::yaml::scalar::reads_as_text;

/// Largest file that is read, in bytes: 1 GiB.
///
/// Large enough for an export of the biggest cluster that Kubernetes supports (150 000 pods of about 6 KB), small
/// enough that a mistaken path (a disk image, a core dump) is refused before it fills the memory.
pub const FILE_BYTES_MAX: u64 = 1 << 30;

/// Largest single object, in bytes of compact JSON: 8 MiB.
///
/// The API server accepts requests up to 3 MiB and etcd stores 1.5 MiB by default, so no exported object comes near.
/// It also bounds what YAML aliases can expand to, because what they stand for is counted.
pub const OBJECT_BYTES_MAX: usize = 8 << 20;

/// Most objects of a file.
///
/// Kubernetes supports 150 000 pods; with their ReplicaSets, EndpointSlices and the like a full cluster stays below this.
/// Objects without content are small in the file and large once understood: the limit keeps those below 2 GiB.
pub const OBJECTS_MAX: usize = 300_000;

/// Most documents of a file, empty ones included. Beyond [`OBJECTS_MAX`] they can only be empty, which a few may be.
pub const DOCUMENTS_MAX: usize = 1_000_000;

/// Deepest nesting of maps and sequences inside one document.
///
/// Schemas inside custom resource definitions, the deepest objects met in practice, stay below 60. `serde_json` itself
/// stops at 128, and what is kept here must be readable by it.
pub const DEPTH_MAX: usize = 100;

/// What an export without any timestamp is taken to be made at: the epoch. Only ages would be wrong, and none can be
/// computed without a timestamp.
pub const NEWEST_DEFAULT: Timestamp = Timestamp::UNIX_EPOCH;

/// What an export contains.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// All objects, in the order of the file.
    pub objects: Vec<Object>,
    /// Newest evidence of when the export was made; [`NEWEST_DEFAULT`] if there is none.
    ///
    /// Read are the creation, start of deletion and managed-field times of every object, the `status` of the kinds
    /// that [`Typed`] lists, and when leases were renewed. A status of any other kind is not read: certificates, for
    /// instance, keep future times there.
    pub newest: Timestamp,
    /// What was noticed but does not stop a run, one sentence each.
    pub notes: Vec<String>,
}

/// One object of an export.
#[derive(Clone, Debug)]
pub struct Object {
    /// The whole object as it was exported.
    pub raw: RawObject,
    /// The same, understood, if its kind and version are among those that are simulated.
    pub typed: Typed,
    api_version: Arc<str>,
    kind: Arc<str>,
    namespace: Option<Box<str>>,
    name: Box<str>,
}

impl Object {
    /// `apiVersion`, for example `apps/v1`.
    pub fn api_version(&self) -> &str {
        &self.api_version
    }

    /// `kind`, for example `Deployment`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// `metadata.namespace`; none for cluster-wide objects.
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// `metadata.name`.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A whole object as compact JSON text, its keys in the order of the file. Parsed when asked for: most objects of an
/// export are never looked at as a whole, and a tree takes several times the memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawObject(Arc<str>);

impl RawObject {
    /// The JSON text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The object as a tree.
    pub fn value(&self) -> serde_json::Value {
        serde_json::from_str(&self.0)
            .expect("the text was written as JSON, below the depth that serde_json reads")
    }
}

/// Reads the export in `path`.
///
/// # Errors
///
/// If the file cannot be read, is larger than [`FILE_BYTES_MAX`], or is refused by [`parse_cluster`].
pub fn read_cluster(path: &Path) -> Result<Cluster, ImportError> {
    let name = path.display().to_string();
    let bytes = read_file(path)?;
    parse_cluster(&name, &bytes)
}

/// Reads a whole file, unless it is too large or no file at all.
fn read_file(path: &Path) -> Result<Vec<u8>, ImportError> {
    let name = path.display().to_string();
    let unreadable = |cause| ImportError::Unreadable { file: name.clone(), cause };
    let file = File::open(path).map_err(unreadable)?;
    let about = file.metadata().map_err(unreadable)?;
    if about.is_dir() {
        return Err(ImportError::Directory { file: name });
    }
    if about.len() > FILE_BYTES_MAX {
        return Err(ImportError::FileTooLarge { file: name, bytes_max: FILE_BYTES_MAX });
    }
    let mut bytes = Vec::new();
    // Pipes and devices have no length to ask for, so what is read is bounded as well.
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(ImportError::FileTooLarge { file: name, bytes_max: FILE_BYTES_MAX });
    }
    Ok(bytes)
}

/// Parses an export. `name` is what error messages call it.
///
/// YAML and JSON, one document or many, lists and single objects in any mixture. Not an error: objects of unknown kinds
/// or older versions, pods on nodes that the file does not contain (both are noted), an object without status.
///
/// # Errors
///
/// If the text is not UTF-8, not YAML or JSON, exceeds a limit, contains no object, contains one that Kubernetes would
/// not have printed (without kind, version or name, twice, with a field of the wrong type, or with a number or quantity
/// that the API server would have refused).
pub fn parse_cluster(name: &str, bytes: &[u8]) -> Result<Cluster, ImportError> {
    let text = text_of(name, bytes)?;
    let mut gathered = Gathered::default();
    match text.trim_start().as_bytes().first() {
        None => return Err(ImportError::Empty { file: name.to_owned() }),
        Some(b'{' | b'[') => json::read(name, text, &mut |item| gathered.add(item))?,
        Some(_) => yaml::read(name, text, &mut |item| gathered.add(item))?,
    }
    gathered.finish(name)
}

/// The text of a file, without a byte-order mark.
fn text_of<'a>(name: &str, bytes: &'a [u8]) -> Result<&'a str, ImportError> {
    // PowerShell's `>` writes UTF-16, the one encoding besides UTF-8 that people really bring.
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(ImportError::Utf16 { file: name.to_owned() });
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{FEFF}').unwrap_or(text)),
        Err(error) => {
            let before = &bytes[..error.valid_up_to()];
            let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
            let column = before.iter().rev().take_while(|&&byte| byte != b'\n').count() + 1;
            Err(ImportError::NotUtf8 { place: Place::line(name, line, column) })
        }
    }
}

/// One object as found in a file, before it is understood.
struct Item<'a> {
    text: String,
    place: Place,
    /// The whole file, to find the line of a field in.
    file: &'a str,
}

impl Item<'_> {
    /// Reads the object as `T`. `object` is what an error calls it.
    fn read<'de, T: Deserialize<'de>>(&'de self, object: &dyn Display) -> Result<T, ImportError> {
        let mut json = serde_json::Deserializer::from_str(&self.text);
        serde_path_to_error::deserialize(&mut json).map_err(|error| self.refuse(object, &error))
    }

    /// The same, without numbers and quantities that the API server would not have stored.
    fn read_checked<'de, T: Deserialize<'de>>(&'de self, object: &dyn Display) -> Result<T, ImportError> {
        let mut json = serde_json::Deserializer::from_str(&self.text);
        serde_path_to_error::deserialize(checked::Checked::new(&mut json))
            .map_err(|error| self.refuse(object, &error))
    }

    fn refuse(
        &self,
        object: &dyn Display,
        error: &serde_path_to_error::Error<serde_json::Error>,
    ) -> ImportError {
        let line_column = locate::field(self.file, &self.place, error.path()).or(self.place.line_column);
        ImportError::Field {
            place: Place { line_column, ..self.place.clone() }.into(),
            object: object.to_string(),
            field: error.path().to_string(),
            what: error::plain(error.inner()),
        }
    }
}

/// Takes an object; an error ends the reading.
type Sink<'a> = &'a mut dyn FnMut(Item<'_>) -> Result<(), ImportError>;

/// What has been read so far.
#[derive(Default)]
struct Gathered {
    objects: Vec<Object>,
    newest: Option<Timestamp>,
    /// Where each object was first seen. The version is no part of the key, the group is: two groups may use one kind.
    seen: BTreeMap<Identity, Place>,
    /// How many objects of a version that is not simulated, by version and kind.
    other_versions: BTreeMap<(Arc<str>, Arc<str>), usize>,
    /// Versions and kinds, shared between the objects that have them.
    words: BTreeMap<Box<str>, Arc<str>>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Identity {
    group: Box<str>,
    kind: Arc<str>,
    namespace: Option<Box<str>>,
    name: Box<str>,
}

impl Gathered {
    fn add(&mut self, item: Item<'_>) -> Result<(), ImportError> {
        let header = header::read(&item)?;
        let api_version = self.word(&header.api_version);
        let kind = self.word(&header.kind);
        let identity = Identity {
            group: header.api_version.rsplit_once('/').map_or("", |(group, _)| group).into(),
            kind: kind.clone(),
            namespace: header.namespace.clone(),
            name: header.name.clone(),
        };
        if let Some(first) = self.seen.get(&identity) {
            let (place, object) = (item.place.into(), header.to_string());
            return Err(ImportError::Duplicate { place, object, first: first.clone().into() });
        }
        if self.objects.len() == OBJECTS_MAX {
            return Err(ImportError::Shape {
                place: item.place.into(),
                what: format!("more than {OBJECTS_MAX} objects"),
                mend: "export fewer kinds (Events and Secrets are not needed)",
            });
        }
        let typed = typed::parse(&item, &header)?;
        self.seen.insert(identity, item.place);
        if matches!(typed, Typed::Other) && typed::is_simulated_in_another_version(&api_version, &kind) {
            *self.other_versions.entry((api_version.clone(), kind.clone())).or_default() += 1;
        }
        self.newest = self.newest.max(header.newest);
        self.objects.push(Object {
            raw: RawObject(item.text.into()),
            typed,
            api_version,
            kind,
            namespace: header.namespace,
            name: header.name,
        });
        Ok(())
    }

    fn word(&mut self, word: &str) -> Arc<str> {
        if let Some(known) = self.words.get(word) {
            return known.clone();
        }
        let shared: Arc<str> = word.into();
        self.words.insert(word.into(), shared.clone());
        shared
    }

    fn finish(self, name: &str) -> Result<Cluster, ImportError> {
        if self.objects.is_empty() {
            return Err(ImportError::NoObjects { file: name.to_owned() });
        }
        let mut notes = Vec::new();
        for ((api_version, kind), count) in &self.other_versions {
            notes.push(format!(
                "{count} × {kind} of {api_version} kept but not simulated: export the version that Kubernetes 1.36 prefers"
            ));
        }
        notes.extend(pods_on_absent_nodes(&self.objects));
        if self.newest.is_none() {
            notes.push("no object has a timestamp: the export is taken to be of 1970-01-01".to_owned());
        }
        Ok(Cluster { objects: self.objects, newest: self.newest.unwrap_or(NEWEST_DEFAULT), notes })
    }
}

/// One note for each node that pods name and the file lacks. The pods stay: the API server keeps them as well, until its
/// garbage collection notices.
fn pods_on_absent_nodes(objects: &[Object]) -> Vec<String> {
    let nodes: BTreeSet<&str> = objects
        .iter()
        .filter(|object| matches!(object.typed, Typed::Node(_)))
        .map(|object| object.name())
        .collect();
    let mut absent: BTreeMap<&str, usize> = BTreeMap::new();
    for object in objects {
        let Typed::Pod(pod) = &object.typed else { continue };
        if let Some(node) = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref())
            && !nodes.contains(node)
        {
            *absent.entry(node).or_default() += 1;
        }
    }
    absent
        .into_iter()
        .map(|(node, pods)| {
            format!("node {node:?} is not in the file, but {pods} pod(s) name it: add nodes to the export")
        })
        .collect()
}

#[cfg(test)]
mod tests;
