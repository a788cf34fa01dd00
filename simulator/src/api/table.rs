//! Objects as rows for people: the columns that `kubectl get` shows.
//!
//! Source: `pkg/printers/internalversion/printers.go`; how each kind's cells are made is in [`columns`].

use jiff::Timestamp;
use serde_json::Value;

use super::{
    objects::{Include, write_json, write_metadata},
    resources::Resource,
};

mod columns;

/// Columns of a kind: name, type, priority (0 always shown, 1 when wide).
pub(super) type Column = (&'static str, &'static str, u8);

/// Writes a table of objects, without a tree of it: this is most of what kubectl asks for.
pub(super) fn write<'a>(
    out: &mut Vec<u8>,
    resource: &Resource,
    items: impl IntoIterator<Item = &'a Value>,
    include: Include,
    meta: &Value,
    with_columns: bool,
    now: Timestamp,
) {
    let kind = columns::of(&resource.kind);
    out.extend_from_slice(b"{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":");
    write_json(out, meta);
    out.extend_from_slice(b",\"columnDefinitions\":[");
    for (index, (name, of, priority)) in kind.columns.iter().filter(|_| with_columns).enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let format = if *name == "Name" { "name" } else { "" };
        // Names and types are ours: nothing in them needs an escape.
        let column = format!(
            "{comma}{{\"name\":\"{name}\",\"type\":\"{of}\",\"format\":\"{format}\",\"description\":\"{name}\",\
             \"priority\":{priority}}}"
        );
        out.extend_from_slice(column.as_bytes());
    }
    out.extend_from_slice(b"],\"rows\":[");
    for (index, item) in items.into_iter().enumerate() {
        out.extend_from_slice(if index > 0 { b",{\"cells\":" } else { b"{\"cells\":" });
        write_json(out, &(kind.cells)(item, now));
        if include != Include::Nothing {
            out.extend_from_slice(b",\"object\":");
            match include {
                Include::Metadata => write_metadata(out, item),
                _ => write_json(out, item),
            }
        }
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
}
