//! The core gear: decisions read a view, actions become requests, virtual time passes in between.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use migrator::{
    action::{self, Action, Outcome, Poll, Reason, Step, Write},
    decide::decide,
    journal, kernel, names,
    plan::Plan,
    refusals::Refusals,
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

/// A migration that was driven to its end.
#[derive(Debug, Clone)]
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
    /// The last wait, for a run that did not end.
    pub last_wait: Option<Reason>,
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
    let mut driven = Driven {
        outcome: None,
        ended_at: 0,
        stretches: Vec::new(),
        refusals: Vec::new(),
        decisions: 0,
        last_wait: None,
    };
    let mut interventions = interventions.iter_mut().peekable();
    let mut backoff: Time = 0;
    let mut refused = Refusals::default();
    let (mut hour, mut decisions_before) = (world.now() / HOUR, 0);
    while world.now() < deadline {
        if world.now() / HOUR != hour {
            (hour, decisions_before) = (world.now() / HOUR, driven.decisions);
        }
        if driven.decisions - decisions_before >= DECISIONS_PER_HOUR {
            break;
        }
        observer.observe(world);
        driven.decisions += 1;
        match decide(plan, &observer.view, world.wall(world.now() as i64)) {
            Step::Act(actions) => {
                driven.last_wait = None;
                let progress = act(world, observer, plan, actions, &mut refused, &mut driven);
                backoff = if progress { 0 } else { (backoff * 2).clamp(1_000, 30_000) };
                if backoff > 0 {
                    let until = world.now() + backoff;
                    world.advance(until, None);
                }
            }
            Step::Wait(wait) => {
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
            Step::Finished(outcome) => {
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
    if let Some(last) = driven.stretches.last_mut() {
        last.until_at = world.now();
    }
    driven
}

/// Carries actions out, all at once, and waits until the view shows what was written. Whether anything was done.
fn act(
    world: &mut World,
    observer: &mut Observer,
    plan: &Plan,
    actions: Vec<Action>,
    refused: &mut Refusals,
    driven: &mut Driven,
) -> bool {
    let mut sent: Vec<(RequestId, bool)> = Vec::new();
    let mut writes: Vec<(&'static str, Write)> = Vec::new();
    let verdicts = kernel::judge_all(plan, &observer.view, &actions);
    for (action, verdict) in actions.into_iter().zip(verdicts) {
        if let Err(refusal) = verdict {
            let text = format!("{}: {refusal:?}", action.phase);
            if driven.refusals.last() != Some(&text) {
                driven.refusals.push(text);
            }
            continue;
        }
        note_action(driven, world.now(), action.phase);
        let phase = action.phase;
        writes.push((phase, action.write.clone()));
        let (request, on_aws) = request(action.write);
        sent.push((world.submit(MIGRATOR, phase, request), on_aws));
    }
    if sent.is_empty() {
        return false;
    }
    for &(id, _) in &sent {
        while world.answer(id).is_none() {
            let Some(next) = world.next_event_at() else { break };
            world.advance(next, None);
        }
    }
    let mut written = 0;
    let (mut progress, mut aws) = (false, false);
    let mut stop = None;
    for ((id, on_aws), (phase, write)) in sent.into_iter().zip(writes) {
        let Some((_, answer)) = world.answer(id) else { continue };
        match answer {
            requests::Answer::Done(version) => {
                written = written.max(version.unwrap_or(0));
                progress = true;
                aws |= on_aws;
                refused.on_accepted(&write);
            }
            // What was conflicting or is gone is decided again on a fresh view.
            requests::Answer::Conflict | requests::Answer::NotFound => {}
            requests::Answer::RetryLater(_) => {}
            requests::Answer::Refused(why) => stop = stop.or(refused.on_refused(phase, &write, why)),
        }
    }
    if let Some(reason) = stop
        && let Some(Ok(write)) = observer.view.journal.as_deref().map(|object| journal::stop(object, reason))
    {
        world.submit(MIGRATOR, "stop", request(write).0);
    }
    // No decision sees a view that lacks an acknowledged write.
    while observer.resource_version < written {
        let limit = world.now() + 60_000;
        world.advance(limit, Some(observer.id()));
        if !observer.observe(world) {
            break;
        }
    }
    if aws || !progress {
        poll(world, observer);
    }
    progress
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

fn note_action(driven: &mut Driven, now: Time, phase: &'static str) {
    stretch(driven, now, phase).requests += 1;
}

fn note_wait(driven: &mut Driven, now: Time, reason: &Reason) {
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

/// A write as the request that it is; whether it goes to AWS.
fn request(write: Write) -> (Request, bool) {
    let kubernetes = |request| (request, false);
    let aws = |request| (request, true);
    match write {
        Write::Lease { holder, duration, resource_version } => kubernetes(Request::Lease {
            name: (names::NAMESPACE.into(), names::LEASE.into()),
            holder,
            duration: millis(duration),
            resource_version,
        }),
        Write::Journal { data, resource_version } => kubernetes(Request::ConfigMap {
            name: (names::NAMESPACE.into(), names::JOURNAL.into()),
            data,
            resource_version,
        }),
        Write::Patch(patch) => kubernetes(Request::Patch {
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
        }),
        Write::Evict { pod, uid } => kubernetes(Request::Evict { name: name(pod), uid: Some(uid) }),
        Write::CreateLaunchTemplate(template) => {
            aws(Request::CreateLaunchTemplate(requests::LaunchTemplate {
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
            }))
        }
        Write::DeleteLaunchTemplate { name } => aws(Request::DeleteLaunchTemplate(name)),
        Write::CreateNodeGroup(group) => aws(Request::CreateNodeGroup(requests::NodeGroupRequest {
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
        })),
        Write::UpdateNodeGroupBounds { group, bounds: to } => {
            aws(Request::UpdateNodeGroupBounds(group, bounds(to)))
        }
        Write::UpdateNodeGroupTaints { group, add, remove } => {
            aws(Request::UpdateNodeGroupTaints(group, taints(add), taints(remove)))
        }
        Write::DeleteNodeGroup { group } => aws(Request::DeleteNodeGroup(group)),
        Write::SuspendProcesses { group, processes } => aws(Request::SuspendProcesses(group, processes)),
        Write::ResumeProcesses { group, processes } => aws(Request::ResumeProcesses(group, processes)),
    }
}

/// The process that drives: its name in the lock and in marks.
pub fn holder() -> Arc<str> {
    "nodeferry-core".into()
}
