//! Watches: where one begins, what it sends, when it ends.
//!
//! A watch is a value. Its transport polls it whenever the world may have changed and writes what it is given.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    failure::Failure,
    negotiate::Form,
    objects::{Include, Shape, write_json, write_one},
    read::{number, store},
    resources::Resource,
    route::Target,
    select::Selection,
};
use crate::{
    http::Request,
    world::{Time, World, store::Record},
};

/// How long a watch lives that does not say it, in milliseconds: the real server draws from 30 to 60 minutes.
/// Source: `apiserver/pkg/endpoints/handlers/get.go`, minRequestTimeout.
const LIFETIME: Time = 2_700_000;

/// How often a bookmark is sent, in milliseconds. Source: `cacher.go`, bookmarkFrequency.
const BOOKMARK: Time = 60_000;

/// How long before its end a watch sends a last bookmark, in milliseconds. Source: `cache_watcher.go`, nextBookmarkTime.
const BOOKMARK_BEFORE_END: Time = 2_000;

/// How much a watch says at once, in bytes, one event aside: what waits for a slow client is that much.
const PIECE: usize = 256 << 10;

/// A watch.
#[derive(Debug)]
pub struct Watch {
    index: usize,
    resource: Resource,
    selection: Selection,
    shape: Shape,
    /// Everything up to this version was sent.
    version: u64,
    /// Objects that are sent before any change, the last first.
    initial: Vec<Arc<Value>>,
    /// The end of the initial objects is to be told.
    tell_initial_end: bool,
    bookmarks: bool,
    bookmark_at: Time,
    ends_at: Time,
    columns_sent: bool,
    over: bool,
}

/// What a watch has to send now.
#[derive(Debug, Default)]
pub struct Polled {
    /// Events, a line each.
    pub lines: Vec<u8>,
    /// Nothing follows.
    pub over: bool,
    /// More is to be sent at once, as soon as the client has taken this.
    pub more: bool,
}

