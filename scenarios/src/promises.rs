//! The promises, each with its own checker over what the world wrote down. A checker says what it saw; whose fault it
//! was follows from the causal chain: a promise is broken only where that chain reaches a request of ours.

mod left_behind;

use std::collections::{BTreeMap, BTreeSet};

use loadgen::outcome::Verdict as EndVerdict;
use migrator::{action::Outcome as MigrationOutcome, marks};
use simulator::world::{Outcome, OutcomeEvent, Time, World, ids::EntryId};

use crate::drive::{Driven, MIGRATOR};

pub use left_behind::nothing_left_behind;

/// A promise and whether it held.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Promise {
    /// Stable name.
    pub name: &'static str,
    /// It held.
    pub held: bool,
    /// What was seen.
    pub detail: String,
}

/// All promises, in the order of reports.
pub const NAMES: [&str; 7] = [
    "no_connection_dropped",
    "capacity_kept",
    "budgets_respected",
    "deleted_only_quiet",
    "nothing_left_behind",
    "others_respected",
    "finishes",
];

fn promise(name: &'static str, broken: Option<String>, held: impl FnOnce() -> String) -> Promise {
    match broken {
        Some(detail) => Promise { name, held: false, detail },
        None => Promise { name, held: true, detail: held() },
    }
}

/// A session's connection that ended as a drop.
#[derive(Debug, Clone)]
pub struct Drop {
    /// When, in milliseconds since the start of the run.
    pub at: Time,
    /// Index of the traffic.
    pub offered: u32,
    /// Client and ordinal of the session.
    pub session: (u32, u32),
    /// Stable name of the cause.
    pub cause: &'static str,
    /// The entry that ended it.
    pub entry: EntryId,
    /// The session was within its contract.
    pub within: bool,
    /// The causal chain reaches a request of the migrator.
    pub ours: bool,
}

/// Whether an entry goes back to a request of the migrator.
pub fn is_ours(world: &World, entry: EntryId) -> bool {
    world.request_behind(entry).is_some_and(|request| world.request(request).0 == MIGRATOR)
}

/// Drops among outcomes.
pub fn drops<'a>(world: &'a World, outcomes: &'a [Outcome]) -> impl Iterator<Item = Drop> + 'a {
    outcomes.iter().filter_map(|outcome| {
        let OutcomeEvent::Ended { cause, entry, .. } = outcome.event else { return None };
        if cause.verdict() != EndVerdict::Drop {
            return None;
        }
        Some(Drop {
            at: outcome.at,
            offered: outcome.offered,
            session: outcome.session,
            cause: cause.id(),
            entry,
            within: outcome.within,
            ours: is_ours(world, entry),
        })
    })
}

/// Sessions within their contract end as their clients wish, or the cause is not ours.
pub fn no_connection_dropped(drops: &[Drop], opened: u64) -> Promise {
    // A session that is lost, comes back and is lost again is one session.
    let sessions = |ours: bool| {
        let lost = drops.iter().filter(|drop| drop.within && drop.ours == ours);
        lost.map(|drop| (drop.offered, drop.session)).collect::<BTreeSet<_>>().len()
    };
    let (broken, others) = (sessions(true), sessions(false));
    promise(
        NAMES[0],
        (broken > 0).then(|| {
            format!("{broken} sessions lost their connection or got none through us; {opened} were opened")
        }),
        || match others {
            0 => format!("{opened} connections, none lost"),
            _ => format!(
                "{opened} were opened; {others} sessions lost their connection or got none through others"
            ),
        },
    )
}

