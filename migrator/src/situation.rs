//! The view, arranged for decisions: which nodes are left and which are reached, which pods belong to which workload,
//! how far each node has departed from the load balancers. Built once per decision, in one pass over nodes and pods.

use std::{collections::BTreeMap, ops::ControlFlow, time::Duration};

use jiff::Timestamp;

use crate::{
    action::{Action, Change, Kind, Patch, Poll, Reason, Step, Wait, Write},
    journal::{Course, Journal, Mark, Status},
    marks::{ANNOTATION, Changed, DELETION_COST, EXCLUDE, LOW_COST, Marks, ReplicaBounds, TAINT},
    plan::{Plan, PlannedService, is_system, runs_once},
    selector::service_selects,
    view::{
        AutoScalingGroup, ClusterView, Deployment, HorizontalPodAutoscaler, JournalObject, Meta, Node,
        NodeGroup, ObjectName, OwnerKind, Pod, PodPhase, ReplicaSet, Service, StringMap, Target, TargetGroup,
        TargetId, TargetState,
    },
};

/// Whether a step is done (`Continue`), or what to do about it (`Break`).
pub(crate) type Progress = ControlFlow<Step>;

/// How often node groups are asked about while one changes: an update takes 5-180 s. Source: aws.md section 9.
pub(crate) const GROUP_POLL: Duration = Duration::from_secs(15);
/// How often target health is asked about: often enough that waits of minutes end on time, rare enough for the
/// account's shared bucket (10 calls a second). Source: aws.md section 1.
pub(crate) const TARGET_POLL: Duration = Duration::from_secs(15);
/// Asked at once: a wait has ended, and only the evidence for it is older than its end.
pub(crate) const POLL_NOW: Duration = Duration::from_secs(1);

/// Where a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// In the group that is left.
    Leaving,
    /// In the group that is reached.
    Arriving,
    /// Neither: not touched.
    Elsewhere,
}

/// A node with what a decision asks of it.
#[derive(Debug)]
pub(crate) struct Seat<'a> {
    /// Its own index among the seats.
    pub(crate) at: usize,
    pub(crate) node: &'a Node,
    pub(crate) side: Side,
    /// Pods that keep it from being quiet: neither of DaemonSets nor of the node itself, nor finished.
    pub(crate) lodgers: Vec<&'a Pod>,
    /// How far it has left the target groups.
    pub(crate) presence: Presence,
}

/// How far a node has left the instance target groups; the worst over all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Presence {
    /// Absent or unused everywhere, or draining where that cuts nothing.
    Out,
    /// No new flows are meant to come, but a failing health check would still reset those it has.
    Draining,
    /// A target.
    In,
}

/// A Deployment that is moved, with its pods.
#[derive(Debug)]
pub(crate) struct Workload<'a> {
    pub(crate) deployment: &'a Deployment,
    pub(crate) autoscaler: Option<&'a HorizontalPodAutoscaler>,
    /// Remembers the scale: on the autoscaler where there is one, else on the Deployment.
    pub(crate) marks: Option<Marks>,
    pub(crate) system: bool,
    /// Replica sets with or wanting replicas.
    pub(crate) replica_sets: Vec<&'a ReplicaSet>,
    /// Active pods.
    pub(crate) pods: Vec<Member<'a>>,
    /// Moved by eviction instead of a surge, and why.
    pub(crate) by_eviction: Option<&'static str>,
}

/// An active pod of a workload.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member<'a> {
    pub(crate) pod: &'a Pod,
    /// Index of its node among the seats; `None` while it has none.
    pub(crate) seat: Option<usize>,
    pub(crate) leaving: bool,
}

/// A load-balanced Service as it is now.
#[derive(Debug)]
pub(crate) struct Balanced<'a> {
    pub(crate) service: &'a Service,
    pub(crate) planned: Option<&'a PlannedService>,
    pub(crate) groups: Vec<&'a TargetGroup>,
}

