//! What a run was, in figures and short words: its steps, its drops by cause, the pods that it removed. How that is
//! printed is left to whoever prints it.

use std::{collections::BTreeMap, mem, sync::Arc};

use serde::Serialize;
use simulator::world::{Subject, Time, What, World, ids::EntryId};

use crate::{
    drive::Stretch,
    promises::{Drop, is_ours},
};

/// A wait shorter than this is not told beside a longer one of the same step: controllers at their work, nothing that
/// anybody would change.
const WAIT_TOLD: Time = 5_000;

/// How many steps back a step may be taken up again and still count as the same. Steps of one stage alternate
/// (a node appears, is excluded, the next appears) and read better as one line each.
const REACH: usize = 3;

/// A step of a migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepTaken {
    /// Its stable name.
    pub step: &'static str,
    /// When it began, in milliseconds since the start of the run.
    pub from_at: Time,
    /// When it was over.
    pub until_at: Time,
    /// Requests made.
    pub requests: u32,
    /// What it waited for, in order; at least the longest wait.
    pub waits: Vec<Waited>,
}

/// A wait of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waited {
    /// For what.
    pub what: String,
    /// What was seen last.
    pub seen: String,
    /// What was wanted.
    pub wanted: String,
    /// How long, in milliseconds.
    pub lasted: Time,
}

/// The steps of a run. Renewals of the lock between them are left out.
pub fn steps(stretches: &[Stretch]) -> Vec<StepTaken> {
    let mut steps: Vec<StepTaken> = Vec::new();
    let last = stretches.len().saturating_sub(1);
    for (index, stretch) in stretches.iter().enumerate() {
        let renewal = stretch.phase == "lock" && index != 0 && index != last;
        if renewal {
            continue;
        }
        let from = steps.len().saturating_sub(REACH);
        let step = match steps[from..].iter().rposition(|step| step.step == stretch.phase) {
            Some(back) => &mut steps[from + back],
            None => {
                steps.push(StepTaken {
                    step: stretch.phase,
                    from_at: stretch.from_at,
                    until_at: stretch.until_at,
                    requests: 0,
                    waits: Vec::new(),
                });
                steps.last_mut().expect("one was just pushed")
            }
        };
        step.until_at = stretch.until_at;
        step.requests += stretch.requests;
        let Some(reason) = &stretch.waited_for else { continue };
        let lasted = stretch.until_at - stretch.from_at;
        match step.waits.iter_mut().find(|wait| wait.what == reason.what) {
            Some(wait) => {
                wait.lasted += lasted;
                wait.seen.clone_from(&reason.seen);
                wait.wanted.clone_from(&reason.wanted);
            }
            None => step.waits.push(Waited {
                what: reason.what.clone(),
                seen: reason.seen.clone(),
                wanted: reason.wanted.clone(),
                lasted,
            }),
        }
    }
    for step in &mut steps {
        let longest = step.waits.iter().map(|wait| wait.lasted).max().unwrap_or_default();
        step.waits.retain(|wait| wait.lasted >= WAIT_TOLD.min(longest));
    }
    steps
}

/// Drops that came about in the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DropsAlike {
    /// Stable name of what the client saw.
    pub cause: &'static str,
    /// How many.
    pub count: usize,
    /// How many of them within their contract.
    pub within_contract: usize,
    /// The causal chain reaches a request of the migrator.
    pub ours: bool,
    /// The first and the last of them, in milliseconds since the start of the run.
    pub first_at: Time,
    /// See [`Self::first_at`].
    pub last_at: Time,
    /// The causal chain of the first, from what ended the connection back to its root.
    pub chain: Vec<String>,
}

/// Drops, grouped by what the client saw and how it came about; the largest group first.
///
/// `apart` keeps drops that ended with different objects apart, as one pod and another.
pub fn drops_alike(world: &World, drops: &[Drop], apart: bool) -> Vec<DropsAlike> {
    let mut kinds: Vec<Vec<mem::Discriminant<What>>> = Vec::new();
    let mut kind_of: BTreeMap<EntryId, usize> = BTreeMap::new();
    let mut groups: BTreeMap<(&'static str, bool, usize, Option<EntryId>), DropsAlike> = BTreeMap::new();
    for drop in drops {
        let kind = *kind_of.entry(drop.entry).or_insert_with(|| {
            let mut way: Vec<_> =
                world.chain(drop.entry).map(|(_, entry)| mem::discriminant(&entry.what)).collect();
            way.dedup();
            kinds.iter().position(|known| *known == way).unwrap_or_else(|| {
                kinds.push(way);
                kinds.len() - 1
            })
        });
        let key = (drop.cause, drop.ours, kind, apart.then_some(drop.entry));
        let group = groups.entry(key).or_insert_with(|| DropsAlike {
            cause: drop.cause,
            count: 0,
            within_contract: 0,
            ours: drop.ours,
            first_at: drop.at,
            last_at: drop.at,
            chain: world.explain(drop.entry),
        });
        group.count += 1;
        group.within_contract += usize::from(drop.within);
        group.last_at = group.last_at.max(drop.at);
    }
    let mut groups: Vec<DropsAlike> = groups.into_values().collect();
    groups.sort_by_key(|group| (std::cmp::Reverse(group.count), group.first_at));
    groups
}

/// Pods that a step of ours removed, by the node group that they ran on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PodsRemoved {
    /// Stable name of the step that asked for what removed them.
    pub step: &'static str,
    /// How many pods, by node group; `-` where a pod had no node of a group.
    pub by_group: BTreeMap<Arc<str>, u32>,
    /// How many of them were killed before they had ended by themselves.
    pub killed: u32,
}

/// The pods that our requests removed, in the order in which the steps began to.
pub fn pods_removed(world: &World) -> Vec<PodsRemoved> {
    let mut removed: Vec<PodsRemoved> = Vec::new();
    let mut seen = std::collections::BTreeMap::new();
    for (index, entry) in world.entries().iter().enumerate() {
        let Subject::Pod(pod) = entry.subject else { continue };
        match entry.what {
            What::DeletionRequested { .. } | What::Evicted | What::Killed => {}
            _ => continue,
        }
        let at = EntryId::from(index);
        if !is_ours(world, at) {
            continue;
        }
        if entry.what == What::Killed {
            if let Some(&step) = seen.get(&pod) {
                let step: &mut PodsRemoved = &mut removed[step];
                step.killed += 1;
            }
            continue;
        }
        if seen.contains_key(&pod) {
            continue;
        }
        let request = world.request_behind(at).expect("what is ours goes back to a request");
        let (_, phase, _) = world.request(request);
        let group = world
            .pods()
            .last(pod)
            .node
            .and_then(|node| world.nodes().last(node).node_group.clone())
            .unwrap_or_else(|| "-".into());
        let step = removed.iter().position(|step| step.step == phase).unwrap_or_else(|| {
            removed.push(PodsRemoved { step: phase, by_group: BTreeMap::new(), killed: 0 });
            removed.len() - 1
        });
        *removed[step].by_group.entry(group).or_default() += 1;
        seen.insert(pod, step);
    }
    removed
}

#[cfg(test)]
mod tests;
