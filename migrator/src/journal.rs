//! What a migration remembers outside the objects it changes: one ConfigMap, written before anything that a crash must
//! not forget, and kept at the end as a tombstone, because a plan id runs once.
//!
//! Its data are JSON texts by key, so that a person can read them and an older tombstone can be told from a newer one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    action::Write,
    marks::Changed,
    plan::Plan,
    request::Strategy,
    view::{Bounds, Content, JournalObject},
};

/// The journal as typed values.
#[derive(Debug, Clone, PartialEq)]
pub struct Journal {
    /// Whose journal it is.
    pub plan_id: String,
    /// How the workloads are moved.
    pub strategy: Strategy,
    /// Where the migration stands.
    pub status: Status,
    /// Since when conditions hold.
    pub marks: BTreeMap<String, Mark>,
    /// Steps that are done once and cannot be told from the cluster.
    pub done: BTreeSet<String>,
    /// EKS node groups as they were, by name.
    pub groups: BTreeMap<String, GroupBefore>,
    /// What somebody else changed while we had changed it, and which therefore was not put back.
    pub notes: BTreeSet<String>,
}

/// Since when a condition holds, by the clock of one machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// What it holds for.
    #[serde(default)]
    pub objects: Vec<String>,
    /// Whose clock: a mark of another boot id is void.
    pub boot_id: String,
    /// Since when.
    pub since_at: Timestamp,
}

/// A node group before we touched it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupBefore {
    /// Its bounds.
    pub bounds: Changed<Bounds>,
    /// Its Auto Scaling group and whether `AZRebalance` was suspended there, once that group is known.
    pub auto_scaling_group: Option<(String, bool)>,
}

/// Which way a migration goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Course {
    /// To the new group; can still be rolled back.
    Forward,
    /// To the new group, past the point of no return: the old one is being deleted.
    Committed,
    /// Back to the old group.
    Back,
}

/// Where a migration stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Status {
    /// Under way.
    Running {
        /// Which way.
        course: Course,
    },
    /// Held by a user.
    Paused {
        /// Which way it goes on.
        course: Course,
    },
    /// Given up; a user decides whether to resume or to roll back.
    Stopped {
        /// Which way it was going.
        course: Course,
        /// What is in the way.
        reason: String,
    },
    /// Every workload runs on the new group.
    Finished,
    /// Everything is as it was.
    RolledBack,
}

/// What can happen to a migration as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A user asks to hold.
    Paused,
    /// A user asks to go on.
    Resumed,
    /// A user asks to go back.
    RollbackRequested,
    /// The old group is about to be deleted.
    Committed,
    /// No progress, or something that only a user can decide.
    Stopped(String),
    /// Everything is where it belongs and put back.
    Completed,
}

/// An event that cannot happen in a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a migration that is {} cannot be {}", status.word(), event.word())]
pub struct Illegal {
    /// The state, unchanged.
    pub status: Status,
    /// The event.
    pub event: Event,
}

/// Why a journal could not be read.
#[derive(Debug, thiserror::Error)]
#[error("failed to read key {key:?} of the journal")]
pub struct JournalError {
    /// Key of the ConfigMap's data.
    pub key: &'static str,
    /// What the parser says; `None` where the key is missing.
    #[source]
    pub source: Option<serde_json::Error>,
}

impl Status {
    /// The state after an event.
    ///
    /// # Errors
    /// With the state and the event where the event cannot happen: nothing leaves `Finished` and `RolledBack`, and
    /// nothing leads back once the old group is being deleted.
    pub fn on(self, event: Event) -> Result<Status, Illegal> {
        use Course::{Back, Committed, Forward};
        use Status::{Finished, Paused, RolledBack, Running, Stopped};
        Ok(match (self, event) {
            (Running { course }, Event::Paused) => Paused { course },
            (Paused { course } | Stopped { course, .. }, Event::Resumed) => Running { course },
            (
                Running { course: Forward } | Paused { course: Forward } | Stopped { course: Forward, .. },
                Event::RollbackRequested,
            ) => Running { course: Back },
            (Running { course: Forward | Committed }, Event::Committed) => Running { course: Committed },
            (Running { course }, Event::Stopped(reason)) => Stopped { course, reason },
            (Running { course: Forward | Committed }, Event::Completed) => Finished,
            (Running { course: Back }, Event::Completed) => RolledBack,
            (status, event) => return Err(Illegal { status, event }),
        })
    }

    /// One word for people.
    pub fn word(&self) -> &'static str {
        match self {
            Status::Running { course: Course::Forward } => "running",
            Status::Running { course: Course::Committed } => "past the point of no return",
            Status::Running { course: Course::Back } => "rolling back",
            Status::Paused { .. } => "paused",
            Status::Stopped { .. } => "stopped",
            Status::Finished => "finished",
            Status::RolledBack => "rolled back",
        }
    }
}

impl Event {
    /// One word for people, as in "cannot be resumed".
    pub fn word(&self) -> &'static str {
        match self {
            Event::Paused => "paused",
            Event::Resumed => "resumed",
            Event::RollbackRequested => "rolled back",
            Event::Committed => "committed",
            Event::Stopped(_) => "stopped",
            Event::Completed => "completed",
        }
    }
}

