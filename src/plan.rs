//! `nodeferry plan`: what a migration would do, for people; and plans in files, which are carried out as they are.

use std::{fmt::Write as _, io::Write as _, path::Path};

use anyhow::{Context as _, Result, bail};
use scenarios::{
    Request, findings as found,
    outline::{self, Outlined},
    plan,
    shell::shell::Shell,
    view::ClusterView,
};
use serde::{Deserialize, Serialize};

use crate::{
    arguments::{
        Color,
        cluster::{Migration, Plan},
    },
    exit::Exit,
    files::Pending,
    findings,
    output::{BAD, BOLD, FAINT, print, styled},
    preflight,
    progress::{Progress, span},
    session::{self, Session},
};

/// Largest plan that is read, in bytes: 16 MiB. A plan of 50,000 workloads has 10.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Objects of a step that are named before the rest is counted.
const CHANGES_SHOWN: usize = 12;

/// A plan in a file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Saved {
    /// The version that wrote it.
    nodeferry: String,
    /// The API server that it was made for.
    pub(crate) server: String,
    /// What was asked for.
    pub(crate) migration: Migration,
    /// The plan.
    pub(crate) plan: plan::Plan,
}

/// Runs the command.
pub(crate) fn run(asked: &Plan, color: Color) -> Result<Exit> {
    let request = preflight::request(&asked.migration)?;
    let pending = asked.out.as_deref().map(Pending::begin).transpose()?;
    session::run(&asked.connection, async |session| {
        let mut progress = Progress::new(color, None)?;
        let mut tell = progress.tell();
        let mut shell = session.open(&mut *tell).await?;
        let found = preflight::look(&request, &mut shell).await?;
        let plan = made(session, &request, &mut shell);
        let mut told = shown(&plan, shell.view());
        if !found.is_empty() {
            let title = styled(BOLD, "Findings");
            write!(told, "\n{title}\n{}", findings::text(&found, &request.accept))?;
        }
        print(&told, color)?;
        if let Some(pending) = pending {
            let saved = Saved {
                nodeferry: env!("CARGO_PKG_VERSION").to_owned(),
                server: session.connected.server.clone(),
                migration: asked.migration.clone(),
                plan,
            };
            let text = serde_json::to_string_pretty(&saved)?;
            pending.finish(|out| writeln!(out, "{text}"))?;
        }
        let blocked = !found::blocking(&found, &request.accept).is_empty();
        Ok(if blocked { Exit::Refused } else { Exit::Held })
    })
}

/// A new plan.
pub(crate) fn made(session: &Session, request: &Request, shell: &mut Shell<'_>) -> plan::Plan {
    let now = session.clock.now();
    plan::Plan::new(&session.plan_id(), &session.holder(), request, shell.view(), now)
}

/// Reads a plan from a file.
pub(crate) fn read(path: &Path) -> Result<Saved> {
    let shown = path.display();
    let length = std::fs::metadata(path).with_context(|| format!("{shown}"))?.len();
    if length > FILE_BYTES_MAX {
        bail!(
            "{shown}: is larger than {FILE_BYTES_MAX} bytes: name the file that `nodeferry plan --out` wrote"
        );
    }
    let text = std::fs::read(path).with_context(|| format!("{shown}"))?;
    serde_json::from_slice(&text).with_context(|| {
        format!("{shown}: is no plan of this version: make it anew with `nodeferry plan --out`")
    })
}

/// The plan of a file, for this process, if the cluster is still as it was when the plan was made.
pub(crate) fn fresh(
    saved: Saved,
    session: &Session,
    request: &Request,
    shell: &mut Shell<'_>,
) -> Result<plan::Plan> {
    if saved.server != session.connected.server {
        bail!("the plan was made for {}, this is {}", saved.server, session.connected.server);
    }
    let mut planned = saved.plan;
    let journal = shell.view().journal.clone();
    if journal.as_deref().and_then(scenarios::journal::plan_id) == Some(&*planned.id) {
        bail!(
            "plan {} has been carried out already, and runs once: make a new one with `nodeferry plan`",
            planned.id
        );
    }
    planned.boot_id = session.holder().into();
    unchanged(&planned, request, shell)?;
    Ok(planned)
}

/// Whether the plan would be made again as it is.
pub(crate) fn unchanged(planned: &plan::Plan, request: &Request, shell: &mut Shell<'_>) -> Result<()> {
    let now = plan::Plan::new(&planned.id, &planned.boot_id, request, shell.view(), planned.planned_at);
    match differing(planned, &now) {
        None => Ok(()),
        Some(what) => {
            bail!("the plan is stale: {what} since it was made: make it anew with `nodeferry plan`")
        }
    }
}

/// What has changed between two plans for the same request.
fn differing(then: &plan::Plan, now: &plan::Plan) -> Option<&'static str> {
    if then == now {
        None
    } else if then.creation != now.creation || then.bounds_after != now.bounds_after {
        Some("the old node group, its bounds or the cluster's version have changed")
    } else if then.services != now.services {
        Some("load-balanced Services or their endpoints have changed")
    } else if then.workloads != now.workloads {
        Some("workloads on the old nodes or their replicas have changed")
    } else {
        Some("something has changed")
    }
}

/// A plan, for people.
pub(crate) fn shown(plan: &plan::Plan, view: &ClusterView) -> String {
    let steps = outline::outline(plan, view);
    let title = format!("Plan {}: {} to {}", plan.id, plan.from, plan.to);
    let mut out = format!("{}\n", styled(BOLD, title));
    for (number, step) in steps.iter().enumerate() {
        if step.point_of_no_return {
            out.push_str(&format!("{}\n", styled(BAD, "  ---- point of no return ----")));
        }
        step_shown(&mut out, number + 1, step);
    }
    let (least, most) = steps.iter().fold((0, 0), |sum, one| (sum.0 + one.lasts_s.0, sum.1 + one.lasts_s.1));
    out.push_str(&format!("In all {}\n", between(least, most)));
    out
}

fn step_shown(out: &mut String, number: usize, step: &Outlined) {
    let name = styled(BOLD, step.step.name);
    let lasts = between(step.lasts_s.0, step.lasts_s.1);
    out.push_str(&format!("{number:>3} {name}: {} ({lasts}: {})\n", step.step.does, step.because));
    for change in step.changes.iter().take(CHANGES_SHOWN) {
        out.push_str(&format!("      {}: {} -> {}\n", change.object, change.before, change.after));
    }
    if step.changes.len() > CHANGES_SHOWN {
        out.push_str(&format!("      and {} more\n", step.changes.len() - CHANGES_SHOWN));
    }
    if let Some(extra) = &step.extra_capacity {
        out.push_str(&format!("      {} {extra}\n", styled(FAINT, "in addition:")));
    }
    out.push_str(&format!("      {} {}\n", styled(FAINT, "undone:"), step.step.inverse));
}

fn between(least: u64, most: u64) -> String {
    let shown = |seconds: u64| span(i64::try_from(seconds).unwrap_or(i64::MAX));
    if least == most { shown(most) } else { format!("{} to {}", shown(least), shown(most)) }
}
