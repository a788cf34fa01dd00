//! The processes that carry a migration out: each is one run of a command, with an access and a clock of its own.

use std::{cell::RefCell, future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use futures::{StreamExt as _, stream::FuturesUnordered};
use migrator::{
    action::{Answer, Outcome},
    journal::{Event, Journal, Status},
    live::{
        Clock, Unreachable,
        begun::NotTakenUp,
        connect::{self, Connected},
        shell::{Ended, Shell, Told, WishFailed},
    },
    outline,
    plan::Plan,
};
use simulator::world::Time;
use tokio::sync::{mpsc, watch};

use super::{STARTED_AGAIN, Wire, aws, faults::Line, kubernetes};
use crate::{
    drive::{Driven, How, note_action, note_wait},
    observe::Observer,
};

/// How long the shell waits for an answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Most processes of a run. Each that dies is followed by another, and a script may let all of them die.
const PROCESSES_MAX: usize = 1_000;

/// A command, and when it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begins {
    /// When, in milliseconds since the start of the run.
    pub at: Time,
    /// Which.
    pub does: Does,
}

/// What a process is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// `nodeferry migrate`.
    Migrate,
    /// `nodeferry migrate` of another plan that says the same.
    MigrateOtherwise,
    /// `nodeferry resume`.
    Resume,
    /// `nodeferry rollback`.
    Rollback,
}