/// Everything that a decision reads.
#[derive(Debug)]
pub(crate) struct Situation<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) cluster: &'a ClusterView,
    pub(crate) journal: &'a Journal,
    journal_object: &'a JournalObject,
    pub(crate) now: Timestamp,
    /// Going back: the groups are swapped.
    pub(crate) back: bool,
    /// Name of the group that is left.
    pub(crate) leaving_group: &'a str,
    /// Name of the group that is reached.
    pub(crate) arriving_group: &'a str,
    /// Nodes by name.
    pub(crate) seats: Vec<Seat<'a>>,
    /// Deployments that have pods on nodes that are left, or marks of ours; by name.
    pub(crate) workloads: Vec<Workload<'a>>,
    /// Active pods on nodes that are left and that no Deployment moves: of StatefulSets, Jobs, or nobody.
    pub(crate) strays: Vec<Member<'a>>,
    /// Load-balanced Services by name.
    pub(crate) balanced: Vec<Balanced<'a>>,
    /// Some target group registers instances, so that leaving a load balancer is a matter of nodes.
    pub(crate) instance_targets: bool,
}

impl<'a> Situation<'a> {
    pub(crate) fn new(
        plan: &'a Plan,
        cluster: &'a ClusterView,
        journal: &'a Journal,
        journal_object: &'a JournalObject,
        now: Timestamp,
    ) -> Situation<'a> {
        let back = matches!(
            journal.status,
            Status::Running { course: Course::Back }
                | Status::Paused { course: Course::Back }
                | Status::Stopped { course: Course::Back, .. }
        );
        let (leaving_group, arriving_group) =
            if back { (&*plan.to, &*plan.from) } else { (&*plan.from, &*plan.to) };
        let balanced = balanced(plan, cluster);
        let instance_targets = plan.services.iter().any(|service| !service.ip)
            || balanced.iter().flat_map(|b| &b.groups).any(|group| !group.ip_targets);
        let mut seats = seats(cluster, leaving_group, arriving_group);
        note_presence(&mut seats, cluster);
        let mut situation = Situation {
            plan,
            cluster,
            journal,
            journal_object,
            now,
            back,
            leaving_group,
            arriving_group,
            seats,
            workloads: Vec::new(),
            strays: Vec::new(),
            balanced,
            instance_targets,
        };
        situation.place_pods();
        situation
    }

    /// Assigns every pod to its node and its workload.
    fn place_pods(&mut self) {
        let mut workloads: Vec<Workload<'a>> =
            self.cluster.deployments.values().map(|deployment| workload(deployment)).collect();
        let by_name = |workloads: &[Workload<'a>], namespace: &str, name: &str| -> Option<usize> {
            workloads
                .binary_search_by(|w| {
                    let own = &w.deployment.meta.name;
                    (&*own.namespace, &*own.name).cmp(&(namespace, name))
                })
                .ok()
        };
        // Deployment of each ReplicaSet, by the ReplicaSet's uid.
        let mut owners: Vec<(&str, usize)> = Vec::with_capacity(self.cluster.replica_sets.len());
        for set in self.cluster.replica_sets.values() {
            let Some(owner) = &set.owner else { continue };
            let Some(at) = by_name(&workloads, &set.meta.name.namespace, &owner.name) else { continue };
            if workloads[at].deployment.meta.uid != owner.uid {
                continue;
            }
            owners.push((&set.meta.uid, at));
            if set.replicas > 0 || set.status_replicas > 0 {
                workloads[at].replica_sets.push(set);
            }
        }
        owners.sort_unstable();
        for pod in self.cluster.pods.values() {
            let pod: &'a Pod = pod;
            let seat = pod.node.as_deref().and_then(|node| seat_of(&self.seats, node));
            let leaving = seat.is_some_and(|at| self.seats[at].side == Side::Leaving);
            let owner = pod.owner.as_ref();
            let stays = owner.is_some_and(|o| matches!(o.kind, OwnerKind::DaemonSet | OwnerKind::Node));
            if stays || matches!(pod.phase, PodPhase::Succeeded | PodPhase::Failed) {
                continue;
            }
            if let Some(at) = seat {
                self.seats[at].lodgers.push(pod);
            }
            if !pod.is_active() {
                continue;
            }
            let member = Member { pod, seat, leaving };
            let deployment = owner.filter(|o| o.kind == OwnerKind::ReplicaSet).and_then(|o| {
                owners.binary_search_by(|(uid, _)| (*uid).cmp(&*o.uid)).ok().map(|at| owners[at].1)
            });
            match deployment {
                Some(at) => workloads[at].pods.push(member),
                None if leaving => self.strays.push(member),
                None => {}
            }
        }
        for autoscaler in self.cluster.horizontal_pod_autoscalers.values() {
            let (kind, name) = &autoscaler.target;
            if &**kind != "Deployment" {
                continue;
            }
            if let Some(at) = by_name(&workloads, &autoscaler.meta.name.namespace, name) {
                workloads[at].autoscaler = Some(autoscaler);
            }
        }
        workloads.retain(|w| self.concerns(w));
        for w in &mut workloads {
            self.remember(w);
        }
        self.workloads = workloads;
    }

    /// Whether a Deployment has to do with the migration: it has pods where they are left, or marks of ours.
    fn concerns(&self, w: &Workload<'a>) -> bool {
        w.pods.iter().any(|member| member.leaving)
            || w.deployment.meta.annotations.contains_key(ANNOTATION)
            || w.autoscaler.is_some_and(|autoscaler| autoscaler.meta.annotations.contains_key(ANNOTATION))
    }

    /// Fills in what only the Deployments that concern us need.
    fn remember(&self, w: &mut Workload<'a>) {
        let deployment = w.deployment;
        w.system = is_system(&deployment.meta.name.namespace, &deployment.template);
        w.marks = Marks::of(w.autoscaler.map_or(&deployment.meta, |autoscaler| &autoscaler.meta));
        w.by_eviction = if w.autoscaler.is_some_and(|autoscaler| autoscaler.keda) {
            Some("its autoscaler belongs to KEDA, which would undo a surge")
        } else if w.is_theirs() {
            Some("somebody else changed its scale during the migration")
        } else if runs_once(
            deployment.recreate,
            &deployment.meta.name.namespace,
            &deployment.template,
            self.cluster,
        ) {
            Some("two of its pods cannot run at a time")
        } else {
            None
        };
    }

    /// Nodes of one side, by name.
    pub(crate) fn side(&self, side: Side) -> impl Iterator<Item = &Seat<'a>> {
        self.seats.iter().filter(move |seat| seat.side == side)
    }

    /// The seat of a member.
    pub(crate) fn seat(&self, member: &Member<'a>) -> Option<&Seat<'a>> {
        member.seat.map(|at| &self.seats[at])
    }

    /// Load-balanced Services that select these labels.
    pub(crate) fn services_of(
        &self,
        namespace: &str,
        labels: &StringMap,
    ) -> impl Iterator<Item = &Balanced<'a>> {
        self.balanced.iter().filter(move |b| {
            &*b.service.meta.name.namespace == namespace && service_selects(&b.service.selector, labels)
        })
    }

    /// Whether a pod of a StatefulSet behind a load balancer is on this node.
    pub(crate) fn holds_stateful(&self, seat: &Seat<'a>) -> bool {
        seat.lodgers.iter().any(|pod| {
            is_stateful(pod) && self.services_of(&pod.meta.name.namespace, &pod.meta.labels).next().is_some()
        })
    }

    /// A node group as last polled.
    pub(crate) fn group(&self, name: &str) -> Option<&'a NodeGroup> {
        self.cluster.aws.node_groups.get(name).map(|group| &**group)
    }

    /// The Auto Scaling group of a node group, as last polled.
    pub(crate) fn scaling_group(&self, group: &NodeGroup) -> Option<&'a AutoScalingGroup> {
        self.cluster.aws.auto_scaling_groups.get(group.auto_scaling_group.as_ref()?).map(|group| &**group)
    }

    /// A mark of this machine's clock; marks of others are void.
    pub(crate) fn mark(&self, name: &str) -> Option<&'a Mark> {
        self.journal.marks.get(name).filter(|mark| *mark.boot_id == *self.plan.boot_id)
    }

    /// A mark that begins now.
    pub(crate) fn fresh_mark(&self, objects: Vec<String>) -> Mark {
        Mark { objects, boot_id: self.plan.boot_id.to_string(), since_at: self.now }
    }

    /// A journal write with some changes.
    pub(crate) fn journal(&self, phase: &'static str, change: impl FnOnce(&mut Journal)) -> Step {
        let mut journal = self.journal.clone();
        change(&mut journal);
        Step::Act(vec![Action { phase, write: journal.write(self.journal_object) }])
    }

    /// The end of a wait that began at the mark `name`; sets the mark where it is missing or covers other objects.
    pub(crate) fn since(
        &self,
        phase: &'static str,
        name: &str,
        objects: Vec<String>,
    ) -> ControlFlow<Step, Timestamp> {
        match self.mark(name) {
            Some(mark) if mark.objects == objects => ControlFlow::Continue(mark.since_at),
            _ => {
                let mark = self.fresh_mark(objects);
                ControlFlow::Break(self.journal(phase, |journal| {
                    journal.marks.insert(name.to_owned(), mark);
                }))
            }
        }
    }

    /// When AWS was last seen: what is read of targets holds at that moment, not now.
    pub(crate) fn seen_at(&self) -> Timestamp {
        self.cluster.aws.polled_at.unwrap_or(Timestamp::MIN)
    }

    /// When a node that has left the target groups may be counted on to get no new flows; `None` before it has left.
    pub(crate) fn left_at(&self, seat: &Seat<'a>) -> Option<Timestamp> {
        let mark = self.mark(&departure(seat.node))?;
        (seat.presence != Presence::In && is_excluded(seat.node))
            .then(|| later(mark.since_at, self.plan.settings.propagation))
    }

    /// Whether a node is released: no load balancer sends it anything, and ending its pods resets no other flow.
    pub(crate) fn is_released(&self, seat: &Seat<'a>) -> bool {
        !self.instance_targets
            || (seat.presence == Presence::Out
                && self.left_at(seat).is_some_and(|left_at| left_at <= self.seen_at()))
    }

    /// When the last session through a node of this side must have ended; `None` before it has left.
    pub(crate) fn quiet_at(&self, seat: &Seat<'a>) -> Option<Timestamp> {
        if !self.instance_targets {
            return Some(Timestamp::MIN);
        }
        let settings = &self.plan.settings;
        self.left_at(seat).map(|left_at| later(left_at, self.plan.longest_contract() + settings.quiet_margin))
    }

    /// The longest grace period of a pod that still ends on a node that is left.
    pub(crate) fn longest_goodbye(&self) -> Duration {
        self.side(Side::Leaving)
            .flat_map(|seat| &seat.lodgers)
            .map(|pod| pod.spec.grace_period)
            .max()
            .unwrap_or_default()
    }

    /// Whether a pod on this node is reached by a target group through a target in this state: its own where targets are
    /// pods, else its node's.
    pub(crate) fn is_target(
        &self,
        group: &TargetGroup,
        seat: &Seat<'a>,
        pod: &Pod,
        state: TargetState,
    ) -> bool {
        group.targets.iter().any(|target| {
            target.state == state
                && match &target.id {
                    TargetId::Instance(id) => instance_id(seat.node) == Some(&**id),
                    TargetId::Ip(ip) => pod.ip.as_ref() == Some(ip),
                }
        })
    }

    /// Whether the end of a pod resets no session but its own: it serves nobody yet, or its node is no target, or another
    /// Ready pod there (none of `gone`) keeps the health-check node port of every Local Service good.
    pub(crate) fn resets_nobody(&self, member: &Member<'a>, gone: &[&Member<'a>]) -> bool {
        let Some(seat) = self.seat(member).filter(|_| member.pod.is_ready()) else { return true };
        let off = is_excluded(seat.node) && (seat.presence == Presence::Out || self.is_released(seat));
        off || self.local_services(member.pod).all(|b| stays_good(b, seat, member.pod, gone))
    }

    /// Whether a pod serves a Local Service for which another Ready pod on its node keeps the health-check port good.
    pub(crate) fn keeps_port_good(&self, seat: &Seat<'a>, pod: &Pod) -> bool {
        self.local_services(pod).next().is_some()
            && self.local_services(pod).all(|b| stays_good(b, seat, pod, &[]))
    }

    /// Load-balanced Services with policy Local and instance targets that select a pod.
    fn local_services(&self, pod: &Pod) -> impl Iterator<Item = &Balanced<'a>> {
        self.services_of(&pod.meta.name.namespace, &pod.meta.labels)
            .filter(|b| b.service.local && b.groups.iter().any(|group| !group.ip_targets))
    }

    /// The side that a target belongs to, with the pods' addresses for ip targets; `None` for what is no node or pod of
    /// the cluster any more.
    pub(crate) fn side_of(
        &self,
        target: &Target,
        by_instance: &[(&str, Side)],
        by_ip: &[(&str, Side)],
    ) -> Option<Side> {
        let (table, id) = match &target.id {
            TargetId::Instance(id) => (by_instance, id),
            TargetId::Ip(ip) => (by_ip, ip),
        };
        table.binary_search_by(|(own, _)| (*own).cmp(&**id)).ok().map(|at| table[at].1)
    }

    /// Sides by instance id, sorted for [`Self::side_of`].
    pub(crate) fn instances(&self) -> Vec<(&'a str, Side)> {
        let mut table: Vec<_> =
            self.seats.iter().filter_map(|seat| Some((instance_id(seat.node)?, seat.side))).collect();
        table.sort_unstable_by_key(|(id, _)| *id);
        table
    }

    /// Sides by pod address, sorted for [`Self::side_of`]; only where some target group registers pods.
    pub(crate) fn addresses(&self) -> Vec<(&'a str, Side)> {
        if !self.balanced.iter().flat_map(|b| &b.groups).any(|group| group.ip_targets) {
            return Vec::new();
        }
        let mut table: Vec<_> = self
            .cluster
            .pods
            .values()
            .filter(|pod| pod.is_active())
            .filter_map(|pod| {
                let seat = seat_of(&self.seats, pod.node.as_deref()?)?;
                Some((pod.ip.as_deref()?, self.seats[seat].side))
            })
            .collect();
        table.sort_unstable_by_key(|(ip, _)| *ip);
        table
    }
}

