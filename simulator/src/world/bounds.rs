//! What a served world holds at most. Clients may ask for anything, and memory ends.
//!
//! Decides when the world is full. What a full server answers is the API's affair; a real one is full when etcd is, and
//! then takes deletions alone. A world that nobody serves has no bounds: its input has.

use serde_json::Value;

use super::World;

/// Pods, unless more were imported: 20,000. A real cluster is made for 150,000 at most; each takes about 30 kB here,
/// and each that is Pending costs the scheduler a look whenever something changes.
/// Source of the real figure: Kubernetes documentation, "Considerations for large clusters".
pub(crate) const PODS_MAX: usize = 20_000;

/// Memory that clients' objects, their past versions and what is remembered of requests may take, estimated: 2 GiB. An EKS
/// cluster's etcd holds 8 GiB. What has been is never forgotten, as the causes of what comes lie there; a server that is
/// full is started anew.
pub(crate) const HELD_BYTES_MAX: usize = 2 << 30;

/// Memory that past versions may take, estimated: 256 MiB. Watches that start before the oldest are told to list again.
pub(super) const HISTORY_BYTES_MAX: usize = 256 << 20;

/// What a request and what became of a pod leave behind, in bytes: rather too much.
const BYTES_OF_REQUEST: usize = 1 << 10;
const BYTES_OF_POD: usize = 4 << 10;

/// What an object takes in memory, estimated in bytes: its text, and what a tree of JSON adds to it.
pub(crate) fn weight(value: &Value) -> usize {
    // A node of the tree; an entry of a map has a key, a hash and a place in an index beside it.
    const NODE: usize = 32;
    const ENTRY: usize = 64;
    NODE + match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(fields) => fields.iter().map(|(key, value)| ENTRY + key.len() + weight(value)).sum(),
    }
}

impl World {
    /// What is held for clients, estimated in bytes. Nothing where nobody serves.
    pub fn held_bytes(&self) -> usize {
        let Some(store) = &self.store else { return 0 };
        store.held_bytes()
            + size_of_val(self.log.entries())
            + self.requests.len() * BYTES_OF_REQUEST
            + self.pods.ids() * BYTES_OF_POD
    }

    /// Whether nothing more may be made or changed by clients.
    pub(crate) fn is_full(&self) -> bool {
        self.held_bytes() > HELD_BYTES_MAX
    }

    /// Whether no further pod may be made.
    pub(crate) fn pods_are_full(&self) -> bool {
        self.store.as_ref().is_some_and(|store| self.pods.len() >= store.pods_max)
    }

    /// Requests that were made of the world so far.
    pub(crate) fn requests_made(&self) -> usize {
        self.requests.len()
    }

    /// Counts what a request leaves behind, in bytes, beyond what every request does.
    pub(crate) fn charge(&mut self, bytes: usize) {
        if let Some(store) = &mut self.store {
            store.kept += bytes;
        }
    }
}
