//! Objects as rows for people: the columns that `kubectl get` shows.
//!
//! Source: `pkg/printers/internalversion/printers.go`; how each kind's cells are made is in [`columns`].

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    objects::{Include, metadata},
    resources::Resource,
};

mod columns;

/// Columns of a kind: name, type, priority (0 always shown, 1 when wide).
pub(super) type Column = (&'static str, &'static str, u8);

/// A table of objects.
pub(super) fn of<'a>(
    resource: &Resource,
    items: impl IntoIterator<Item = &'a Value>,
    include: Include,
    meta: Value,
    with_columns: bool,
    now: Timestamp,
) -> Value {
    let kind = columns::of(&resource.kind);
    let definitions: Vec<Value> = kind
        .columns
        .iter()
        .map(|&(name, of, priority)| {
            let format = if name == "Name" { "name" } else { "" };
            json!({"name": name, "type": of, "format": format, "description": name, "priority": priority})
        })
        .collect();
    let rows: Vec<Value> = items
        .into_iter()
        .map(|item| {
            let mut row = json!({"cells": (kind.cells)(item, now)});
            match include {
                Include::Nothing => {}
                Include::Metadata => row["object"] = metadata(item),
                Include::Object => row["object"] = item.clone(),
            }
            row
        })
        .collect();
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta,
        "columnDefinitions": if with_columns { definitions } else { Vec::new() }, "rows": rows})
}
