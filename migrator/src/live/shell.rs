//! The loop: what the cluster shows becomes a decision, a decision becomes requests or a wait.
//!
//! Whatever is shown to people or written down comes out through [`Tell`]. The loop ends with the migration, with its step
//! that a user wanted to stop after, with an interruption, or when nobody answers any more; in each case the journal and the
//! marks in the cluster say how to go on.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use kube::Client;
use tokio::sync::watch;

use super::{
    audit,
    aws::{Aws, Look},
    clock::Clock,
    connect::{Connected, silence},
    errors::{self, Failed, Unreachable},
    events, fresh,
    kubernetes::{self, Found},
    survey,
    watches::Watches,
};
use crate::{
    action::{Action, Answer, Outcome, Poll, Wait, Write},
    driver::{Driver, Turn},
    journal::{self, Event},
    kernel,
    plan::Plan,
    request::Strategy,
    view::{ClusterView, JournalObject},
};

/// After something was seen, how long the rest of what came with it is awaited before the next decision: one change of a
/// Deployment is one decision and not twenty, and every wait of a plan is long against it.
const SETTLES: Duration = Duration::from_millis(250);

/// Most requests at a time: a few hundred pods are annotated within seconds, and an API server's share for one client is
/// not used up. Source: API priority and fairness, `workload-low`, about 245 seats of 600 for everybody.
pub(super) const AT_A_TIME: usize = 16;

/// How long the watches may take to show what was written before they are begun anew.
const SHOWN_WITHIN: Duration = Duration::from_secs(60);

/// How long to wait before something is asked again that was not answered; it doubles up to the second.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// How long nothing is seen before the server is asked whether it is there: in a cluster with a few nodes, some Lease or
/// status changes more often, and nobody looks on for shorter than that.
const ASKED_WHEN_SILENT: Duration = Duration::from_secs(60);

/// How the complaint about a silent server begins.
const UNANSWERED: &str = "the API server does not answer";

/// How often a wish is written once more because the journal was rewritten in the same moment.
const WISH_CONFLICTS: u32 = 10;

/// Why a user's wish is not in the journal.
#[derive(Debug, thiserror::Error)]
pub enum WishFailed {
    /// It cannot happen now.
    #[error("{0}")]
    Impossible(String),
    /// Nobody answered, or the write was refused.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
}

/// What there is to tell.
#[derive(Debug)]
pub enum Told<'a> {
    /// A write was sent and answered.
    Sent {
        /// Whose.
        plan: &'a Plan,
        /// The view on which it was decided.
        cluster: &'a ClusterView,
        /// The write.
        action: &'a Action,
        /// What was answered.
        answer: &'a Answer,
        /// In the server's words, where it was not done.
        why: Option<&'a str>,
    },
    /// What is about to be decided is decided on this view.
    Looked(&'a ClusterView),
    /// Nothing is to be done until something is seen.
    Waiting(&'a Wait),
    /// Something that should work does not, for now.
    Trouble(&'a str),
    /// The safety kernel let an action not pass.
    Refused(&'a str),
}

/// Who is told, and when it was.
pub type Tell<'a> = dyn FnMut(Told<'_>, Timestamp) + 'a;

/// How the loop ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The migration has ended.
    Finished(Outcome),
    /// A user interrupted it; the lock is given back and the journal says that it runs.
    Interrupted,
    /// It has reached the step before which a user wanted it held; the journal says so.
    Held {
        /// The step that would come next.
        before: &'static str,
    },
}

/// A cluster with its account, watched.
pub struct Shell<'a> {
    /// Kubernetes.
    pub kubernetes: Client,
    /// AWS.
    pub aws: Aws,
    /// What Kubernetes shows, and with it the view.
    pub watches: Watches,
    /// The time.
    pub clock: Clock,
    /// How long a request may take, by the runtime's clock.
    pub request_timeout: Duration,
    /// How long both sides may be silent before the loop gives up.
    pub patience: Duration,
    interrupt: watch::Receiver<bool>,
    tell: &'a mut Tell<'a>,
    told_trouble: BTreeSet<String>,
    /// Since when what is decided is refused on fresh reads.
    late_since_at: Option<Timestamp>,
    events: u64,
    event_phase: &'static str,
}

