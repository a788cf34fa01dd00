//! `nodeferry status`: where a migration stands, from what the cluster shows.

use std::fmt::Write as _;

use anyhow::Result;
use scenarios::{
    journal::{Journal, Status as Standing},
    view::ClusterView,
};
use serde_json::{Value, json};

use crate::{
    arguments::{Color, Format, cluster::Status},
    exit::Exit,
    output::{BOLD, FAINT, print, styled},
    progress::Progress,
    session::{self, Session},
};

/// Runs the command.
pub(crate) fn run(asked: &Status, color: Color) -> Result<Exit> {
    session::run(&asked.connection, async |session: &Session| {
        let mut progress = Progress::new(color, None)?;
        let mut tell = progress.tell();
        let mut shell = session.open(&mut *tell).await?;
        let mut shown = String::new();
        loop {
            let view = shell.view();
            let told = told(view);
            let text = match asked.output {
                Format::Json if asked.watch => format!("{told}\n"),
                Format::Json => format!("{}\n", serde_json::to_string_pretty(&told)?),
                Format::Text => text(&told),
            };
            if text != shown {
                print(&text, color)?;
                shown = text;
            }
            if !asked.watch || has_ended(view) {
                return Ok(Exit::Held);
            }
            if !shell.changed().await {
                return Ok(Exit::Held);
            }
        }
    })
}

fn has_ended(view: &ClusterView) -> bool {
    let journal = view.journal.as_deref().and_then(|object| Journal::read(object).ok());
    journal.is_none_or(|journal| {
        matches!(journal.status, Standing::Finished | Standing::RolledBack | Standing::Stopped { .. })
    })
}

/// Where it stands, for programs.
fn told(view: &ClusterView) -> Value {
    let Some(object) = view.journal.as_deref() else { return json!({ "migration": null }) };
    let journal = match Journal::read(object) {
        Ok(journal) => journal,
        Err(error) => return json!({ "migration": null, "error": error.to_string() }),
    };
    let reason = match &journal.status {
        Standing::Stopped { reason, .. } => Some(reason.as_str()),
        _ => None,
    };
    let plan = scenarios::journal::recorded_plan(object, "").ok();
    let nodes = |group: &str| {
        let of = |node: &&std::sync::Arc<scenarios::view::Node>| node.node_group.as_deref() == Some(group);
        let nodes: Vec<_> = view.nodes.values().filter(of).collect();
        let on = |node: Option<&str>| nodes.iter().any(|one| Some(&*one.meta.name.name) == node);
        let pods = view.pods.values().filter(|pod| on(pod.node.as_deref())).count();
        json!({ "group": group, "nodes": nodes.len(), "pods": pods })
    };
    let progress = journal.marks.get(Journal::PROGRESS);
    json!({
        "migration": journal.plan_id,
        "status": journal.status.word(),
        "reason": reason,
        "from": plan.as_ref().map(|plan| nodes(&plan.from)),
        "to": plan.as_ref().map(|plan| nodes(&plan.to)),
        "waits": progress.map(|mark| &mark.objects),
        "notes": journal.notes,
        "lock": view.lease.as_ref().map(|lease| &*lease.holder).filter(|holder| !holder.is_empty()),
    })
}

/// The same, for people.
fn text(told: &Value) -> String {
    let word = |key: &str| told.get(key).and_then(Value::as_str);
    let Some(id) = word("migration") else {
        return word("error").map_or("No migration.\n".to_owned(), |error| format!("{error}\n"));
    };
    let mut out = String::new();
    let mut fact = |label: &str, text: String| {
        let _ = writeln!(out, "  {} {text}", styled(FAINT, format_args!("{label:<9}")));
    };
    for (label, key) in [("from", "from"), ("to", "to")] {
        if let Some(group) = told.get(key).filter(|group| !group.is_null()) {
            let number = |key: &str| group.get(key).and_then(Value::as_u64).unwrap_or(0);
            let name = group.get("group").and_then(Value::as_str).unwrap_or_default();
            fact(label, format!("{name}: {} nodes, {} pods", number("nodes"), number("pods")));
        }
    }
    if let Some([phase, seen, what]) = told.get("waits").and_then(Value::as_array).map(Vec::as_slice) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        fact("waits", format!("{}: for {}, saw {}", text(phase), text(what), text(seen)));
    }
    if let Some(reason) = word("reason") {
        fact("because", reason.to_owned());
    }
    for note in told.get("notes").and_then(Value::as_array).into_iter().flatten() {
        fact("note", note.as_str().unwrap_or_default().to_owned());
    }
    fact("lock", word("lock").unwrap_or("free").to_owned());
    let title = format!("Migration {id} is {}", word("status").unwrap_or_default());
    format!("{}\n{out}", styled(BOLD, title))
}