impl<'a> Workload<'a> {
    /// Replicas before the migration.
    pub(crate) fn original(&self) -> u32 {
        let marks = self.marks.as_ref();
        let remembered = match self.autoscaler {
            Some(_) => marks.and_then(|marks| marks.target_replicas),
            None => marks.and_then(|marks| marks.replicas).map(|replicas| replicas.was),
        };
        remembered.unwrap_or(self.deployment.replicas)
    }

    /// Replicas that are asked for now: by the frozen autoscaler, else by the Deployment.
    pub(crate) fn asked(&self) -> u32 {
        match (self.autoscaler, &self.marks) {
            (Some(autoscaler), Some(marks)) if marks.bounds.is_some() => autoscaler.max,
            _ => self.deployment.replicas,
        }
    }

    /// Active pods on nodes that are left.
    pub(crate) fn leaving(&self) -> impl Iterator<Item = &Member<'a>> {
        self.pods.iter().filter(|member| member.leaving)
    }

    /// Active pods on other nodes, or on none yet.
    pub(crate) fn moved(&self) -> impl Iterator<Item = &Member<'a>> {
        self.pods.iter().filter(|member| !member.leaving)
    }

    /// Whether the controllers have done all that was asked of them, and the view has caught up with it: only then is
    /// the next change made, because every count below must mean the same moment.
    pub(crate) fn is_converged(&self) -> bool {
        let deployment = self.deployment;
        let wanted = deployment.replicas;
        let one_active = match self.replica_sets.as_slice() {
            [] => wanted == 0,
            [set] => set.replicas == wanted && set.status_replicas == wanted,
            _ => false,
        };
        deployment.observed_generation >= deployment.generation
            && one_active
            && self.asked() == wanted
            && u32::try_from(self.pods.len()) == Ok(wanted)
    }

    /// Whether somebody else changed the scale after us: from then on it is theirs.
    pub(crate) fn is_theirs(&self) -> bool {
        let Some(marks) = &self.marks else { return false };
        match self.autoscaler {
            Some(autoscaler) => marks
                .bounds
                .is_some_and(|bounds| (bounds.set.min, bounds.set.max) != (autoscaler.min, autoscaler.max)),
            None => marks.replicas.is_some_and(|replicas| replicas.set != self.deployment.replicas),
        }
    }

    /// The request that asks for another number of replicas, remembering the first.
    pub(crate) fn scaled(&self, plan: &Plan, replicas: u32) -> Write {
        match self.autoscaler {
            Some(autoscaler) => {
                let now = ReplicaBounds { min: autoscaler.min, max: autoscaler.max };
                let set = ReplicaBounds { min: replicas, max: replicas };
                let mut marks = Marks::of_or_new(&autoscaler.meta, &plan.id);
                let was = marks.bounds.map_or(now, |bounds| bounds.was);
                marks.bounds = Some(Changed { was, set });
                marks.target_replicas = marks.target_replicas.or(Some(self.deployment.replicas));
                let bounds = Change::ReplicaBounds { min: set.min, max: set.max };
                patch(Kind::HorizontalPodAutoscaler, &autoscaler.meta, vec![marks.written(), bounds])
            }
            None => {
                let deployment = &self.deployment.meta;
                let mut marks = Marks::of_or_new(deployment, &plan.id);
                let was = marks.replicas.map_or(self.deployment.replicas, |replicas| replicas.was);
                marks.replicas = Some(Changed { was, set: replicas });
                patch(Kind::Deployment, deployment, vec![marks.written(), Change::Replicas(replicas)])
            }
        }
    }
}

