//! `nodeferry migrate`, `resume` and `rollback`: carrying a migration out, to its end or to where it can be resumed.

use std::io::{self, IsTerminal as _};

use anyhow::{Context as _, Result, bail};
use scenarios::{
    Strategy,
    action::Outcome,
    findings as found,
    journal::{Course, Journal, Status},
    outline,
    plan::Plan,
    shell::shell::{Ended, Shell},
};

use crate::{
    arguments::{
        Color,
        cluster::{Drive, Migrate, Resume, Rollback},
    },
    exit::Exit,
    findings,
    metrics::Metrics,
    output::{BAD, BOLD, DOUBTFUL, GOOD, print, styled},
    plan, preflight,
    progress::Progress,
    rehearsal, session,
};

/// Runs `migrate`.
pub(crate) fn run(asked: &Migrate, color: Color) -> Result<Exit> {
    let saved = asked.plan.as_deref().map(plan::read).transpose()?;
    let request = preflight::request(saved.as_ref().map_or(&asked.migration, |saved| &saved.migration))?;
    if !asked.yes && asked.dry_run.is_none() && !io::stdin().is_terminal() {
        bail!("nobody can be asked here: look at `nodeferry plan` and pass --yes");
    }
    session::run(&asked.connection, async |session| {
        let mut progress = Progress::of(&asked.drive, session, color).await?;
        let metrics = progress.metrics();
        let mut tell = progress.tell();
        let mut shell = session.open(&mut *tell).await?;
        if let Some((status, plan_id)) = under_way(&mut shell)? {
            return locked(status, &plan_id, color);
        }
        let found = preflight::look(session, &request, &mut shell).await?;
        let plan = match saved {
            None => plan::made(session, &request, &mut shell),
            Some(saved) => plan::fresh(saved, session, &request, &mut shell)?,
        };
        if !found.is_empty() {
            let title = styled(BOLD, "Findings");
            print(&format!("{title}\n{}", findings::text(&found, &request.accept)), color)?;
        }
        if !found::blocking(&found, &request.accept).is_empty() {
            print(&format!("{} blocking findings (see --accept)\n", styled(BAD, "Refused:")), color)?;
            return Ok(Exit::Refused);
        }
        if let Some(place) = asked.dry_run {
            return rehearsal::run(&mut shell, &plan, place, color).await;
        }
        if !asked.yes {
            print(&plan::shown(&plan, shell.view()), color)?;
            if !session.agreed("Carry it out?").await? {
                print("Nothing was changed\n", color)?;
                return Ok(Exit::Paused);
            }
            // However long the answer took.
            plan::unchanged(&plan, &request, &mut shell)?;
        }
        drive(&mut shell, &plan, &asked.drive, metrics.as_ref(), color).await
    })
}

/// Runs `resume`.
pub(crate) fn resume(asked: &Resume, color: Color) -> Result<Exit> {
    session::run(&asked.connection, async |session| {
        let mut progress = Progress::of(&asked.drive, session, color).await?;
        let metrics = progress.metrics();
        let mut tell = progress.tell();
        let mut shell = session.open(&mut *tell).await?;
        let plan = shell.resumed(&session.holder()).await?;
        drive(&mut shell, &plan, &asked.drive, metrics.as_ref(), color).await
    })
}

/// Runs `rollback`.
pub(crate) fn rollback(asked: &Rollback, color: Color) -> Result<Exit> {
    session::run(&asked.connection, async |session| {
        let mut progress = Progress::of(&asked.drive, session, color).await?;
        let metrics = progress.metrics();
        let mut tell = progress.tell();
        let mut shell = session.open(&mut *tell).await?;
        let plan = shell.turned_round(&session.holder()).await?;
        drive(&mut shell, &plan, &asked.drive, metrics.as_ref(), color).await
    })
}

/// A migration that has begun and not ended: how it stands, and its id.
fn under_way(shell: &mut Shell<'_>) -> Result<Option<(&'static str, String)>> {
    let Some(object) = shell.view().journal.clone() else { return Ok(None) };
    let journal = Journal::read(&object).context("the journal kube-system/nodeferry-journal")?;
    let ended = matches!(journal.status, Status::Finished | Status::RolledBack);
    Ok((!ended).then(|| (journal.status.word(), journal.plan_id.clone())))
}

fn locked(status: &str, plan_id: &str, color: Color) -> Result<Exit> {
    let told = format!(
        "{} migration {plan_id} is {status} and must end first: see `nodeferry status`, `nodeferry resume` and \
         `nodeferry rollback`\n",
        styled(BAD, "Locked:")
    );
    print(&told, color)?;
    Ok(Exit::Locked)
}

async fn drive(
    shell: &mut Shell<'_>,
    plan: &Plan,
    asked: &Drive,
    metrics: Option<&Metrics>,
    color: Color,
) -> Result<Exit> {
    if asked.stop_after.is_some() && plan.strategy != Strategy::SingleMove {
        bail!("--stop-after: the recipes have other steps: use `nodeferry pause`");
    }
    let held_before = asked.stop_after.map(outline::phases_after).unwrap_or_default();
    let ended = shell.drive(plan, &held_before).await?;
    if let Some(metrics) = metrics {
        metrics.on_outcome(match &ended {
            Ended::Finished(Outcome::Migrated) => "migrated",
            Ended::Finished(Outcome::RolledBack) => "rolled back",
            Ended::Finished(Outcome::Stopped(_)) => "stopped",
            Ended::Interrupted => "interrupted",
            Ended::Held { .. } => "held",
        });
    }
    // Another process began in the same moment, and was first.
    if let Some((status, plan_id)) = under_way(shell)?.filter(|(_, plan_id)| **plan_id != *plan.id) {
        return locked(status, &plan_id, color);
    }
    let course = match shell.status()? {
        Some(Status::Running { course } | Status::Paused { course } | Status::Stopped { course, .. }) => {
            Some(course)
        }
        _ => None,
    };
    let past = course == Some(Course::Committed);
    let (on, back) = match course {
        None => ("nothing was begun", ""),
        Some(Course::Forward) => ("go on with `nodeferry resume`", ", or back with `nodeferry rollback`"),
        Some(_) => ("go on with `nodeferry resume`", ""),
    };
    let (exit, told) = match ended {
        Ended::Finished(Outcome::Migrated) => {
            (Exit::Held, format!("{} {} to {}", styled(GOOD, "Migrated"), plan.from, plan.to))
        }
        Ended::Finished(Outcome::RolledBack) => {
            (Exit::RolledBack, format!("{} everything is as it was", styled(GOOD, "Rolled back:")))
        }
        Ended::Finished(Outcome::Stopped(reason)) => {
            let exit = if past { Exit::Committed } else { Exit::Stopped };
            (exit, format!("{} {reason}; {on}{back}", styled(BAD, "Stopped:")))
        }
        Ended::Interrupted => (Exit::Paused, format!("{} {on}{back}", styled(DOUBTFUL, "Interrupted:"))),
        Ended::Held { before } => {
            let step = outline::step_of(before).map_or(before, |step| step.name);
            (Exit::Paused, format!("{} before {step}; {on}{back}", styled(DOUBTFUL, "Held")))
        }
    };
    print(&format!("{told}\n"), color)?;
    Ok(exit)
}
