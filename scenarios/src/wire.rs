//! The wire gear: the migrator's production shell talks to the world's API servers, in process and in virtual time.
//!
//! Time is that of a paused runtime, which moves on when nothing else can happen; the world follows it. A client sees what an
//! observer of the core gear sees, at the same moments.

mod aws;
pub mod gate;
mod kubernetes;

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use migrator::{
    action::Answer,
    findings::{self, Expectations, Finding},
    journal::Event,
    live::{
        Clock, Unreachable, connect, review,
        shell::{Ended, Shell, Told, WishFailed},
    },
    outline,
    plan::Plan,
    request::Request,
};
use simulator::world::{ObserverId, Time, World};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use crate::{
    drive::{self, Driven, MIGRATOR, note_action, note_wait},
    observe::Observer,
};
use gate::Gate;

/// How long a request that only reads takes, in milliseconds: the least that virtual time knows. What it takes in the core
/// gear is nothing, and how the two differ is to be small.
const READ_TAKES: Time = 1;

/// How long the shell waits for an answer. In process every answer comes; it is there for those that a test withholds.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// A world that is served in process.
#[derive(Debug)]
pub(crate) struct Wire {
    world: Mutex<World>,
    observer: ObserverId,
    started_at: Instant,
    from: Time,
    /// The newest version that clients' watches have been shown.
    seen: watch::Sender<u64>,
    /// Something may happen earlier than was known.
    changed: Notify,
    /// What requests have to pass first.
    gate: Arc<Gate>,
}

/// What a migration over the wire has to pass, and where it turns round.
#[derive(Debug, Clone, Default)]
pub struct Passage {
    /// What stands before the API servers.
    pub gate: Arc<Gate>,
    /// The step before which the user holds the migration and asks for a rollback, if one is to.
    pub turned_round_before: Option<&'static str>,
}

impl Wire {
    fn new(mut world: World, observer: ObserverId, seen: u64, gate: Arc<Gate>) -> Arc<Wire> {
        world.serve();
        world.serve_for(MIGRATOR);
        let from = world.now();
        Arc::new(Wire {
            world: Mutex::new(world),
            observer,
            started_at: Instant::now(),
            from,
            seen: watch::Sender::new(seen),
            changed: Notify::new(),
            gate,
        })
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The runtime's time as the world's.
    fn now(&self) -> Time {
        let passed = self.started_at.elapsed().as_millis();
        self.from.saturating_add(Time::try_from(passed).unwrap_or(Time::MAX / 2))
    }

    /// Waits until a time of the world.
    async fn until(&self, at: Time) {
        let passed = Duration::from_millis(at.saturating_sub(self.from));
        tokio::time::sleep_until(self.started_at + passed).await;
    }

    /// Lets the world catch up, does something with it, and lets its watchers see what they see by then.
    fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let done = self.caught_up(act);
        // What was done may make something happen earlier than was known.
        self.changed.notify_one();
        done
    }

    fn caught_up<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.lock();
        let now = self.now();
        world.advance(now, None);
        let done = act(&mut world);
        let newest = world.observe(self.observer, |_| {});
        drop(world);
        if let Some(newest) = newest {
            self.seen.send_replace(newest);
        }
        done
    }

    /// Runs the world while nobody asks anything. Never ends.
    async fn run(&self) {
        loop {
            let next = self.caught_up(|world| world.may_see_at(self.observer));
            let next = next.unwrap_or(Time::MAX / 2).max(self.now() + 1);
            tokio::select! {
                biased;
                () = self.changed.notified() => {}
                () = self.until(next) => {}
            }
        }
    }
}

/// Drives a plan with the production shell until it finishes, or until `deadline`.
///
/// # Errors
/// Where no runtime can be had.
pub fn drive(
    world: &mut World,
    observer: &Observer,
    plan: &Plan,
    deadline: Time,
    passage: &Passage,
) -> io::Result<Driven> {
    served(world, observer, &passage.gate, async |wire, cluster| {
        driven(wire, plan, deadline, cluster, passage.turned_round_before).await
    })
}