/// A patch of one object at the version that was seen.
pub(crate) fn patch(kind: Kind, object: &Meta, changes: Vec<Change>) -> Write {
    Write::Patch(Patch {
        kind,
        object: object.name.clone(),
        uid: object.uid.clone(),
        resource_version: Some(object.resource_version),
        changes,
    })
}

/// A wait that only evidence ends.
pub(crate) fn wait(
    phase: &'static str,
    what: impl Into<String>,
    seen: impl Into<String>,
    wanted: impl Into<String>,
    poll: Poll,
) -> Step {
    Step::Wait(Wait {
        until: None,
        for_what: Reason { phase, what: what.into(), seen: seen.into(), wanted: wanted.into() },
        poll,
    })
}

/// A wait that time ends.
pub(crate) fn wait_until(until: Timestamp, phase: &'static str, what: impl Into<String>, poll: Poll) -> Step {
    Step::Wait(Wait {
        until: Some(until),
        for_what: Reason {
            phase,
            what: what.into(),
            seen: "it has not passed".to_owned(),
            wanted: until.to_string(),
        },
        poll,
    })
}

/// A moment after another.
pub(crate) fn later(at: Timestamp, span: Duration) -> Timestamp {
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}

/// `namespace/name`, or the name alone of a cluster-scoped object.
pub(crate) fn shown(name: &ObjectName) -> String {
    if name.namespace.is_empty() {
        name.name.to_string()
    } else {
        format!("{}/{}", name.namespace, name.name)
    }
}

