//! A migration that another process has begun: going on with it, or turning it round.

use crate::{
    journal::{self, Course, Event, Journal, JournalError, Status},
    live::shell::{Shell, WishFailed},
    plan::Plan,
};

/// Why a migration cannot be taken up.
#[derive(Debug, thiserror::Error)]
pub enum NotTakenUp {
    /// Nothing has been begun in this cluster.
    #[error("there is no migration to {0}")]
    NothingBegun(&'static str),
    /// It has ended, and a plan runs once.
    #[error("migration {plan_id} is {status}: there is nothing to resume")]
    Ended {
        /// Its plan's id.
        plan_id: String,
        /// How it ended, in one word.
        status: &'static str,
    },
    /// What it has to remember cannot be read.
    #[error("the journal kube-system/nodeferry-journal")]
    Unreadable(#[from] JournalError),
    /// What is asked of it could not be written down.
    #[error(transparent)]
    Wish(#[from] WishFailed),
}

impl Shell<'_> {
    /// The plan that the journal records, to be carried on by the process `boot_id`; `None` where nothing was ever begun.
    ///
    /// # Errors
    /// Where the journal cannot be read.
    pub fn recorded(&mut self, boot_id: &str) -> Result<Option<Plan>, JournalError> {
        let object = self.view().journal.clone();
        object.map(|object| journal::recorded_plan(&object, boot_id)).transpose()
    }

    /// Lets a migration go on, and says with which plan: one that is held or was given up, and one that was interrupted or
    /// whose process is gone. If that process is not gone, its lock keeps this one waiting.
    ///
    /// # Errors
    /// Where there is nothing to go on with, or nobody answers.
    pub async fn resumed(&mut self, boot_id: &str) -> Result<Plan, NotTakenUp> {
        let plan = self.recorded(boot_id)?.ok_or(NotTakenUp::NothingBegun("resume"))?;
        match self.status()? {
            Some(Status::Paused { .. } | Status::Stopped { .. }) => self.wish(&plan, Event::Resumed).await?,
            Some(ended @ (Status::Finished | Status::RolledBack)) => {
                return Err(NotTakenUp::Ended { plan_id: plan.id.to_string(), status: ended.word() });
            }
            Some(Status::Running { .. }) | None => {}
        }
        Ok(plan)
    }

    /// Turns a migration round, and says with which plan. Asked for already, and interrupted: it goes on.
    ///
    /// # Errors
    /// Where there is nothing to turn round, where it is too late for that, or nobody answers.
    pub async fn turned_round(&mut self, boot_id: &str) -> Result<Plan, NotTakenUp> {
        let plan = self.recorded(boot_id)?.ok_or(NotTakenUp::NothingBegun("roll back"))?;
        if self.status()? != Some(Status::Running { course: Course::Back }) {
            self.wish(&plan, Event::RollbackRequested).await?;
        }
        Ok(plan)
    }

    /// Where the journal says that a migration stands; `None` where nothing was ever begun.
    ///
    /// # Errors
    /// Where the journal cannot be read.
    pub fn status(&mut self) -> Result<Option<Status>, JournalError> {
        let Some(object) = self.view().journal.clone() else { return Ok(None) };
        Ok(Some(Journal::read(&object)?.status.clone()))
    }
}