/// What a preflight finds over the wire, and the plan that would be made.
///
/// # Errors
/// Where no runtime can be had; within, where one of the sides does not answer.
pub fn look(
    world: &mut World,
    request: &Request,
    gate: &Arc<Gate>,
) -> io::Result<Result<(Vec<Finding>, Plan), Unreachable>> {
    let observer = Observer::new(world);
    served(world, &observer, gate, async |wire, cluster| {
        let (connected, clock) = connected(wire, cluster);
        let (_interrupts, interrupt) = watch::channel(false);
        let mut tell = |_: Told<'_>, _| {};
        let mut shell = Shell::open(&connected, clock, interrupt, &mut tell).await?;
        let plan = Plan::new("looked", &drive::holder(), request, shell.view(), clock.now());
        let review = review::review(&connected, &plan).await;
        let expectations = Expectations { review: Some(review), ..Expectations::default() };
        Ok((findings::findings(request, shell.view(), &expectations), plan))
    })
}

/// Does something with a world that is served, and gives it back as it is then.
fn served<T>(
    world: &mut World,
    observer: &Observer,
    gate: &Arc<Gate>,
    work: impl AsyncFnOnce(&Arc<Wire>, &str) -> T,
) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let cluster = world.imported_aws().cluster.name.clone();
    runtime.block_on(async {
        let wire = Wire::new(world.clone(), observer.id(), observer.resource_version, gate.clone());
        let done = {
            let running = wire.run();
            let working = work(&wire, &cluster);
            tokio::select! {
                biased;
                () = running => unreachable!("the world goes on for ever"),
                done = working => done,
            }
        };
        world.clone_from(&wire.lock());
        Ok(done)
    })
}

fn connected(wire: &Arc<Wire>, cluster: &str) -> (connect::Connected, Clock) {
    let clock = Clock::set(wire.lock().wall(wire.from.cast_signed()), 1);
    let client = kube::Client::new(kubernetes::Server(wire.clone()), "default");
    (connect::over(client, aws::client(wire), clock, cluster, REQUEST_TIMEOUT), clock)
}

async fn driven(
    wire: &Arc<Wire>,
    plan: &Plan,
    deadline: Time,
    cluster: &str,
    turned_round_before: Option<&'static str>,
) -> Driven {
    let (connected, clock) = connected(wire, cluster);
    let mut driven = Driven {
        outcome: None,
        ended_at: 0,
        stretches: Vec::new(),
        refusals: Vec::new(),
        decisions: 0,
        writes: Vec::new(),
        last_wait: None,
    };
    let mut tell = |told: Told<'_>, _| match told {
        Told::Sent { action, answer, .. } => {
            driven.last_wait = None;
            note_action(&mut driven, wire.now(), action.phase);
            if let Answer::Done(_) = answer {
                driven.writes.push(action.clone());
            }
        }
        Told::Waiting(wait) => {
            note_wait(&mut driven, wire.now(), &wait.for_what);
            driven.last_wait = Some(wait.for_what.clone());
        }
        Told::Refused(refusal) => driven.refusals.push(refusal.to_owned()),
        Told::Trouble(_) => {}
    };
    // Somebody who might interrupt, and does not.
    let (_interrupts, interrupt) = watch::channel(false);
    let ended = async {
        let mut shell = Shell::open(&connected, clock, interrupt, &mut tell).await?;
        let phases = turned_round_before.and_then(outline::step_named).map_or(&[][..], |step| step.phases);
        let ended = shell.drive(plan, phases).await?;
        if !matches!(ended, Ended::Held { .. }) {
            return Ok(ended);
        }
        match shell.wish(plan, Event::RollbackRequested).await {
            Err(WishFailed::Unreachable(failed)) => return Err(failed),
            // It is past turning, and goes on as it is.
            Ok(()) | Err(WishFailed::Impossible(_)) => {}
        }
        shell.drive(plan, &[]).await
    };
    let ended = tokio::select! {
        biased;
        ended = ended => Some(ended),
        () = wire.until(deadline) => None,
    };
    driven.outcome = match ended {
        Some(Ok(Ended::Finished(outcome))) => Some(outcome),
        Some(Err(unreachable)) => {
            driven.refusals.push(unreachable.to_string());
            None
        }
        _ => None,
    };
    driven.ended_at = wire.now();
    if let Some(last) = driven.stretches.last_mut() {
        last.until_at = driven.ended_at;
    }
    driven
}