/// The endpoints that the path reaches never fall below the floor through us, nor below what there would be without a
/// migration, where that is less: what others scaled down is theirs.
pub fn capacity_kept(world: &World, twin: &World, floors: &BTreeMap<u32, u32>) -> Promise {
    let low = world
        .capacity_changes()
        .iter()
        .filter(|change| change.reached < change.before)
        .filter(|change| floors.get(&change.service.0).is_some_and(|&floor| change.reached < floor))
        .filter(|change| change.reached < twin.endpoints_at(change.service, change.at))
        .find(|change| is_ours(world, change.entry));
    promise(
        NAMES[1],
        low.map(|low| {
            let service = &world.services().last(low.service).meta;
            format!(
                "{}/{} had {} reachable endpoints of at least {} at {}",
                service.namespace,
                service.name,
                low.reached,
                floors[&low.service.0],
                simulator::world::clock(low.at)
            )
        }),
        || format!("{} Services kept their endpoints", floors.len()),
    )
}

/// No removal of ours leaves fewer healthy pods than a budget wants at the original scale.
pub fn budgets_respected(world: &World) -> Promise {
    let breach = world.budget_breaches().iter().find(|breach| is_ours(world, breach.entry));
    promise(
        NAMES[2],
        breach.map(|breach| {
            let budget = &world.budgets().last(breach.budget).meta;
            format!(
                "budget {}/{} wants {} healthy pods; the removal of {} left {} at {}",
                budget.namespace,
                budget.name,
                breach.desired,
                world.pods().last(breach.pod).meta.name,
                breach.healthy,
                simulator::world::clock(breach.at)
            )
        }),
        || format!("{} budgets", world.budgets().len()),
    )
}

/// The group is deleted only when nothing is left on it.
pub fn deleted_only_quiet(world: &World) -> Promise {
    let deletion = world
        .group_deletions()
        .iter()
        .filter(|deletion| is_ours(world, deletion.entry))
        .find(|deletion| deletion.pods + deletion.targets + deletion.flows > 0);
    promise(
        NAMES[3],
        deletion.map(|deletion| {
            format!(
                "{} was deleted with {} workload pods, {} targets in service and {} established flows on it",
                world.groups()[deletion.group.index()].name,
                deletion.pods,
                deletion.targets,
                deletion.flows
            )
        }),
        || match world.group_deletions().len() {
            0 => "no group was deleted".into(),
            _ => "the group was empty and quiet".into(),
        },
    )
}

/// Nobody else's change is overwritten.
pub fn others_respected(world: &World) -> Promise {
    // The mark is nobody else's: who takes it away, with all that a manifest does not say, has it written again.
    let mark = format!("annotation {}", marks::ANNOTATION);
    let overwrites = world.overwrites().iter();
    let overwritten =
        overwrites.filter(|overwrite| overwrite.client == MIGRATOR).find(|overwrite| overwrite.field != mark);
    promise(
        NAMES[5],
        overwritten.map(|overwrite| {
            format!(
                "{} of {} was set by {} at {}; we overwrote it at {}",
                overwrite.field,
                overwrite.object,
                overwrite.other,
                simulator::world::clock(overwrite.theirs_at),
                simulator::world::clock(overwrite.at)
            )
        }),
        || "no change of somebody else was overwritten".into(),
    )
}

/// The migration ends, in time, and as it should.
pub fn finishes(driven: &Driven, budget: Time) -> Promise {
    let broken = match &driven.outcome {
        None => Some(match &driven.last_wait {
            Some(wait) => format!(
                "not ended after {}: {} waits for {}: {}, wanted {}",
                simulator::world::clock(budget),
                wait.phase,
                wait.what,
                wait.seen,
                wait.wanted
            ),
            None => format!("not ended after {}", simulator::world::clock(budget)),
        }),
        // Nobody else than its user turns a migration round.
        Some(MigrationOutcome::Migrated | MigrationOutcome::RolledBack) => None,
        Some(other) => Some(format!("ended otherwise than migrated: {other:?}")),
    };
    let word = if driven.outcome == Some(MigrationOutcome::RolledBack) { "rolled back" } else { "migrated" };
    promise(NAMES[6], broken, || format!("{word} in {}", simulator::world::clock(driven.ended_at)))
}
