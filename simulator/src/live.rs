//! The API servers on sockets: the simulated cluster for anybody's client, in real time or faster.
//!
//! Decides nothing about requests, which [`crate::api`] and [`crate::aws_api`] answer. Here are connections, the pace of time, and the end.
//! Only loopback addresses are listened on: whoever reaches the server may do everything.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{net::TcpListener, runtime, sync::watch, time::Instant};

use crate::world::{Time, World};

mod connection;
mod pace;
mod room;

pub use pace::Pace;

use connection::Api;
use room::{Room, Throttle};

/// How a world is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How many times faster than the clock the world's time passes; with 0 it stands still.
    pub speed: u32,
    /// Requests a second that are answered, of both APIs together; others are told to come again, as real servers do
    /// when they are busy. `None`: all.
    pub throttle: Option<u32>,
}

/// Where a served world is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// The Kubernetes API server.
    pub kubernetes: SocketAddr,
    /// The AWS API servers, all of them: a request says by its signature which one it is for.
    pub aws: SocketAddr,
}

/// A world that is served.
#[derive(Debug)]
pub struct Served {
    world: Mutex<World>,
    pace: Pace,
    /// The newest resourceVersion, for whoever waits for another.
    version: watch::Sender<u64>,
    room: Room,
    throttle: Option<Mutex<Throttle>>,
}

impl Served {
    fn new(mut world: World, Settings { speed, throttle }: Settings) -> Served {
        world.serve();
        let version = watch::Sender::new(world.resource_version());
        Served {
            pace: Pace::new(world.now(), speed),
            world: Mutex::new(world),
            version,
            room: Room::new(),
            throttle: throttle.map(|per_second| Mutex::new(Throttle::new(per_second, Instant::now()))),
        }
    }

    /// Whether one more request may be answered now.
    fn admits(&self) -> bool {
        let Some(throttle) = &self.throttle else { return true };
        throttle.lock().unwrap_or_else(PoisonError::into_inner).admits(Instant::now())
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        // A request that panicked left a world that is whole enough to look at.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the world catch up with the clock, does something with it and tells who waits.
    fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.lock();
        let now = self.pace.now().max(world.now());
        world.advance(now, None);
        let done = act(&mut world);
        let version = world.resource_version();
        drop(world);
        self.version.send_if_modified(|known| std::mem::replace(known, version) != version);
        done
    }

    /// How long until something happens in the world, at most `most`.
    fn until(&self, at: Option<Time>, most: Duration) -> Duration {
        at.map_or(most, |at| self.pace.until(at).min(most))
    }

    /// Runs the world while nobody asks anything.
    async fn run(&self) {
        loop {
            let next = self.with(|world| world.next_event_at());
            // Long enough to cost nothing, short enough that watches hear of time's passing.
            tokio::time::sleep(self.until(next, Duration::from_millis(200)).max(Duration::from_millis(1)))
                .await;
        }
    }
}

/// Serves the world on free ports of 127.0.0.1 until SIGINT or SIGTERM; `ready` is told the addresses once clients can
/// connect.
///
/// # Errors
///
/// No port can be had, signals cannot be heard, or `ready` fails.
pub fn serve(
    world: World,
    settings: Settings,
    ready: impl FnOnce(Addresses) -> io::Result<()>,
) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let kubernetes = listen().await?;
        let aws = listen().await?;
        let ended = signals()?;
        let served = Arc::new(Served::new(world, settings));
        let driver = served.clone();
        tokio::spawn(async move { driver.run().await });
        let addresses = Addresses { kubernetes: kubernetes.local_addr()?, aws: aws.local_addr()? };
        tokio::spawn(connection::accept(kubernetes, served.clone(), Api::Kubernetes));
        tokio::spawn(connection::accept(aws, served, Api::Aws));
        ready(addresses)?;
        ended.await;
        Ok(())
    })
}

async fn listen() -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
}

/// Ends at the first SIGINT or SIGTERM.
fn signals() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (sender, mut receiver) = watch::channel(());
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let (mut heard, sender) = (signal(kind)?, sender.clone());
        tokio::spawn(async move {
            heard.recv().await;
            sender.send_replace(());
        });
    }
    Ok(async move {
        // The senders live as long as their tasks, so that this ends with a signal or not at all.
        let _ = receiver.changed().await;
        drop(sender);
    })
}

/// A Kubernetes API server in a thread of its own, whose world stands still; it ends when it is dropped.
#[derive(Debug)]
pub struct Background {
    address: SocketAddr,
    served: Arc<Served>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Background {
    /// Starts one.
    ///
    /// # Errors
    ///
    /// No port or no thread can be had.
    pub fn start(world: World) -> io::Result<Background> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(listen())?;
        let address = listener.local_addr()?;
        let served = Arc::new(Served::new(world, Settings { speed: 0, throttle: None }));
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let serving = served.clone();
        let thread = std::thread::Builder::new().name("api".into()).spawn(move || {
            runtime.block_on(async {
                tokio::spawn(connection::accept(listener, serving, Api::Kubernetes));
                let _ = stopped.await;
            });
        })?;
        Ok(Background { address, served, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Puts another world in the place of the one that is served.
    pub fn replace(&self, mut world: World) {
        world.serve();
        *self.served.lock() = world;
    }

    /// Lets time pass in the world.
    pub fn pass(&self, span: Time) {
        let mut world = self.served.lock();
        let until = world.now().saturating_add(span);
        world.advance(until, None);
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