/// Keys of the ConfigMap's data.
mod key {
    pub(super) const PLAN_ID: &str = "plan-id";
    pub(super) const PLAN: &str = "plan";
    pub(super) const STRATEGY: &str = "strategy";
    pub(super) const STATUS: &str = "status";
    pub(super) const MARKS: &str = "marks";
    pub(super) const DONE: &str = "done";
    pub(super) const GROUPS: &str = "groups";
    pub(super) const NOTES: &str = "notes";
}

/// The id of the plan that a journal belongs to, readable even where nothing else is.
pub fn plan_id(object: &JournalObject) -> Option<&str> {
    object.data.get(key::PLAN_ID).map(String::as_str)
}

/// The plan as it was recorded, to go on with after a crash under the clock of `boot_id`.
///
/// # Errors
/// Where the journal holds no plan, or one that this version cannot read.
pub fn recorded_plan(object: &JournalObject, boot_id: &str) -> Result<Plan, JournalError> {
    let mut plan: Plan = read(&object.data, key::PLAN)?;
    plan.boot_id = boot_id.into();
    Ok(plan)
}

/// The write that carries a user's wish (pause, resume, rollback) into the journal.
///
/// # Errors
/// Where the journal cannot be read, or the event cannot happen now.
pub fn wish(object: &JournalObject, event: Event) -> Result<Write, WishError> {
    let mut journal = Journal::read(object)?.clone();
    if event == Event::RollbackRequested && journal.done.contains(Journal::MOVED) {
        return Err(Illegal { status: journal.status, event }.into());
    }
    // Waits that failed once get their full patience again.
    journal.marks.remove(Journal::PROGRESS);
    journal.status = journal.status.on(event)?;
    Ok(journal.write(object))
}

/// The write that says that a migration cannot go on, and why; a user decides whether to resume or to roll back.
///
/// # Errors
/// Where the journal cannot be read, or the migration is not running.
pub fn stop(object: &JournalObject, reason: String) -> Result<Write, WishError> {
    wish(object, Event::Stopped(reason))
}

/// Why a user's wish was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum WishError {
    /// The journal is unreadable.
    #[error(transparent)]
    Unreadable(#[from] JournalError),
    /// It is too late or too early for it.
    #[error(transparent)]
    Illegal(#[from] Illegal),
}

impl Journal {
    /// Among `done`: every workload is where it belongs and the group left behind is gone; what remains is putting
    /// values back. From here on nothing is frozen, excluded or scaled again.
    pub const MOVED: &str = "moved";
    /// Among `marks`: the phase that waits, what it saw, and since when.
    pub const PROGRESS: &str = "progress";

    /// The journal of a migration that begins.
    pub fn begin(plan: &Plan) -> Journal {
        Journal {
            plan_id: plan.id.to_string(),
            strategy: plan.strategy,
            status: Status::Running { course: Course::Forward },
            marks: BTreeMap::new(),
            done: BTreeSet::new(),
            groups: BTreeMap::new(),
            notes: BTreeSet::new(),
        }
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// Names the key that is missing or unreadable.
    pub fn read(object: &JournalObject) -> Result<&Journal, JournalError> {
        match object.data.content() {
            Some(journal) => Ok(journal),
            None => Err(Journal::parse(&object.data).expect_err("it has no content")),
        }
    }

    fn parse(data: &BTreeMap<String, String>) -> Result<Journal, JournalError> {
        Ok(Journal {
            plan_id: data
                .get(key::PLAN_ID)
                .ok_or(JournalError { key: key::PLAN_ID, source: None })?
                .to_owned(),
            strategy: read(data, key::STRATEGY)?,
            status: read(data, key::STATUS)?,
            marks: read(data, key::MARKS)?,
            done: read(data, key::DONE)?,
            groups: read(data, key::GROUPS)?,
            notes: read(data, key::NOTES)?,
        })
    }

    /// The first write of a plan: it also records the plan itself. Replaces the tombstone of an earlier one.
    pub fn first_write(&self, plan: &Plan, tombstone: Option<&JournalObject>) -> Write {
        let mut data = self.data();
        data.insert(key::PLAN.to_owned(), json(plan));
        Write::Journal { data, resource_version: tombstone.map(|object| object.meta.resource_version) }
    }

    /// The write that replaces `object` by this journal.
    pub fn write(&self, object: &JournalObject) -> Write {
        let mut data = self.data();
        if let Some(plan) = object.data.get(key::PLAN) {
            data.insert(key::PLAN.to_owned(), plan.clone());
        }
        Write::Journal { data, resource_version: Some(object.meta.resource_version) }
    }

    fn data(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            (key::PLAN_ID.to_owned(), self.plan_id.clone()),
            (key::STRATEGY.to_owned(), json(&self.strategy)),
            (key::STATUS.to_owned(), json(&self.status)),
            (key::MARKS.to_owned(), json(&self.marks)),
            (key::DONE.to_owned(), json(&self.done)),
            (key::GROUPS.to_owned(), json(&self.groups)),
            (key::NOTES.to_owned(), json(&self.notes)),
        ])
    }
}

impl Content for Journal {
    fn read(data: &BTreeMap<String, String>) -> Option<Journal> {
        Journal::parse(data).ok()
    }
}

fn read<T: for<'de> Deserialize<'de>>(
    data: &BTreeMap<String, String>,
    key: &'static str,
) -> Result<T, JournalError> {
    let text = data.get(key).ok_or(JournalError { key, source: None })?;
    serde_json::from_str(text).map_err(|source| JournalError { key, source: Some(source) })
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plans and journals are plain values")
}

#[cfg(test)]
mod tests;
