//! What every command on a real cluster begins with: a connection, a clock, and somebody who may interrupt.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use anyhow::{Result, bail};
use jiff::Timestamp;
use scenarios::shell::{
    Clock,
    connect::{self, Connected},
    shell::{Shell, Tell},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{arguments::cluster::Connection, exit::Exit};

/// A cluster that has answered.
pub(crate) struct Session {
    pub(crate) connected: Connected,
    pub(crate) clock: Clock,
    interrupt: watch::Receiver<bool>,
    // Interruptions are heard as long as it lives.
    _interrupts: watch::Sender<bool>,
}

impl Session {
    /// Begins to watch.
    pub(crate) async fn open<'a>(&self, tell: &'a mut Tell<'a>) -> Result<Shell<'a>> {
        Ok(Shell::open(&self.connected, self.clock, self.interrupt.clone(), tell).await?)
    }

    /// Asks on the terminal; an interruption is a no.
    pub(crate) async fn agreed(&self, question: &str) -> Result<bool> {
        let mut err = io::stderr();
        write!(err, "{question} Only \"yes\" is taken: ")?;
        err.flush()?;
        let answer = tokio::task::spawn_blocking(|| {
            let mut answer = String::new();
            io::stdin().read_line(&mut answer).map(|_| answer)
        });
        let mut interrupt = self.interrupt.clone();
        tokio::select! {
            biased;
            heard = interrupt.wait_for(|interrupted| *interrupted) => {
                heard?;
                Ok(false)
            }
            answer = answer => Ok(answer??.trim() == "yes"),
        }
    }

    /// The name of this process in the lock and in marks, unlike that of any other.
    pub(crate) fn holder(&self) -> String {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = host.trim();
        let host = if host.is_empty() { "nodeferry" } else { host };
        format!("{host}-{}-{:x}", std::process::id(), now().as_microsecond())
    }

    /// An id for a new plan: short enough for a client token, unlike any other.
    pub(crate) fn plan_id(&self) -> String {
        let now = now();
        let mixed = u64::from(std::process::id()) ^ now.as_nanosecond().unsigned_abs() as u64 >> 10;
        format!("{}-{:04x}", now.strftime("%Y%m%d-%H%M%S"), mixed & 0xffff)
    }
}

/// Connects and does something with the connection.
pub(crate) fn run(asked: &Connection, work: impl AsyncFnOnce(&Session) -> Result<Exit>) -> Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let exit = runtime.block_on(async {
        let connected = connect::connect(&asked.to()).await?;
        if asked.speed > 1 && !connected.simulated {
            bail!(
                "--speed {}: {} is no simulation, whose time alone goes faster",
                asked.speed,
                connected.server
            );
        }
        let (interrupts, interrupt) = watch::channel(false);
        listen(&interrupts)?;
        let session =
            Session { connected, clock: Clock::set(now(), asked.speed), interrupt, _interrupts: interrupts };
        work(&session).await
    });
    // Whatever is still being asked is of no interest any more.
    runtime.shutdown_timeout(Duration::ZERO);
    exit
}

/// The first interruption lets what is under way come to a point from which it can go on; the second does not wait.
fn listen(interrupts: &watch::Sender<bool>) -> Result<()> {
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let mut heard = signal(kind)?;
        let interrupts = interrupts.clone();
        tokio::spawn(async move {
            while heard.recv().await.is_some() {
                if interrupts.send_replace(true) {
                    // Whatever is half done is found by the next process, as after a crash.
                    std::process::exit(130);
                }
            }
        });
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the one place where a real cluster's clock is read")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}