pub(super) fn begin(world: &World, request: &Request, target: &Target) -> Result<Watch, Failure> {
    let newest = world.resource_version();
    let asked = number(request, "resourceVersion")?;
    let shape = Shape::of(request)?;
    let selection = Selection::of(request, target)?;
    let bookmarks = request.flag("allowWatchBookmarks");
    let streams = request.flag("sendInitialEvents");
    let matching = request.parameter("resourceVersionMatch");
    if request.parameter("sendInitialEvents").is_some() && matching != Some("NotOlderThan") {
        return Err(Failure::bad_request(
            "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ));
    }
    if matching.is_some() && request.parameter("sendInitialEvents").is_none() {
        return Err(Failure::bad_request(
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is \
             provided",
        ));
    }
    if let Some(asked) = asked.filter(|&asked| asked > newest) {
        return Err(Failure::version_too_large(asked, newest));
    }
    // Without a version, and with 0, a watch begins with what there is.
    let from_now = asked.unwrap_or(0) == 0 || streams;
    let whole = streams || (from_now && request.parameter("sendInitialEvents").is_none());
    let initial = if whole {
        let objects = store(world)?.objects(target.index).values();
        objects.rev().filter(|value| selection.matches(value)).cloned().collect()
    } else {
        Vec::new()
    };
    let lifetime = number(request, "timeoutSeconds")?
        .filter(|&seconds| seconds > 0)
        .map_or(LIFETIME, |seconds| seconds.min(86_400) * 1_000);
    let mut watch = Watch {
        index: target.index,
        resource: target.resource.clone(),
        selection,
        shape,
        version: if from_now { newest } else { asked.unwrap_or(newest) },
        initial,
        tell_initial_end: streams && bookmarks,
        bookmarks,
        bookmark_at: 0,
        ends_at: world.now().saturating_add(lifetime),
        columns_sent: false,
        over: false,
    };
    watch.plan_bookmark(world.now());
    Ok(watch)
}

impl Watch {
    /// When the watch has something to say even if nothing changes, in the world's time.
    pub fn wakes_at(&self) -> Time {
        self.ends_at.min(self.bookmark_at)
    }

    fn plan_bookmark(&mut self, now: Time) {
        let last = self.ends_at.saturating_sub(BOOKMARK_BEFORE_END);
        self.bookmark_at = match (self.bookmarks, now + BOOKMARK) {
            (false, _) => Time::MAX,
            (true, next) if next < last => next,
            (true, _) if now < last => last,
            (true, _) => Time::MAX,
        };
    }

    /// Takes what is to be sent by now.
    pub fn poll(&mut self, world: &World) -> Polled {
        self.poll_up_to(world, world.resource_version())
    }

    /// Takes what is to be sent by now of the changes up to a version: for a transport that delivers late.
    pub fn poll_up_to(&mut self, world: &World, newest: u64) -> Polled {
        let mut polled = Polled::default();
        if self.over {
            return Polled { over: true, ..polled };
        }
        while let Some(value) = self.initial.pop() {
            self.push(&mut polled.lines, "ADDED", &value, world);
            if polled.lines.len() > PIECE {
                return Polled { more: true, ..polled };
            }
        }
        if std::mem::take(&mut self.tell_initial_end) {
            self.push_bookmark(&mut polled.lines, true);
        }
        match world.store().and_then(|store| store.since(self.version)) {
            None => {
                let failure = Failure::expired(self.version, world.resource_version());
                push_event(&mut polled.lines, "ERROR", &failure.status());
                self.over = true;
            }
            Some(records) => {
                for record in records.take_while(|record| record.version <= newest) {
                    // One change may make several records; a watch goes on after whole ones.
                    if polled.lines.len() > PIECE && record.version != self.version {
                        return Polled { more: true, ..polled };
                    }
                    self.version = record.version;
                    let event =
                        if record.resource == self.index { event(record, &self.selection) } else { None };
                    if let Some((kind, value)) = event {
                        self.push(&mut polled.lines, kind, &value, world);
                    }
                }
                self.version = self.version.max(newest);
            }
        }
        if world.now() >= self.bookmark_at && !self.over {
            self.push_bookmark(&mut polled.lines, false);
            self.plan_bookmark(world.now());
        }
        self.over |= world.now() >= self.ends_at;
        polled.over = self.over;
        polled
    }

    fn push(&mut self, lines: &mut Vec<u8>, kind: &str, value: &Value, world: &World) {
        let columns = !std::mem::replace(&mut self.columns_sent, true);
        let now = world.wall(world.now() as i64);
        begin_event(lines, kind);
        write_one(lines, &self.resource, value, self.shape, columns, now);
        lines.extend_from_slice(b"}\n");
    }

    fn push_bookmark(&mut self, lines: &mut Vec<u8>, initial_end: bool) {
        let mut meta = json!({"resourceVersion": self.version.to_string()});
        if initial_end {
            meta["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let mut object =
            json!({"kind": self.resource.kind, "apiVersion": self.resource.api_version(), "metadata": meta});
        if self.shape.form == Form::Table && self.shape.include != Include::Nothing {
            object = json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1",
                "metadata": object["metadata"], "columnDefinitions": [], "rows": []});
        }
        push_event(lines, "BOOKMARK", &object);
    }
}

/// What a change is for somebody who sees only what is selected.
fn event(record: &Record, selection: &Selection) -> Option<(&'static str, Arc<Value>)> {
    let was = record.before.as_ref().is_some_and(|before| selection.matches(before));
    let is = !record.deleted && selection.matches(&record.after);
    let kind = match (was, is) {
        (false, false) => return None,
        (false, true) => "ADDED",
        (true, true) => "MODIFIED",
        (true, false) => "DELETED",
    };
    if was && !is && !record.deleted {
        // What leaves the selection is shown as it was, under the version of the change.
        let mut last = record.before.as_deref()?.clone();
        if let Some(meta) = last.get_mut("metadata").and_then(Value::as_object_mut) {
            meta.insert("resourceVersion".into(), json!(record.version.to_string()));
        }
        return Some((kind, Arc::new(last)));
    }
    Some((kind, record.after.clone()))
}

fn push_event(lines: &mut Vec<u8>, kind: &str, object: &Value) {
    begin_event(lines, kind);
    write_json(lines, object);
    lines.extend_from_slice(b"}\n");
}

fn begin_event(lines: &mut Vec<u8>, kind: &str) {
    lines.extend_from_slice(b"{\"type\":\"");
    lines.extend_from_slice(kind.as_bytes());
    lines.extend_from_slice(b"\",\"object\":");
}
