//! The wire gear: the migrator's production shell talks to the world's API servers, in process and in virtual time.
//!
//! Time is that of a paused runtime, which moves on when nothing else can happen; the world follows it. A client sees what an
//! observer of the core gear sees, at the same moments.

mod aws;
mod kubernetes;

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use migrator::{
    action::Answer,
    live::{
        Clock, connect,
        shell::{Ended, Shell, Told},
    },
    plan::Plan,
};
use simulator::world::{ObserverId, Time, World};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use crate::{
    drive::{Driven, MIGRATOR, note_action, note_wait},
    observe::Observer,
};

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
}

impl Wire {
    fn new(mut world: World, observer: ObserverId, seen: u64) -> Arc<Wire> {
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
pub fn drive(world: &mut World, observer: &Observer, plan: &Plan, deadline: Time) -> io::Result<Driven> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let cluster = world.imported_aws().cluster.name.clone();
    runtime.block_on(async {
        let wire = Wire::new(world.clone(), observer.id(), observer.resource_version);
        let driven = {
            let running = wire.run();
            let driving = driven(&wire, plan, deadline, &cluster);
            tokio::select! {
                biased;
                () = running => unreachable!("the world goes on for ever"),
                driven = driving => driven,
            }
        };
        world.clone_from(&wire.lock());
        Ok(driven)
    })
}

async fn driven(wire: &Arc<Wire>, plan: &Plan, deadline: Time, cluster: &str) -> Driven {
    let clock = Clock::set(wire.lock().wall(wire.from.cast_signed()), 1);
    let client = kube::Client::new(kubernetes::Server(wire.clone()), "default");
    let connected = connect::over(client, aws::client(wire), clock, cluster, REQUEST_TIMEOUT);
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
        Told::Looked(_) | Told::Trouble(_) => {}
    };
    // Somebody who might interrupt, and does not.
    let (_interrupts, interrupt) = watch::channel(false);
    let ended = async {
        let mut shell = Shell::open(&connected, clock, interrupt, &mut tell).await?;
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
