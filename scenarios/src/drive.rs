//! The core gear: decisions read a view, actions become requests, virtual time passes in between.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use migrator::{
    action::{self, Action, Answer, Outcome, Poll, Reason, Write},
    driver::{Driver, Turn},
    names,
    plan::Plan,
    view::ObjectName,
};
use simulator::world::{
    self, Time, World,
    ids::RequestId,
    requests::{self, Request},
};

use crate::observe::Observer;

/// The migrator's number among the clients of the API servers.
pub const MIGRATOR: u32 = 1;

/// After something was seen, how long the rest of what came with it is awaited before the next decision. Short
/// against every wait of a plan, long enough that one change of a Deployment is one decision and not twenty.
const SETTLES: Time = 250;

/// A stretch of a migration: a step and what it waited for.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretch {
    /// The step's stable name.
    pub phase: &'static str,
    /// When it began, in milliseconds since the start of the run.
    pub from_at: Time,
    /// When the next began.
    pub until_at: Time,
    /// Requests made.
    pub requests: u32,
    /// What it waited for last, if it waited.
    pub waited_for: Option<Reason>,
}

/// How a process of a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// With the migration.
    Finished(Outcome),
    /// Held by a user.
    Held,
    /// The migration had ended before it could do anything.
    HadEnded,
    /// With an error.
    Failed(String),
    /// It died.
    Died,
}

/// A migration that was driven to its end.
#[derive(Debug, Clone, Default)]
pub struct Driven {
    /// How it ended; `None` where it did not end in time.
    pub outcome: Option<Outcome>,
    /// When.
    pub ended_at: Time,
    /// The steps.
    pub stretches: Vec<Stretch>,
    /// Actions that the safety kernel refused, with its words.
    pub refusals: Vec<String>,
    /// Decisions taken.
    pub decisions: u64,
    /// Writes that took effect, in the order in which they were sent.
    pub writes: Vec<Action>,
    /// The last wait, for a run that did not end.
    pub last_wait: Option<Reason>,
    /// What did not work for a while, in the shell's words.
    pub troubles: Vec<String>,
    /// How the processes ended, in that order; in the core gear there are none.
    pub processes: Vec<How>,
}

/// Something that happens at a point of the run, beside what is decided: another client writes, a hand slips.
pub struct Intervention<'a> {
    /// When, in milliseconds since the start of the run.
    pub at: Time,
    /// It would happen without a migration as well, and does so in the twin: what others do.
    pub in_twin: bool,
    /// What.
    pub happens: Box<dyn FnMut(&mut World) + 'a>,
}

/// Most decisions within an hour of virtual time. A migration takes some hundreds; who takes more undoes what it did, and
/// would do so without end while hardly any time passes.
const DECISIONS_PER_HOUR: u64 = 20_000;
const HOUR: Time = 3_600_000;