/// Name of the mark that says since when a node has left its target groups.
pub(crate) fn departure(node: &Node) -> String {
    format!("left/{}", node.meta.name.name)
}

/// Whether the controllers keep a node out of load balancers. Any value counts but `false`, which 1.34 and later read.
pub(crate) fn is_excluded(node: &Node) -> bool {
    node.meta.labels.get(EXCLUDE).is_some_and(|value| value != "false")
}

/// Whether the taint of the migration is on a node.
pub(crate) fn is_tainted(node: &Node) -> bool {
    node.taints.iter().any(|taint| taint.key == TAINT)
}

/// Whether a pod has the cost that lets it go first.
pub(crate) fn is_cheap(pod: &Pod) -> bool {
    pod.meta.annotations.get(DELETION_COST).is_some_and(|cost| cost == LOW_COST)
}

/// The instance behind a node, from `aws:///zone/i-0123`.
pub(crate) fn instance_id(node: &Node) -> Option<&str> {
    node.provider_id.as_deref()?.rsplit('/').next()
}

/// Whether a pod belongs to a StatefulSet.
pub(crate) fn is_stateful(pod: &Pod) -> bool {
    pod.owner.as_ref().is_some_and(|owner| owner.kind == OwnerKind::StatefulSet)
}

/// Whether a Ready pod of a Service is left on a node without this one and those that are `gone`.
fn stays_good(b: &Balanced<'_>, seat: &Seat<'_>, pod: &Pod, gone: &[&Member<'_>]) -> bool {
    seat.lodgers.iter().any(|other| {
        other.is_ready()
            && other.meta.uid != pod.meta.uid
            && gone.iter().all(|member| member.pod.meta.uid != other.meta.uid)
            && other.meta.name.namespace == b.service.meta.name.namespace
            && service_selects(&b.service.selector, &other.meta.labels)
    })
}

fn workload(deployment: &Deployment) -> Workload<'_> {
    Workload {
        deployment,
        autoscaler: None,
        marks: None,
        system: false,
        replica_sets: Vec::new(),
        pods: Vec::new(),
        by_eviction: None,
    }
}