/// Runs processes until all have ended, or until `deadline`.
pub(super) async fn run(
    wire: &Arc<Wire>,
    plan: &Plan,
    deadline: Time,
    (first, turns): (Vec<Begins>, Option<&'static str>),
    mut born: mpsc::UnboundedReceiver<Begins>,
) -> Driven {
    let driven = RefCell::new(Driven::default());
    let mut living = FuturesUnordered::new();
    let mut processes = 0;
    for begins in first {
        living.push(process(wire, plan, processes, begins, turns, &driven));
        processes += 1;
    }
    let mut finished = None;
    loop {
        tokio::select! {
            biased;
            Some(begins) = born.recv() => {
                if processes < PROCESSES_MAX {
                    living.push(process(wire, plan, processes, begins, turns, &driven));
                    processes += 1;
                }
            }
            () = wire.until(deadline) => break,
            Some(how) = living.next() => {
                if let How::Finished(outcome) = &how {
                    finished = Some(outcome.clone());
                }
                driven.borrow_mut().processes.push(how);
                if living.is_empty() && born.is_empty() {
                    break;
                }
            }
        }
    }
    let all_ended = living.is_empty();
    drop(living);
    let mut driven = driven.into_inner();
    driven.outcome = finished.or_else(|| ended_without_us(wire)).filter(|_| all_ended);
    driven.ended_at = wire.now();
    if let Some(last) = driven.stretches.last_mut() {
        last.until_at = driven.ended_at;
    }
    driven
}

/// How the journal says that it ended: the process that wrote so did not live to tell.
fn ended_without_us(wire: &Wire) -> Option<Outcome> {
    let object = Observer::new(&mut wire.lock().clone()).view.journal?;
    match &Journal::read(&object).ok()?.status {
        Status::Finished => Some(Outcome::Migrated),
        Status::RolledBack => Some(Outcome::RolledBack),
        Status::Stopped { reason, .. } => Some(Outcome::Stopped(reason.clone())),
        Status::Running { .. } | Status::Paused { .. } => None,
    }
}

/// One process from its command to its end.
async fn process(
    wire: &Arc<Wire>,
    plan: &Plan,
    number: usize,
    begins: Begins,
    turns: Option<&'static str>,
    driven: &RefCell<Driven>,
) -> How {
    wire.until(begins.at).await;
    let line = Arc::new(Line::new(number));
    let ended = lived(wire, &line, command(wire, &line, plan, begins.does, turns, driven)).await;
    match ended {
        Some(Ok(Ended::Finished(outcome))) => How::Finished(outcome),
        Some(Ok(Ended::Interrupted | Ended::Held { .. })) => How::Held,
        Some(Err(Failed::Ended)) => How::HadEnded,
        Some(Err(Failed::Other(why))) => How::Failed(why),
        None => {
            let again = if begins.does == Does::Rollback { Does::Rollback } else { Does::Resume };
            // Whoever starts processes outlives them.
            let _ = wire.births.send(Begins { at: wire.now() + STARTED_AGAIN, does: again });
            How::Died
        }
    }
}

/// What a life comes to; `None` where it is cut off. One that stands still goes on when its time has come.
async fn lived<T>(wire: &Wire, line: &Line, life: impl Future<Output = T>) -> Option<T> {
    enum Now<T> {
        Ended(T),
        Died,
        Stands(Time),
    }
    let mut life = pin!(life);
    loop {
        let now = poll_fn(|context| match (life.as_mut().poll(context), line.stands_until()) {
            (Poll::Ready(ended), _) => Poll::Ready(Now::Ended(ended)),
            (Poll::Pending, _) if line.is_cut() => Poll::Ready(Now::Died),
            (Poll::Pending, Some(until)) => Poll::Ready(Now::Stands(until)),
            (Poll::Pending, None) => Poll::Pending,
        });
        match now.await {
            Now::Ended(ended) => return Some(ended),
            Now::Died => return None,
            Now::Stands(until) => {
                wire.until(until).await;
                line.go_on();
            }
        }
    }
}

/// Why a process ended otherwise than its migration.
enum Failed {
    /// The migration had ended before.
    Ended,
    /// In words.
    Other(String),
}

impl From<Unreachable> for Failed {
    fn from(error: Unreachable) -> Failed {
        Failed::Other(error.to_string())
    }
}

impl From<NotTakenUp> for Failed {
    fn from(error: NotTakenUp) -> Failed {
        match error {
            NotTakenUp::Ended { .. } => Failed::Ended,
            other => Failed::Other(other.to_string()),
        }
    }
}

async fn command(
    wire: &Arc<Wire>,
    line: &Arc<Line>,
    plan: &Plan,
    does: Does,
    turns: Option<&'static str>,
    driven: &RefCell<Driven>,
) -> Result<Ended, Failed> {
    let (connected, clock) = connected(wire, line);
    let mut tell = |told: Told<'_>, _| note(&mut driven.borrow_mut(), wire.now(), &told);
    // Somebody who might interrupt, and does not.
    let (_interrupts, interrupt) = watch::channel(false);
    let mut shell = Shell::open(&connected, clock, interrupt, &mut tell).await?;
    let boot_id = match line.process {
        0 => plan.boot_id.to_string(),
        number => format!("{}-{number}", plan.boot_id),
    };
    let begun = shell.view().journal.is_some();
    let plan = match does {
        Does::Rollback => shell.turned_round(&boot_id).await?,
        Does::Resume if begun => shell.resumed(&boot_id).await?,
        Does::MigrateOtherwise => {
            Plan { boot_id: boot_id.as_str().into(), id: format!("{}-other", plan.id).into(), ..plan.clone() }
        }
        // Whoever was to resume what had not even begun begins it.
        Does::Migrate | Does::Resume => Plan { boot_id: boot_id.as_str().into(), ..plan.clone() },
    };
    let phases = turns.and_then(outline::step_named).map_or(&[][..], |step| step.phases);
    let ended = shell.drive(&plan, phases).await?;
    if !matches!(ended, Ended::Held { .. }) {
        return Ok(ended);
    }
    match shell.wish(&plan, Event::RollbackRequested).await {
        Err(WishFailed::Unreachable(failed)) => return Err(failed.into()),
        // It is past turning, and goes on as it is.
        Ok(()) | Err(WishFailed::Impossible(_)) => {}
    }
    Ok(shell.drive(&plan, &[]).await?)
}

/// A connection of its own to the world's servers, and a clock that is set when it is made.
pub(super) fn connected(wire: &Arc<Wire>, line: &Arc<Line>) -> (Connected, Clock) {
    let clock = Clock::set(wire.lock().wall(wire.now().cast_signed()), 1);
    let server = kubernetes::Server { wire: wire.clone(), line: line.clone() };
    let client = kube::Client::new(server, "default");
    let cluster = wire.lock().imported_aws().cluster.name.clone();
    (connect::over(client, aws::client(wire, line), clock, &cluster, REQUEST_TIMEOUT), clock)
}

fn note(driven: &mut Driven, now: Time, told: &Told<'_>) {
    match told {
        Told::Sent { action, answer, .. } => {
            driven.last_wait = None;
            note_action(driven, now, action.phase);
            if let Answer::Done(_) = answer {
                driven.writes.push((*action).clone());
            }
        }
        Told::Waiting(wait) => {
            note_wait(driven, now, &wait.for_what);
            driven.last_wait = Some(wait.for_what.clone());
        }
        Told::Refused(refusal) => driven.refusals.push((*refusal).to_owned()),
        Told::Looked(_) => {}
        Told::Trouble(trouble) => driven.troubles.push((*trouble).to_owned()),
    }
}
