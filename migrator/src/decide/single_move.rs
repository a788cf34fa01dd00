//! The default strategy: every connection moves at most once, and every wait ends on evidence.
//!
//! Runs both ways: forward from the old group to the new, or back with the two swapped. The steps name the groups by
//! what they are now, leaving and arriving.

mod admit;
pub(super) mod delete;
mod exclude;
pub(super) mod freeze;
mod gate;
mod move_rest;
pub(super) mod new_group;
mod quiet;
mod release;
pub(super) mod restore;
pub(super) mod scale_back;
mod surge;
pub(super) mod taint;

use std::ops::ControlFlow;

use crate::{
    action::Step,
    journal::Journal,
    situation::{Progress, Situation},
};

/// The next step.
pub(super) fn next(s: &Situation<'_>) -> Step {
    if s.journal.done.contains(Journal::MOVED) {
        return restore::step(s);
    }
    match moved(s) {
        ControlFlow::Break(step) => step,
        ControlFlow::Continue(()) => s.journal("moved", |journal| {
            journal.done.insert(Journal::MOVED.to_owned());
        }),
    }
}

/// Everything up to the end of the group that is left. The first step that is not done decides.
fn moved(s: &Situation<'_>) -> Progress {
    if delete::is_under_way(s) {
        return delete::done(s);
    }
    freeze::done(s)?;
    new_group::done(s)?;
    surge::shed::unplaced(s)?;
    taint::done(s)?;
    surge::done(s)?;
    admit::done(s)?;
    gate::done(s)?;
    exclude::done(s)?;
    release::done(s)?;
    scale_back::done(s)?;
    move_rest::done(s)?;
    surge::shed::all_done(s)?;
    quiet::done(s)?;
    delete::done(s)
}
