//! `nodeferry pause` and `unlock`: what a user wants of a migration that another process carries out.

use std::io::{self, IsTerminal as _};

use anyhow::{Context as _, Result, bail};
use scenarios::journal::Event;

use crate::{
    arguments::{
        Color,
        cluster::{Pause, Unlock},
    },
    exit::Exit,
    output::print,
    progress::Progress,
    session,
};

/// Runs `pause`.
pub(crate) fn pause(asked: &Pause, color: Color) -> Result<Exit> {
    session::run(&asked.connection, async |session| {
        let mut progress = Progress::new(color, None)?;
        let mut tell = progress.tell();
        let mut shell = session.open(&mut *tell).await?;
        let plan = shell.recorded(&session.holder())?.context("there is no migration to hold")?;
        shell.wish(&plan, Event::Paused).await?;
        print(&format!("Held: migration {}; go on with `nodeferry resume`\n", plan.id), color)?;
        Ok(Exit::Held)
    })
}

/// Runs `unlock`.
pub(crate) fn unlock(asked: &Unlock, color: Color) -> Result<Exit> {
    if !asked.yes && !io::stdin().is_terminal() {
        bail!("nobody can be asked here: pass --yes");
    }
    session::run(&asked.connection, async |session| {
        let mut progress = Progress::new(color, None)?;
        let mut tell = progress.tell();
        let mut shell = session.open(&mut *tell).await?;
        let holder = shell.view().lease.as_ref().map(|lease| lease.holder.clone());
        let Some(holder) = holder.filter(|holder| !holder.is_empty()) else {
            print("Nobody holds the lock\n", color)?;
            return Ok(Exit::Held);
        };
        let mut plan = shell.recorded(&session.holder())?.context("there is a lock, but no journal")?;
        let question = format!("{holder} holds the lock of migration {}. Take it away?", plan.id);
        if !asked.yes && !session.agreed(&question).await? {
            return Ok(Exit::Paused);
        }
        // In the holder's name: only what it holds is given back, not what somebody else has taken meanwhile.
        plan.boot_id = holder.clone();
        if !shell.give_lock_back(&plan).await {
            bail!("the lock was not taken away: {holder} has renewed it, or the write was refused");
        }
        print(&format!("Unlocked: {holder} held it\n"), color)?;
        Ok(Exit::Held)
    })
}
