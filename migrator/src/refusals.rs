//! When to give up on a write that an API server refuses for good: a request that it calls invalid, a pod that two budgets
//! select. What is only busy, conflicting or gone is decided again and not counted here.

use crate::action::Write;

/// How often the same write is tried. With a wait that doubles from 1 s to 30 s the eighth try comes after a minute and a
/// half: long enough for a user who is mending what is in the way, short enough to be told while looking on.
const TRIES: u32 = 8;

/// The write that was refused last, and how often in a row.
#[derive(Debug, Clone, Default)]
pub struct Refusals {
    last: Option<(Write, u32)>,
}

impl Refusals {
    /// An API server refused a write of this phase, saying why. The reason to stop, when it has been tried often enough.
    pub fn on_refused(&mut self, phase: &str, write: &Write, why: &str) -> Option<String> {
        // EKS is at work on another update of that group, which ends.
        if why.starts_with("ResourceInUseException") {
            return None;
        }
        let before = self.last.take().filter(|(last, _)| last == write).map_or(0, |(_, tries)| tries);
        let tries = before + 1;
        self.last = Some((write.clone(), tries));
        (tries >= TRIES).then(|| format!("{phase}: refused {tries} times: {why}"))
    }

    /// A write took effect: what was refused before may be taken now. The lock is renewed all the time and changes nothing.
    pub fn on_accepted(&mut self, write: &Write) {
        if !matches!(write, Write::Lease { .. }) {
            self.last = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_write_is_given_up_after_eight_refusals_in_a_row() {
        let write = |group: &str| Write::DeleteNodeGroup { group: group.into() };
        let mut refusals = Refusals::default();
        for _ in 0..7 {
            assert_eq!(refusals.on_refused("delete", &write("blue"), "no role"), None);
        }
        // Another write, or one that took effect, begins a new count.
        assert_eq!(refusals.on_refused("delete", &write("green"), "no role"), None);
        refusals.on_accepted(&write("blue"));
        for _ in 0..7 {
            assert_eq!(refusals.on_refused("delete", &write("blue"), "no role"), None);
        }
        let reason = refusals.on_refused("delete", &write("blue"), "no role");
        assert_eq!(reason.as_deref(), Some("delete: refused 8 times: no role"));
    }
}