impl std::fmt::Debug for Shell<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shell").field("watches", &self.watches).finish_non_exhaustive()
    }
}

impl<'a> Shell<'a> {
    /// Begins to watch, and returns when everything has been listed and AWS has answered once. When `interrupt` becomes
    /// true, the loop ends at the next point at which nothing is half done.
    ///
    /// # Errors
    /// Where one of the sides does not answer within the patience of a request.
    pub async fn open(
        connected: &Connected,
        clock: Clock,
        interrupt: watch::Receiver<bool>,
        tell: &'a mut Tell<'a>,
    ) -> Result<Shell<'a>, Unreachable> {
        let mut shell = Shell {
            kubernetes: connected.kubernetes.clone(),
            aws: connected.aws.clone(),
            watches: Watches::begin(&connected.kubernetes),
            clock,
            request_timeout: connected.request_timeout,
            patience: Duration::from_secs(1_800),
            interrupt,
            tell,
            told_trouble: BTreeSet::new(),
            late_since_at: None,
            events: 0,
            event_phase: "",
        };
        shell.listed(&connected.server).await?;
        let asked = survey::other_kinds(&shell.kubernetes);
        let kinds = within(shell.request_timeout, asked).await;
        shell.watches.view.other_kinds = kinds.map_err(|failed| failed.unreachable(&connected.server))?;
        let polled = shell.aws.poll(&shell.watches.view, &shell.clock, Look::All).await;
        shell.watches.view.aws = Arc::new(polled.map_err(|failed| failed.unreachable("AWS"))?);
        Ok(shell)
    }

    /// Reads what only findings look at, before they are looked for. Who may not read it is told, and is none the worse off
    /// otherwise.
    pub async fn survey(&mut self) {
        let (timeout, client) = (self.request_timeout, self.kubernetes.clone());
        match within(timeout, survey::vertical_pod_autoscalers(&client)).await {
            Ok(found) => self.watches.view.vertical_pod_autoscalers = found,
            Err(failed) => self.trouble(format!("VerticalPodAutoscalers cannot be listed: {}", failed.why)),
        }
        match within(timeout, survey::mapped_roles(&client)).await {
            Ok(found) => self.watches.view.mapped_roles = found.map(Arc::from),
            Err(failed) => self.trouble(format!("ConfigMap aws-auth cannot be read: {}", failed.why)),
        }
    }

    /// Waits until everything has been listed once.
    async fn listed(&mut self, server: &str) -> Result<(), Unreachable> {
        // Fourteen lists of a large cluster take longer than one request.
        let deadline = tokio::time::Instant::now() + self.request_timeout * 2;
        while !self.watches.is_complete() {
            let clock = self.clock;
            tokio::select! {
                biased;
                () = self.watches.next(move || clock.now()) => {}
                () = tokio::time::sleep_until(deadline) => {
                    let why = self.watches.trouble.values().next().cloned();
                    let why = why.unwrap_or_else(|| silence(self.request_timeout * 2));
                    return Err(Unreachable { what: server.to_owned(), why });
                }
            }
        }
        Ok(())
    }

    /// What is seen now.
    pub fn view(&mut self) -> &ClusterView {
        let now = self.clock.now();
        self.watches.drain(now);
        &self.watches.view
    }

    /// Waits until something changes, or until somebody interrupts: then it says no. Where watches fail, or nothing is
    /// seen and the server does not answer either, that is told.
    pub async fn changed(&mut self) -> bool {
        let clock = self.clock;
        let again = self.later(ASKED_WHEN_SILENT);
        tokio::select! {
            biased;
            () = interrupted(self.interrupt.clone()) => return false,
            () = self.watches.next(move || clock.now()) => {}
            () = clock.sleep_until(again) => self.asked_whether_there().await,
        }
        self.settle(self.later(SETTLES)).await;
        self.tell_watches();
        true
    }

    /// A cluster in which nothing happens and one that is gone look alike to a watch.
    async fn asked_whether_there(&mut self) {
        let client = self.kubernetes.clone();
        let asked = async { client.apiserver_version().await.map_err(|error| errors::kubernetes(&error)) };
        match within(self.request_timeout, asked).await {
            Ok(_) => self.told_trouble.retain(|told| !told.starts_with(UNANSWERED)),
            Err(failed) => self.trouble(format!("{UNANSWERED}: {}", failed.why)),
        }
    }

    /// Carries a plan out. `held_before` are the steps before which it is to be held.
    ///
    /// # Errors
    /// Where one of the sides has been silent for longer than its patience. Nothing is half done that running again would
    /// not find.
    pub async fn drive(&mut self, plan: &Plan, held_before: &[&'static str]) -> Result<Ended, Unreachable> {
        let mut driver = Driver::default();
        let mut refusals = 0;
        loop {
            let now = self.clock.now();
            self.watches.drain(now);
            if *self.interrupt.borrow() {
                self.give_lock_back(plan).await;
                return Ok(Ended::Interrupted);
            }
            (self.tell)(Told::Looked(&self.watches.view), now);
            let turn = driver.turn(plan, &self.watches.view, self.clock.now());
            for refusal in driver.refusals.iter().skip(refusals) {
                (self.tell)(Told::Refused(refusal), self.clock.now());
            }
            refusals = driver.refusals.len();
            let phase = match &turn {
                Turn::Send(actions) => actions.first().map(|action| action.phase),
                Turn::Wait(wait) => Some(wait.for_what.phase),
                Turn::Finished(_) => None,
            };
            if let Some(before) = held_before.iter().find(|step| Some(**step) == phase) {
                let wished = self.wish(plan, Event::Paused).await;
                if let Err(WishFailed::Impossible(_)) = wished {
                    // Somebody turned it round or held it in this moment: decided again.
                    continue;
                }
                self.give_lock_back(plan).await;
                if let Err(WishFailed::Unreachable(failed)) = wished {
                    return Err(failed);
                }
                return Ok(Ended::Held { before });
            }
            match turn {
                Turn::Send(actions) => self.act(plan, actions, &mut driver).await?,
                Turn::Wait(wait) => self.wait(&wait).await?,
                Turn::Finished(outcome) => {
                    let told = match &outcome {
                        Outcome::Migrated => ("Migrated", "every workload runs on the new group".to_owned()),
                        Outcome::RolledBack => ("RolledBack", "everything is as it was".to_owned()),
                        Outcome::Stopped(reason) => ("Stopped", reason.clone()),
                    };
                    // Whoever finds it ended has nothing to add.
                    if !self.event_phase.is_empty() {
                        self.note_event(plan, told.0, &told.1).await;
                    }
                    return Ok(Ended::Finished(outcome));
                }
            }
        }
    }

    /// Sends what was decided and returns when the view shows what became of it.
    async fn act(
        &mut self,
        plan: &Plan,
        actions: Vec<Action>,
        driver: &mut Driver,
    ) -> Result<(), Unreachable> {
        let decided = actions.len();
        let actions = self.judged_afresh(plan, actions).await;
        if actions.is_empty() && decided > 0 {
            // The watches show what was read in a moment, and then it is decided again.
            self.sleep(AGAIN.0).await;
            return Ok(());
        }
        let about_lock = |action: &Action| matches!(action.write, Write::Lease { .. });
        if !actions.iter().all(about_lock) && !self.holds_lock(plan).await {
            // The watch shows it in a moment, and then it is waited for.
            self.sleep(AGAIN.0).await;
            return Ok(());
        }
        let sent = self.send_all(plan, &actions).await;
        let answers: Vec<Answer> = sent.iter().map(answer).collect();
        let after = driver.on_answers(&self.watches.view, actions.iter().zip(answers.iter().map(Some)));
        if let Some(phase) = actions.iter().map(|action| action.phase).find(|phase| *phase != "lock")
            && after.progress
            && phase != self.event_phase
        {
            self.event_phase = phase;
            self.note_event(plan, "Step", phase).await;
        }
        let mut expected = Vec::new();
        for (action, answer) in actions.into_iter().zip(answers) {
            match answer {
                Answer::Done(version) => expected.push((action.write, version.unwrap_or(0))),
                Answer::Unknown if !action.write.is_for_aws() => {
                    expected.extend(self.found(action.write).await?);
                }
                _ => {}
            }
        }
        if let Some(reason) = after.give_up {
            let mut recorded = false;
            if let Some(write) = after.stop {
                let sent = self.send(plan, Action { phase: "stop", write: write.clone() }).await;
                recorded = !matches!(&sent, Err(Failed { answer: Answer::Refused(_), .. }));
                expected.extend(sent.ok().map(|version| (write, version.unwrap_or(0))));
            }
            if !recorded {
                // Neither can it go on nor can it say so where the next process would look.
                self.give_lock_back(plan).await;
                return Err(Unreachable { what: "the migration cannot go on".to_owned(), why: reason });
            }
        }
        self.shown(&expected).await;
        if after.poll {
            self.poll(Look::All).await?;
        }
        if after.backoff > Duration::ZERO {
            self.sleep(after.backoff).await;
        }
        Ok(())
    }

    /// Those of the actions that the safety kernel lets pass on reads made now, where one of them takes something away:
    /// watches lag, and may have died without a word.
    async fn judged_afresh(&mut self, plan: &Plan, mut actions: Vec<Action>) -> Vec<Action> {
        if plan.strategy != Strategy::SingleMove || !actions.iter().any(|action| action.write.may_take()) {
            return actions;
        }
        let now = self.clock.now();
        let read = match fresh::read(&self.kubernetes, &self.watches.view, now, self.request_timeout).await {
            Ok(mut read) => self.aws.poll(&read, &self.clock, Look::All).await.map(|aws| {
                read.aws = Arc::new(aws);
                read
            }),
            Err(failed) => Err(failed),
        };
        let read = match read {
            Ok(read) => read,
            Err(failed) => {
                self.trouble(format!(
                    "nothing is taken away, because it cannot be read afresh: {}",
                    failed.why
                ));
                actions.retain(|action| !action.write.may_take());
                return actions;
            }
        };
        let verdicts = kernel::judge_all(plan, &read, &actions);
        let refused = verdicts.iter().any(Result::is_err);
        for (action, verdict) in actions.iter().zip(&verdicts) {
            if let Err(refusal) = verdict {
                let text = format!("{}, on a read made now: {refusal}", action.phase);
                (self.tell)(Told::Refused(&text), self.clock.now());
            }
        }
        let since_at = if refused { *self.late_since_at.get_or_insert(now) } else { now };
        self.late_since_at = refused.then_some(since_at);
        if since_at.checked_add(SHOWN_WITHIN).is_ok_and(|limit| limit < now) {
            self.trouble("the watches do not show what can be read: they are begun anew".to_owned());
            self.watches.restart();
            self.late_since_at = None;
        }
        let mut verdicts = verdicts.into_iter();
        actions.retain(|_| verdicts.next().is_some_and(|verdict| verdict.is_ok()));
        actions
    }

    /// Whether the lock is ours, by a read made now: watches lag.
    async fn holds_lock(&mut self, plan: &Plan) -> bool {
        match within(self.request_timeout, kubernetes::holder(&self.kubernetes)).await {
            Ok(holder) if holder.as_deref() == Some(&*plan.boot_id) => true,
            Ok(holder) => {
                let holder = holder.filter(|holder| !holder.is_empty());
                let by = holder.as_deref().unwrap_or("nobody");
                self.trouble(format!("the lock is held by {by}: nothing is written"));
                false
            }
            Err(failed) => {
                self.trouble(format!("the lock cannot be read: {}", failed.why));
                false
            }
        }
    }

    /// Sends actions, up to [`AT_A_TIME`] at once, and tells what was answered.
    async fn send_all(&mut self, plan: &Plan, actions: &[Action]) -> Vec<Result<Option<u64>, Failed>> {
        let now = self.clock.now();
        let (client, aws, view) = (&self.kubernetes, &self.aws, &self.watches.view);
        let timeout = self.request_timeout;
        let requests = actions.iter().map(|action| async move {
            if action.write.is_for_aws() {
                within(timeout, aws.send(&action.write, plan)).await.map(|()| None)
            } else {
                within(timeout, kubernetes::send(client, &action.write, view, now)).await
            }
        });
        let sent: Vec<_> = stream::iter(requests).buffered(AT_A_TIME).collect().await;
        let at = self.clock.now();
        for (action, sent) in actions.iter().zip(&sent) {
            let answer = answer(sent);
            let why = sent.as_ref().err().map(|failed| failed.why.as_str());
            tracing::debug!(phase = action.phase, write = %audit::summary(&action.write), answer = audit::word(&answer), why);
            let cluster = &self.watches.view;
            (self.tell)(Told::Sent { plan, cluster, action, answer: &answer, why }, at);
        }
        sent
    }

    /// Tries writes without their effect, up to [`AT_A_TIME`] at once: what each would be answered.
    pub async fn rehearse(&mut self, plan: &Plan, writes: &[&Write]) -> Vec<Result<(), Failed>> {
        let now = self.clock.now();
        let (client, aws, view) = (&self.kubernetes, &self.aws, &self.watches.view);
        let timeout = self.request_timeout;
        let requests = writes.iter().map(|write| async move {
            if write.is_for_aws() {
                within(timeout, aws.rehearse(write, plan)).await
            } else {
                within(timeout, kubernetes::rehearse(client, write, view, now)).await
            }
        });
        stream::iter(requests).buffered(AT_A_TIME).collect().await
    }

    async fn send(&mut self, plan: &Plan, action: Action) -> Result<Option<u64>, Failed> {
        self.send_all(plan, &[action]).await.remove(0)
    }

    /// What became of a write to Kubernetes whose answer was lost: the version that the view has to show.
    async fn found(&mut self, write: Write) -> Result<Option<(Write, u64)>, Unreachable> {
        let mut again = AGAIN.0;
        let since_at = self.clock.now();
        loop {
            match within(self.request_timeout, kubernetes::read(&self.kubernetes, &write)).await {
                Ok(Found::Present { version, deleting }) => {
                    let shown = !matches!(write, Write::Evict { .. }) || deleting;
                    return Ok(shown.then_some((write, version)));
                }
                Ok(Found::Gone) => return Ok(None),
                // The next decision, here or elsewhere, sees what became of it.
                Err(_) if *self.interrupt.borrow() => return Ok(None),
                Err(failed) => {
                    let what = audit::summary(&write);
                    self.silent_since(since_at, &what, &failed)?;
                    self.trouble(format!("{what}: what became of it cannot be read: {}", failed.why));
                    self.sleep(again).await;
                    again = (again * 2).min(AGAIN.1);
                }
            }
        }
    }

    /// Waits until the view shows writes that were acknowledged, or somebody interrupts: no decision is made without them.
    async fn shown(&mut self, expected: &[(Write, u64)]) {
        let mut limit = self.later(SHOWN_WITHIN);
        loop {
            let now = self.clock.now();
            self.watches.drain(now);
            if expected.iter().all(|(write, version)| self.watches.shows(write, *version)) {
                return;
            }
            let clock = self.clock;
            tokio::select! {
                biased;
                () = interrupted(self.interrupt.clone()) => return,
                () = self.watches.next(move || clock.now()) => {}
                () = clock.sleep_until(limit) => {
                    self.trouble("the watches do not show what was written: they are begun anew".to_owned());
                    self.watches.restart();
                    limit = self.later(SHOWN_WITHIN);
                }
            }
        }
    }

    async fn wait(&mut self, wait: &Wait) -> Result<(), Unreachable> {
        (self.tell)(Told::Waiting(wait), self.clock.now());
        self.tell_watches();
        let poll_at = self.poll_at(wait.poll);
        let until = wait.until.into_iter().chain(poll_at).min();
        // A look at the clock now and then, so that silence of the watches is noticed.
        let until = until.unwrap_or_else(|| self.later(SHOWN_WITHIN));
        let clock = self.clock;
        let interrupted = interrupted(self.interrupt.clone());
        let mut seen = false;
        tokio::select! {
            biased;
            () = interrupted => return Ok(()),
            () = self.watches.next(move || clock.now()) => seen = true,
            () = clock.sleep_until(until) => {}
        }
        if seen {
            self.settle(until).await;
        }
        if poll_at.is_some_and(|at| at <= self.clock.now()) {
            let what = if let Poll::Targets(_) = wait.poll { Look::Targets } else { Look::All };
            self.poll(what).await?;
        }
        Ok(())
    }

    /// Takes in what comes with what was just seen.
    async fn settle(&mut self, limit: Timestamp) {
        let until = self.later(SETTLES).min(limit);
        loop {
            let clock = self.clock;
            tokio::select! {
                biased;
                () = clock.sleep_until(until) => return,
                () = self.watches.next(move || clock.now()) => {}
            }
        }
    }

    fn poll_at(&self, poll: Poll) -> Option<Timestamp> {
        let every = match poll {
            Poll::Nothing => return None,
            Poll::NodeGroups(every) | Poll::Targets(every) => every,
        };
        let last = self.watches.view.aws.polled_at.unwrap_or(Timestamp::MIN);
        Some(last.checked_add(every).unwrap_or(Timestamp::MAX))
    }

    /// Asks AWS until it answers.
    async fn poll(&mut self, what: Look) -> Result<(), Unreachable> {
        let mut again = AGAIN.0;
        let since_at = self.clock.now();
        loop {
            let now = self.clock.now();
            self.watches.drain(now);
            match self.aws.poll(&self.watches.view, &self.clock, what).await {
                Ok(view) => {
                    self.watches.view.aws = Arc::new(view);
                    return Ok(());
                }
                Err(failed) => {
                    if *self.interrupt.borrow() {
                        return Ok(());
                    }
                    self.silent_since(since_at, "AWS", &failed)?;
                    self.trouble(format!("AWS does not answer: {}", failed.why));
                    self.sleep(again).await;
                    again = (again * 2).min(AGAIN.1);
                }
            }
        }
    }

    /// Writes a user's wish into the journal, which a running migration rewrites all the time: a conflict is tried again.
    ///
    /// # Errors
    /// Where it cannot happen now, or the write is refused.
    pub async fn wish(&mut self, plan: &Plan, event: Event) -> Result<(), WishFailed> {
        let mut conflicts = 0;
        loop {
            let now = self.clock.now();
            self.watches.drain(now);
            let Some(object) = self.watches.view.journal.clone() else {
                return Err(WishFailed::Impossible("there is no journal".to_owned()));
            };
            let write = journal::wish(&object, event.clone())
                .map_err(|error| WishFailed::Impossible(error.to_string()))?;
            match self.send(plan, Action { phase: "wish", write: write.clone() }).await {
                Ok(version) => {
                    self.shown(&[(write, version.unwrap_or(0))]).await;
                    return Ok(());
                }
                Err(failed) if failed.answer == Answer::Conflict && conflicts < WISH_CONFLICTS => {
                    conflicts += 1;
                    self.sleep(AGAIN.0).await;
                }
                Err(failed) => return Err(failed.unreachable("the journal").into()),
            }
        }
    }

    /// Gives the lock back, if it is ours, and says whether nobody holds it then. Where that fails, it runs out by itself.
    pub async fn give_lock_back(&mut self, plan: &Plan) -> bool {
        let Some(lease) = self.watches.view.lease.clone() else { return true };
        if lease.holder != plan.boot_id {
            return lease.holder.is_empty();
        }
        let write = Write::Lease {
            holder: "".into(),
            duration: lease.duration,
            resource_version: Some(lease.meta.resource_version),
        };
        self.send(plan, Action { phase: "lock", write }).await.is_ok()
    }

    async fn note_event(&mut self, plan: &Plan, reason: &str, message: &str) {
        let Some(journal): Option<Arc<JournalObject>> = self.watches.view.journal.clone() else { return };
        self.events += 1;
        let by = (&*plan.boot_id, self.events);
        let now = self.clock.now();
        let recorded = events::record(&self.kubernetes, &journal, by, reason, message, now);
        let _ = tokio::time::timeout(self.request_timeout, recorded).await;
    }

    /// Tells what the watches complain of, once.
    fn tell_watches(&mut self) {
        let troubles: Vec<String> = self
            .watches
            .trouble
            .iter()
            .map(|(kind, why)| format!("{kind} cannot be watched: {why}"))
            .collect();
        if troubles.is_empty() {
            self.told_trouble.retain(|told| told.starts_with(UNANSWERED));
        }
        for trouble in troubles {
            self.trouble(trouble);
        }
    }

    /// Tells of something that does not work, once until it does again.
    fn trouble(&mut self, text: String) {
        if self.told_trouble.contains(&text) {
            return;
        }
        tracing::warn!("{text}");
        (self.tell)(Told::Trouble(&text), self.clock.now());
        self.told_trouble.insert(text);
    }

    /// Gives up what has been asked for in vain for longer than anybody would wait.
    fn silent_since(&self, since_at: Timestamp, what: &str, failed: &Failed) -> Result<(), Unreachable> {
        let limit = since_at.checked_add(self.patience).unwrap_or(Timestamp::MAX);
        if self.clock.now() < limit {
            return Ok(());
        }
        let why = format!("no answer for {} s: {}", self.patience.as_secs(), failed.why);
        Err(Unreachable { what: what.to_owned(), why })
    }

    /// Waits, unless interrupted.
    async fn sleep(&self, span: Duration) {
        tokio::select! {
            biased;
            () = interrupted(self.interrupt.clone()) => {}
            () = self.clock.sleep(span) => {}
        }
    }

    fn later(&self, span: Duration) -> Timestamp {
        self.clock.now().checked_add(span).unwrap_or(Timestamp::MAX)
    }
}

/// Ends when somebody interrupts.
async fn interrupted(mut interrupt: watch::Receiver<bool>) {
    if interrupt.wait_for(|interrupted| *interrupted).await.is_err() {
        // Nobody is left who could.
        std::future::pending::<()>().await;
    }
}

fn answer(sent: &Result<Option<u64>, Failed>) -> Answer {
    match sent {
        Ok(version) => Answer::Done(*version),
        Err(failed) => failed.answer.clone(),
    }
}

/// A request's answer, or that there was none in time: then its outcome is unknown.
pub(super) async fn within<T>(
    timeout: Duration,
    request: impl Future<Output = Result<T, Failed>>,
) -> Result<T, Failed> {
    tokio::time::timeout(timeout, request)
        .await
        .unwrap_or_else(|_| Err(Failed { answer: Answer::Unknown, why: silence(timeout) }))
}
