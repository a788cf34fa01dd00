//! `nodeferry migrate --dry-run`: what would be sent, and what the servers say to it. Changes nothing.

use std::fmt::Write as _;

use anyhow::Result;
use scenarios::{
    action::{Answer, Write},
    plan::Plan,
    rehearsal::{Rehearsed, rehearsal},
    shell::{audit, shell::Shell},
};
use serde_json::Value;

use crate::{
    arguments::{Color, cluster::DryRun},
    exit::Exit,
    output::{BAD, BOLD, DOUBTFUL, FAINT, GOOD, print, styled},
    plan,
};

/// Prints the plan and its writes; with [`DryRun::Server`], what is answered to each that can be tried.
pub(crate) async fn run(shell: &mut Shell<'_>, plan: &Plan, place: DryRun, color: Color) -> Result<Exit> {
    let now = shell.clock.now();
    let (writes, untried) = rehearsal(plan, shell.view(), now);
    let mut told = plan::shown(plan, shell.view());
    let tried: Vec<&Write> =
        writes.iter().filter(|one| one.untried.is_none()).map(|one| &one.write).collect();
    let answers = match place {
        DryRun::Client => Vec::new(),
        DryRun::Server => shell.rehearse(plan, &tried).await,
    };
    let mut answers = answers.iter();
    let title = match place {
        DryRun::Client => "Would be sent, as far as it is known now",
        DryRun::Server => "Tried, without effect",
    };
    writeln!(told, "\n{}", styled(BOLD, title))?;
    let (mut accepted, mut refused, mut unanswered) = (0, 0, 0);
    let mut step = "";
    for Rehearsed { step: of, write, untried } in &writes {
        if *of != step {
            step = of;
            writeln!(told, "  {}", styled(BOLD, step))?;
        }
        let summary = audit::summary(write);
        let said = match (place, untried) {
            (DryRun::Client, _) => match audit::asked(shell.view(), write) {
                Value::Null => String::new(),
                asked => format!(": {}", styled(FAINT, asked)),
            },
            (DryRun::Server, Some(why)) => format!(": {} ({why})", styled(FAINT, "not tried")),
            (DryRun::Server, None) => match answers.next() {
                Some(Ok(())) => {
                    accepted += 1;
                    format!(": {}", styled(GOOD, "accepted"))
                }
                // Not now, but later perhaps: a budget that allows no disruption, a server that is busy.
                Some(Err(failed)) if matches!(failed.answer, Answer::RetryLater(_)) => {
                    unanswered += 1;
                    format!(": {} ({})", styled(DOUBTFUL, "not now"), failed.why)
                }
                Some(Err(failed)) if failed.answer == Answer::Unknown => {
                    unanswered += 1;
                    format!(": {} ({})", styled(DOUBTFUL, "no answer"), failed.why)
                }
                Some(Err(failed)) => {
                    refused += 1;
                    format!(": {} ({})", styled(BAD, "refused"), failed.why)
                }
                None => String::new(),
            },
        };
        writeln!(told, "    {summary}{said}")?;
    }
    for (step, why) in &untried {
        writeln!(told, "  {}\n    {} ({why})", styled(BOLD, step), styled(FAINT, "not known yet"))?;
    }
    let sum = match place {
        DryRun::Client => format!("{} writes, none of them sent", writes.len()),
        DryRun::Server => format!(
            "{accepted} accepted, {refused} refused, {unanswered} not now or without an answer, {} not tried",
            writes.len() - tried.len()
        ),
    };
    writeln!(told, "\nDry run: {sum}; nothing was changed")?;
    print(&told, color)?;
    Ok(if refused > 0 { Exit::Refused } else { Exit::Held })
}
