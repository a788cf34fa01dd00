//! The wire gear: the migrator's production shell talks to the world's API servers, in process and in virtual time.
//!
//! Time is that of a paused runtime, which moves on when nothing else can happen; the world follows it. A client sees what an
//! observer of the core gear sees, at the same moments.

mod aws;
mod faults;
pub mod gate;
mod kubernetes;
mod processes;

use std::{
    io,
    iter::Peekable,
    slice::IterMut,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use migrator::{
    findings::{self, Expectations, Finding},
    live::{
        Unreachable,
        connect::SILENCE,
        review,
        shell::{Shell, Told},
    },
    plan::Plan,
    request,
};
use simulator::{
    http::{Request, Response},
    world::{ObserverId, Time, World},
};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::Instant,
};

use crate::{
    drive::{self, Driven, Intervention, MIGRATOR},
    observe::Observer,
};
use gate::Gate;

pub use faults::{Call, Fate, Refusal, Script, When};
use faults::{Faults, Line};
pub use processes::{Begins, Does};

/// How long a request that only reads takes, in milliseconds: the least that virtual time knows. What it takes in the core
/// gear is nothing, and how the two differ is to be small.
const READ_TAKES: Time = 1;

/// How long after a process died or stood still the next one is started, in milliseconds.
const STARTED_AGAIN: Time = 5_000;

/// What disturbs a run, and which processes it has.
pub struct Disturbances {
    /// The fate of every request.
    pub script: Box<Script>,
    /// The processes, with the first at the start. Each that dies, and each that stands still, is followed by another.
    pub processes: Vec<Begins>,
    /// What every request has to pass.
    pub passage: Passage,
}

impl Default for Disturbances {
    /// One process, which nothing befalls.
    fn default() -> Self {
        Disturbances {
            script: Box::new(|_| Fate::Served),
            processes: vec![Begins { at: 0, does: Does::Migrate }],
            passage: Passage::default(),
        }
    }
}

impl std::fmt::Debug for Disturbances {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disturbances").field("processes", &self.processes).finish_non_exhaustive()
    }
}

