//! The way back: the steps of the single move with the groups swapped and without creation.
//!
//! It serves every strategy, because all of them leave the same marks. The old nodes lose the taint and are admitted
//! again, the new ones are excluded, released and emptied; what was created is deleted; every value is put back.

use crate::{action::Step, situation::Situation};

use super::single_move;

/// The next step back.
pub(super) fn next(s: &Situation<'_>) -> Step {
    single_move::next(s)
}
