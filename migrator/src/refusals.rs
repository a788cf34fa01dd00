//! When to give up on a write that an API server refuses for good: a request that it calls invalid, a pod that two budgets
//! select. What is only busy, conflicting or gone is decided again and not counted here.

use crate::action::Write;

/// How often the same write is tried. With a wait that doubles from 1 s to 30 s the eighth try comes after a minute and a
/// half: long enough for a user who is mending what is in the way, short enough to be told while looking on.
const TRIES: u32 = 8;

/// The writes that were refused since something took effect, and how often.
#[derive(Debug, Clone, Default)]
pub struct Refusals {
    writes: Vec<(Write, u32)>,
}

impl Refusals {
    /// An API server refused a write of this phase, saying why. The reason to stop, when it has been tried often enough.
    pub fn on_refused(&mut self, phase: &str, write: &Write, why: &str) -> Option<String> {
        // EKS is at work on another update of that group, which ends.
        if why.starts_with("ResourceInUseException") {
            return None;
        }
        let asked = without_version(write);
        let at = self.writes.iter().position(|(refused, _)| *refused == asked).unwrap_or_else(|| {
            self.writes.push((asked, 0));
            self.writes.len() - 1
        });
        let tries = &mut self.writes[at].1;
        *tries += 1;
        (*tries >= TRIES).then(|| format!("{phase}: refused {tries} times: {why}"))
    }

    /// A write took effect: what was refused before may be taken now. The lock is renewed all the time and changes nothing.
    pub fn on_accepted(&mut self, write: &Write) {
        if !matches!(write, Write::Lease { .. }) {
            self.writes.clear();
        }
    }
}

/// The same request of an object that somebody else has touched meanwhile is the same request.
fn without_version(write: &Write) -> Write {
    let mut write = write.clone();
    match &mut write {
        Write::Patch(patch) => patch.resource_version = None,
        Write::Journal { resource_version, .. } | Write::Lease { resource_version, .. } => {
            *resource_version = None;
        }
        _ => {}
    }
    write
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_given_up_after_eight_refusals_between_which_nothing_took_effect() {
        let write = |group: &str| Write::DeleteNodeGroup { group: group.into() };
        let mut refusals = Refusals::default();
        for _ in 0..7 {
            assert_eq!(refusals.on_refused("delete", &write("blue"), "no role"), None);
            // Two that are refused by turns are both given up.
            assert_eq!(refusals.on_refused("delete", &write("green"), "no role"), None);
        }
        refusals.on_accepted(&write("red"));
        for _ in 0..7 {
            assert_eq!(refusals.on_refused("delete", &write("blue"), "no role"), None);
        }
        let reason = refusals.on_refused("delete", &write("blue"), "no role");
        assert_eq!(reason.as_deref(), Some("delete: refused 8 times: no role"));
    }
}