/// Drives a plan until it finishes, until `deadline`, or until it has decided too often.
pub fn drive(
    world: &mut World,
    observer: &mut Observer,
    plan: &Plan,
    deadline: Time,
    interventions: &mut [Intervention<'_>],
    mut after_each: impl FnMut(&mut World),
) -> Driven {
    let mut driven = Driven::default();
    let mut interventions = interventions.iter_mut().peekable();
    let mut driver = Driver::default();
    let (mut hour, mut decisions_before) = (world.now() / HOUR, 0);
    while world.now() < deadline {
        if world.now() / HOUR != hour {
            (hour, decisions_before) = (world.now() / HOUR, driver.decisions);
        }
        if driver.decisions - decisions_before >= DECISIONS_PER_HOUR {
            break;
        }
        observer.observe(world);
        match driver.turn(plan, &observer.view, world.wall(world.now() as i64)) {
            Turn::Send(actions) => {
                driven.last_wait = None;
                let backoff = act(world, observer, actions, &mut driver, &mut driven);
                if backoff > 0 {
                    let until = world.now() + backoff;
                    world.advance(until, None);
                }
            }
            Turn::Wait(wait) => {
                note_wait(&mut driven, world.now(), &wait.for_what);
                driven.last_wait = Some(wait.for_what);
                let mut until = wait.until.map_or(deadline, |at| ceil(world, at)).min(deadline);
                let poll_at = poll_at(world, observer, wait.poll);
                until = until.min(poll_at.unwrap_or(Time::MAX));
                if let Some(next) = interventions.peek() {
                    until = until.min(next.at.max(world.now()));
                }
                let until = until.max(world.now() + 1);
                world.advance(until, Some(observer.id()));
                if world.now() < until {
                    let settled = (world.now() + SETTLES).min(until);
                    world.advance(settled, None);
                }
                if poll_at.is_some_and(|at| at <= world.now()) {
                    poll(world, observer);
                }
            }
            Turn::Finished(outcome) => {
                driven.outcome = Some(outcome);
                break;
            }
        }
        while let Some(next) = interventions.next_if(|next| next.at <= world.now()) {
            (next.happens)(world);
        }
        after_each(world);
    }
    driven.ended_at = world.now();
    driven.decisions = driver.decisions;
    driven.refusals = driver.refusals;
    if let Some(last) = driven.stretches.last_mut() {
        last.until_at = world.now();
    }
    driven
}

/// Carries actions out, all at once, and waits until the view shows what was written. How long to wait after it.
fn act(
    world: &mut World,
    observer: &mut Observer,
    actions: Vec<Action>,
    driver: &mut Driver,
    driven: &mut Driven,
) -> Time {
    let mut sent: Vec<(RequestId, Action)> = Vec::with_capacity(actions.len());
    for action in actions {
        note_action(driven, world.now(), action.phase);
        sent.push((world.submit(MIGRATOR, action.phase, request(action.write.clone())), action));
    }
    for &(id, _) in &sent {
        while world.answer(id).is_none() {
            let Some(next) = world.next_event_at() else { break };
            world.advance(next, None);
        }
    }
    let answers: Vec<Option<Answer>> =
        sent.iter().map(|(id, _)| world.answer(*id).map(|(_, answer)| answered(answer))).collect();
    let written = answers.iter().map(|answer| match answer {
        Some(Answer::Done(version)) => version.unwrap_or(0),
        _ => 0,
    });
    let written = written.max().unwrap_or(0);
    let pairs = sent.iter().zip(&answers).map(|((_, action), answer)| (action, answer.as_ref()));
    let after = driver.on_answers(&observer.view, pairs);
    let done = sent.iter().zip(&answers).filter(|(_, answer)| matches!(answer, Some(Answer::Done(_))));
    driven.writes.extend(done.map(|((_, action), _)| action.clone()));
    if let Some(write) = after.stop {
        world.submit(MIGRATOR, "stop", request(write));
    }
    // No decision sees a view that lacks an acknowledged write.
    while observer.resource_version < written {
        let limit = world.now() + 60_000;
        world.advance(limit, Some(observer.id()));
        if !observer.observe(world) {
            break;
        }
    }
    if after.poll {
        poll(world, observer);
    }
    millis(after.backoff)
}

/// The world's answer in the migrator's words.
fn answered(answer: &requests::Answer) -> Answer {
    match answer {
        requests::Answer::Done(version) => Answer::Done(*version),
        requests::Answer::Conflict => Answer::Conflict,
        requests::Answer::NotFound => Answer::NotFound,
        requests::Answer::RetryLater(after) => Answer::RetryLater(Duration::from_millis(*after)),
        requests::Answer::Refused(why) => Answer::Refused(why.clone()),
    }
}

fn poll(world: &mut World, observer: &mut Observer) {
    let answered_at = world.now() + world.parameters().api_latency.max(1);
    world.advance(answered_at, None);
    observer.poll_aws(world);
}

fn poll_at(world: &World, observer: &Observer, poll: Poll) -> Option<Time> {
    let every = match poll {
        Poll::Nothing => return None,
        Poll::NodeGroups(every) | Poll::Targets(every) => every,
    };
    let last = observer.view.aws.polled_at.map_or(0, |at| world.at_wall(at));
    Some(last + millis(every).max(1))
}

pub(crate) fn note_action(driven: &mut Driven, now: Time, phase: &'static str) {
    stretch(driven, now, phase).requests += 1;
}

pub(crate) fn note_wait(driven: &mut Driven, now: Time, reason: &Reason) {
    stretch(driven, now, reason.phase).waited_for = Some(reason.clone());
}

fn stretch<'a>(driven: &'a mut Driven, now: Time, phase: &'static str) -> &'a mut Stretch {
    if driven.stretches.last().is_none_or(|last| last.phase != phase) {
        if let Some(last) = driven.stretches.last_mut() {
            last.until_at = now;
        }
        driven.stretches.push(Stretch { phase, from_at: now, until_at: now, requests: 0, waited_for: None });
    }
    driven.stretches.last_mut().expect("one was just pushed")
}

/// The first millisecond of the run that is not before a wall time.
fn ceil(world: &World, at: Timestamp) -> Time {
    let exact = world.wall(world.at_wall(at) as i64);
    world.at_wall(at) + Time::from(exact < at)
}

fn millis(span: Duration) -> Time {
    Time::try_from(span.as_millis()).unwrap_or(Time::MAX)
}

fn name(name: ObjectName) -> requests::Name {
    (name.namespace, name.name)
}

fn bounds(bounds: migrator::view::Bounds) -> world::Bounds {
    world::Bounds { min: bounds.min, max: bounds.max, desired: bounds.desired }
}

fn taints(taints: Vec<migrator::view::EksTaint>) -> Vec<requests::EksTaint> {
    taints
        .into_iter()
        .map(|taint| requests::EksTaint { key: taint.key, value: taint.value, effect: taint.effect })
        .collect()
}

/// A write as the request that it is.
fn request(write: Write) -> Request {
    match write {
        Write::Lease { holder, duration, resource_version } => Request::Lease {
            name: (names::NAMESPACE.into(), names::LEASE.into()),
            holder,
            duration: millis(duration),
            resource_version,
        },
        Write::Journal { data, resource_version } => Request::ConfigMap {
            name: (names::NAMESPACE.into(), names::JOURNAL.into()),
            data,
            resource_version,
        },
        Write::Patch(patch) => Request::Patch {
            kind: match patch.kind {
                action::Kind::Node => requests::Kind::Node,
                action::Kind::Pod => requests::Kind::Pod,
                action::Kind::Deployment => requests::Kind::Deployment,
                action::Kind::ReplicaSet => requests::Kind::ReplicaSet,
                action::Kind::StatefulSet => requests::Kind::StatefulSet,
                action::Kind::DaemonSet => requests::Kind::DaemonSet,
                action::Kind::HorizontalPodAutoscaler => requests::Kind::HorizontalPodAutoscaler,
            },
            name: name(patch.object),
            uid: Some(patch.uid),
            resource_version: patch.resource_version,
            changes: patch
                .changes
                .into_iter()
                .map(|change| match change {
                    action::Change::Label(key, value) => requests::Change::Label(key, value),
                    action::Change::Annotation(key, value) => requests::Change::Annotation(key, value),
                    action::Change::Replicas(replicas) => requests::Change::Replicas(replicas),
                    action::Change::Taints(taints) => requests::Change::Taints(taints),
                    action::Change::Unschedulable(value) => requests::Change::Unschedulable(value),
                    action::Change::ReplicaBounds { min, max } => {
                        requests::Change::ReplicaBounds { min, max }
                    }
                })
                .collect(),
        },
        Write::Evict { pod, uid } => Request::Evict { name: name(pod), uid: Some(uid) },
        Write::CreateLaunchTemplate(template) => Request::CreateLaunchTemplate(requests::LaunchTemplate {
            data: [
                ("VolumeType", template.volume_type.to_string()),
                ("VolumeSize", template.volume_size.to_string()),
                ("Iops", template.volume_iops.to_string()),
                ("Throughput", template.volume_throughput.to_string()),
                ("Encrypted", template.encrypted.to_string()),
                ("DeleteOnTermination", template.delete_on_termination.to_string()),
            ]
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
            name: template.name,
            client_token: template.client_token,
            tags: template.tags,
        }),
        Write::DeleteLaunchTemplate { name } => Request::DeleteLaunchTemplate(name),
        Write::CreateNodeGroup(group) => Request::CreateNodeGroup(requests::NodeGroupRequest {
            name: group.name,
            client_token: group.client_token,
            bounds: bounds(group.bounds),
            instance_types: group.instance_types,
            ami_type: group.ami_type,
            version: group.version,
            node_role: group.node_role,
            subnets: group.subnets,
            capacity_type: group.capacity_type,
            labels: group.labels,
            taints: taints(group.taints),
            launch_template: group.launch_template,
            tags: group.tags,
        }),
        Write::UpdateNodeGroupBounds { group, bounds: to } => {
            Request::UpdateNodeGroupBounds(group, bounds(to))
        }
        Write::UpdateNodeGroupTaints { group, add, remove } => {
            Request::UpdateNodeGroupTaints(group, taints(add), taints(remove))
        }
        Write::DeleteNodeGroup { group } => Request::DeleteNodeGroup(group),
        Write::SuspendProcesses { group, processes } => Request::SuspendProcesses(group, processes),
        Write::ResumeProcesses { group, processes } => Request::ResumeProcesses(group, processes),
    }
}

/// The process that drives: its name in the lock and in marks.
pub fn holder() -> Arc<str> {
    "nodeferry-core".into()
}
