//! The view, arranged for decisions: which nodes are left and which are reached, which pods belong to which workload,
//! how far each node has departed from the load balancers. Built once per decision, in one pass over nodes and pods.

mod lookup;
mod signs;
mod steps;
mod workload;

use std::{collections::BTreeMap, ops::ControlFlow, time::Duration};

use jiff::Timestamp;

pub(crate) use self::{
    lookup::Lookup,
    signs::{departure, instance_id, is_cheap, is_excluded, is_stateful, is_tainted},
    steps::{GROUP_POLL, POLL_NOW, TARGET_POLL, later, patch, shown, wait, wait_until},
    workload::{Member, Workload},
};
use crate::{
    action::{Action, Step},
    journal::{Course, Journal, Mark, Status},
    marks::{ANNOTATION, Marks},
    plan::{Plan, PlannedService, is_system, runs_once},
    selector::service_selects,
    view::{
        AutoScalingGroup, ClusterView, JournalObject, Node, NodeGroup, ObjectName, OwnerKind, Pod, PodPhase,
        Service, StringMap, Target, TargetGroup, TargetId, TargetState,
    },
};

/// Whether a step is done (`Continue`), or what to do about it (`Break`).
pub(crate) type Progress = ControlFlow<Step>;

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
    /// Its instance.
    pub(crate) instance: Option<&'a str>,
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
    /// Indexes of seats by the instances of their nodes.
    by_instance: Lookup<'a>,
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
        let by_instance = by_instance(&seats);
        note_presence(&mut seats, &by_instance, cluster);
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
            by_instance,
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
        let nodes = Lookup::new(self.seats.iter().map(|seat| (&*seat.node.meta.name.name, seat.at)));
        let mut workloads: Vec<Workload<'a>> =
            self.cluster.deployments.values().map(|deployment| Workload::new(deployment)).collect();
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
        let owners = Lookup::new(owners.into_iter());
        // Pods of one ReplicaSet follow each other by name, so that its Deployment is mostly that of the pod before.
        let mut owner_before: Option<(&str, Option<usize>)> = None;
        for pod in self.cluster.pods.values() {
            let pod: &'a Pod = pod;
            let owner = pod.owner.as_ref();
            let stays = owner.is_some_and(|o| matches!(o.kind, OwnerKind::DaemonSet | OwnerKind::Node));
            if stays || matches!(pod.phase, PodPhase::Succeeded | PodPhase::Failed) {
                continue;
            }
            let seat = pod.node.as_deref().and_then(|node| nodes.get(node));
            let leaving = seat.is_some_and(|at| self.seats[at].side == Side::Leaving);
            if let Some(at) = seat {
                self.seats[at].lodgers.push(pod);
            }
            if !pod.is_active() {
                continue;
            }
            let member = Member { pod, seat, leaving };
            let deployment = owner.filter(|o| o.kind == OwnerKind::ReplicaSet).and_then(|o| {
                let known = owner_before.filter(|(uid, _)| *uid == &*o.uid);
                let found = known.unwrap_or_else(|| (&*o.uid, owners.get(&o.uid)));
                owner_before = Some(found);
                found.1
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
                    TargetId::Instance(id) => seat.instance == Some(&**id),
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
    pub(crate) fn side_of(&self, target: &Target, by_ip: &[(&str, Side)]) -> Option<Side> {
        match &target.id {
            TargetId::Instance(id) => self.by_instance.get(id).map(|at| self.seats[at].side),
            TargetId::Ip(ip) => {
                by_ip.binary_search_by(|(own, _)| (*own).cmp(&**ip)).ok().map(|at| by_ip[at].1)
            }
        }
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
            Seat { at, node, instance: instance_id(node), side, lodgers: Vec::new(), presence: Presence::Out }
        })
        .collect()
}

/// Index of a node among the seats, which are sorted by node name.
pub(crate) fn seat_of(seats: &[Seat<'_>], node: &str) -> Option<usize> {
    seats.binary_search_by(|seat| (*seat.node.meta.name.name).cmp(node)).ok()
}

fn by_instance<'a>(seats: &[Seat<'a>]) -> Lookup<'a> {
    let instances: Vec<(&str, usize)> =
        seats.iter().filter_map(|seat| Some((seat.instance?, seat.at))).collect();
    Lookup::new(instances.into_iter())
}

/// Notes for every node its worst state over the instance target groups.
fn note_presence(seats: &mut [Seat<'_>], by_instance: &Lookup<'_>, cluster: &ClusterView) {
    for group in cluster.aws.target_groups.values().filter(|group| !group.classic) {
        for target in &group.targets {
            let TargetId::Instance(id) = &target.id else { continue };
            let Some(at) = by_instance.get(id) else { continue };
            let seat = &mut seats[at];
            seat.presence = seat.presence.max(match target.state {
                TargetState::Unused => Presence::Out,
                TargetState::Draining if !group.unhealthy_cuts => Presence::Out,
                TargetState::Draining => Presence::Draining,
                _ => Presence::In,
            });
        }
    }
}