/// A world that is served in process.
#[derive(Debug)]
pub(crate) struct Wire {
    world: Mutex<World>,
    faults: Mutex<Faults>,
    /// Where further processes are asked for.
    births: mpsc::UnboundedSender<Begins>,
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
    fn new(
        mut world: World,
        observer: &Observer,
        script: Box<Script>,
        births: mpsc::UnboundedSender<Begins>,
        gate: Arc<Gate>,
    ) -> Arc<Wire> {
        world.serve();
        world.serve_for(MIGRATOR);
        let from = world.now();
        Arc::new(Wire {
            world: Mutex::new(world),
            faults: Mutex::new(Faults::new(script)),
            births,
            observer: observer.id(),
            started_at: Instant::now(),
            from,
            seen: watch::Sender::new(observer.resource_version),
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

    /// Runs the world while nobody asks anything, with what happens beside the migration. Never ends.
    async fn run(&self, mut interventions: Peekable<IterMut<'_, Intervention<'_>>>) {
        loop {
            let next = self.caught_up(|world| {
                while let Some(due) = interventions.next_if(|next| next.at <= world.now()) {
                    (due.happens)(world);
                }
                world.may_see_at(self.observer)
            });
            let next =
                next.unwrap_or(Time::MAX / 2).min(interventions.peek().map_or(Time::MAX / 2, |next| next.at));
            let next = next.max(self.now() + 1);
            tokio::select! {
                biased;
                () = self.changed.notified() => {}
                () = self.until(next) => {}
            }
        }
    }

    /// Takes a request from a process to the servers and back, or to whatever befalls it.
    async fn pass<T: Send + 'static>(
        self: &Arc<Self>,
        line: &Line,
        request: Request,
        takes: Time,
        bars: fn(&Gate, &Request) -> Option<Response>,
        serve: fn(&mut World, &Request) -> (T, Time),
    ) -> Passed<T> {
        if line.is_cut() {
            return std::future::pending().await;
        }
        let fate = {
            let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
            faults.fate(line.process, self.now(), &request)
        };
        if let Fate::Delayed(span) = fate {
            let wire = self.clone();
            tokio::spawn(async move {
                wire.until(wire.now() + takes.max(span)).await;
                wire.with(|world| serve(world, &request));
            });
            return self.silent().await;
        }
        let stands = match fate {
            Fate::Stands(when, span) => Some((when, self.now() + span)),
            _ => None,
        };
        match fate {
            Fate::Lost => return self.silent().await,
            Fate::Silent => return Passed::Silent,
            Fate::Dies(When::Before) => {
                line.cut();
                return std::future::pending().await;
            }
            Fate::Stands(When::Before, span) => {
                // What it has sent arrives when it goes on.
                self.stand(line, span);
                self.until(self.now() + span).await;
            }
            _ => {}
        }
        self.until(self.now() + takes).await;
        match fate {
            Fate::Refused(refusal) => return Passed::Instead(faults::refused(refusal, &request)),
            Fate::Broken { served: false } => return Passed::Broken,
            _ => {}
        }
        if let Some(refusal) = bars(&self.gate, &request) {
            return Passed::Instead(refusal);
        }
        let (answer, answered_at) = self.with(|world| serve(world, &request));
        match fate {
            Fate::Broken { served: true } => return Passed::Broken,
            Fate::Unanswered => return self.silent().await,
            Fate::Dies(When::Served) => {
                line.cut();
                return std::future::pending().await;
            }
            Fate::Stands(When::Served, span) => {
                self.stand(line, span);
                self.until(self.now() + span).await;
            }
            _ => {}
        }
        self.until(answered_at).await;
        if fate == Fate::Dies(When::Answered) {
            line.cut();
        }
        if let Some((When::Answered, until)) = stands {
            self.stand(line, until.saturating_sub(self.now()));
        }
        Passed::Served(answer)
    }

    fn stand(&self, line: &Line, span: Time) {
        line.stand_until(self.now() + span);
        let next = Begins { at: self.now() + STARTED_AGAIN, does: Does::Resume };
        // Whoever starts processes outlives them.
        let _ = self.births.send(next);
    }

    /// No answer, until the client gives the connection up.
    async fn silent<T>(&self) -> Passed<T> {
        tokio::time::sleep(SILENCE).await;
        Passed::Broken
    }
}

/// What comes back from the way to the servers.
enum Passed<T> {
    /// The server's answer.
    Served(T),
    /// An answer in its place.
    Instead(Response),
    /// The connection broke.
    Broken,
    /// A stream that never says anything.
    Silent,
}

/// Drives a plan with the production shell until its processes have ended, or until `deadline`.
///
/// # Errors
/// Where no runtime can be had.
pub fn drive(
    world: &mut World,
    observer: &Observer,
    plan: &Plan,
    deadline: Time,
    interventions: &mut [Intervention<'_>],
    disturbances: Disturbances,
) -> io::Result<Driven> {
    let Disturbances { script, processes, passage } = disturbances;
    let turns = passage.turned_round_before;
    served(world, observer, interventions, (script, passage.gate), async |wire, born| {
        processes::run(wire, plan, deadline, (processes, turns), born).await
    })
}

/// What a preflight finds over the wire, and the plan that would be made.
///
/// # Errors
/// Where no runtime can be had; within, where one of the sides does not answer.
pub fn look(
    world: &mut World,
    request: &request::Request,
    gate: &Arc<Gate>,
) -> io::Result<Result<(Vec<Finding>, Plan), Unreachable>> {
    let observer = Observer::new(world);
    let undisturbed = Disturbances::default().script;
    served(world, &observer, &mut [], (undisturbed, gate.clone()), async |wire, _| {
        let (connected, clock) = processes::connected(wire, &Arc::new(Line::new(0)));
        let (_interrupts, interrupt) = watch::channel(false);
        let mut tell = |_: Told<'_>, _| {};
        let mut shell = Shell::open(&connected, clock, interrupt, &mut tell).await?;
        shell.survey().await;
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
    interventions: &mut [Intervention<'_>],
    (script, gate): (Box<Script>, Arc<Gate>),
    work: impl AsyncFnOnce(&Arc<Wire>, mpsc::UnboundedReceiver<Begins>) -> T,
) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let (births, born) = mpsc::unbounded_channel();
    runtime.block_on(async {
        let wire = Wire::new(world.clone(), observer, script, births, gate);
        let done = {
            let running = wire.run(interventions.iter_mut().peekable());
            let working = work(&wire, born);
            tokio::select! {
                biased;
                () = running => unreachable!("the world goes on for ever"),
                done = working => done,
            }
        };
        std::mem::swap(world, &mut *wire.lock());
        Ok(done)
    })
}