fn balanced<'a>(plan: &'a Plan, cluster: &'a ClusterView) -> Vec<Balanced<'a>> {
    let mut groups: BTreeMap<&ObjectName, Vec<&'a TargetGroup>> = BTreeMap::new();
    for group in cluster.aws.target_groups.values().filter(|group| !group.classic) {
        groups.entry(&group.service).or_default().push(group);
    }
    cluster
        .services
        .values()
        .filter(|service| service.load_balancer)
        .map(|service| Balanced {
            service,
            planned: plan.service(&service.meta.name),
            groups: groups.remove(&service.meta.name).unwrap_or_default(),
        })
        .collect()
}

fn seats<'a>(cluster: &'a ClusterView, leaving: &str, arriving: &str) -> Vec<Seat<'a>> {
    cluster
        .nodes
        .values()
        .enumerate()
        .map(|(at, node)| {
            let group = node.node_group.as_deref();
            let side = if group == Some(leaving) {
                Side::Leaving
            } else if group == Some(arriving) {
                Side::Arriving
            } else {
                Side::Elsewhere
            };
            Seat { at, node, side, lodgers: Vec::new(), presence: Presence::Out }
        })
        .collect()
}

/// Index of a node among the seats, which are sorted by node name.
pub(crate) fn seat_of(seats: &[Seat<'_>], node: &str) -> Option<usize> {
    seats.binary_search_by(|seat| (*seat.node.meta.name.name).cmp(node)).ok()
}

/// Notes for every node its worst state over the instance target groups.
fn note_presence(seats: &mut [Seat<'_>], cluster: &ClusterView) {
    let mut by_instance: Vec<(&str, usize)> =
        seats.iter().enumerate().filter_map(|(at, seat)| Some((instance_id(seat.node)?, at))).collect();
    by_instance.sort_unstable();
    for group in cluster.aws.target_groups.values().filter(|group| !group.classic) {
        for target in &group.targets {
            let TargetId::Instance(id) = &target.id else { continue };
            let Ok(at) = by_instance.binary_search_by(|(own, _)| (*own).cmp(&**id)) else { continue };
            let seat = &mut seats[by_instance[at].1];
            seat.presence = seat.presence.max(match target.state {
                TargetState::Unused => Presence::Out,
                TargetState::Draining if !group.unhealthy_cuts => Presence::Out,
                TargetState::Draining => Presence::Draining,
                _ => Presence::In,
            });
        }
    }
}
