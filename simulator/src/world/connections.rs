//! Connections: the path that each one takes, what ends it, and for which cause.
//!
//! A client has one slot and one pending event: its next connect. An established connection plans nothing; when its
//! end has passed it is over, and whoever walks a pod's or a node's connections skips it. No event per message.

use loadgen::{
    chance::below,
    outcome::EndCause,
    profile::AtSigterm,
    session::{Schedule, Session},
};

use super::{
    Time, World,
    ids::{ConnectionId, EntryId, NodeId, PodId, ServiceId, TargetGroupId},
    load_balancer::TargetKey,
    log::START,
    pods::Containers,
};

/// The traffic that is offered to one Service.
#[derive(Debug, Clone)]
pub struct Offered {
    /// The Service.
    pub service: ServiceId,
    /// When its clients connect.
    pub schedule: Schedule,
    /// What its application does at SIGTERM.
    pub at_sigterm: AtSigterm,
    /// How long a session may live, in milliseconds.
    pub contract: Time,
    /// The longest silence between two messages that any of its sessions keeps, in milliseconds.
    pub longest_silence: Time,
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Before its session.
    Away,
    /// After its session, which has been booked.
    Done,
    /// Established, unless its end has passed.
    Open,
    /// Trying to connect, or to come back, since then.
    Trying { attempt: u32, since: Time },
}

/// A client's slot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Connection {
    pub(super) session: Session,
    offered: u32,
    pub(super) state: State,
    /// When the client's next session opens.
    next_opens_at: Time,
    pub(super) group: u32,
    /// Index among its group's targets; for a client inside the cluster the pod that it is in.
    pub(super) target: u32,
    node: u32,
    pod: u32,
    in_pod: u32,
    in_node: u32,
    /// It was open on a pod when that pod's removal began.
    exposed: EntryId,
    /// It lost its connection at least once.
    lost: bool,
    /// Its pod is on another node than the one that it came in through.
    remote: bool,
}

/// No target group: the client is inside the cluster.
pub(super) const NONE: u32 = u32::MAX;

/// What became of a session, or of a try; in the order of their happening.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// When, in milliseconds since the start of the run.
    pub at: Time,
    /// Index of the Service's traffic in [`World::offered`].
    pub offered: u32,
    /// Client and ordinal of the session.
    pub session: (u32, u32),
    /// The session is within its contract.
    pub within: bool,
    /// What happened.
    pub event: OutcomeEvent,
}

/// The kinds of outcomes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OutcomeEvent {
    /// Connected; how long the connect took, in microseconds; whether it is a reconnect after that many milliseconds.
    Opened {
        /// Connect time in microseconds.
        connect_us: u64,
        /// Time without a connection before it, in milliseconds; zero for a session's first.
        down_ms: Time,
        /// It is a session's second or later connection.
        again: bool,
    },
    /// The session ended as its client wished.
    Completed {
        /// It was open on a pod when that pod's removal began.
        moved: bool,
        /// Response time in microseconds.
        response_us: u64,
    },
    /// A connection ended otherwise, or could not be made.
    Ended {
        /// For this cause.
        cause: EndCause,
        /// The entry that ended it.
        entry: EntryId,
        /// How old the session was, in milliseconds.
        age: Time,
        /// It was open on a pod when that pod's removal began.
        exposed: bool,
    },
}

/// All clients.
#[derive(Debug, Clone, Default)]
pub(super) struct Traffic {
    pub(super) offered: Vec<Offered>,
    pub(super) slots: Vec<Connection>,
    pub(super) outcomes: Vec<Outcome>,
    /// Sessions within their contract that were open on a pod when its removal began.
    pub(super) exposed: u64,
    pub(super) events: u64,
}

pub(super) struct Path {
    pub(super) group: u32,
    pub(super) target: u32,
    pub(super) node: NodeId,
    pub(super) pod: PodId,
    /// The pod is on another node.
    pub(super) remote: bool,
}

impl World {
    /// Adds clients of a Service. Their first sessions open at the start of the run.
    pub fn offer(&mut self, offered: Offered) {
        let index = self.traffic.offered.len() as u32;
        self.behaviours.insert(offered.service, offered.at_sigterm);
        for client in 0..offered.schedule.clients {
            let session = offered.schedule.first(client);
            let slot = ConnectionId::from(self.traffic.slots.len());
            self.traffic.slots.push(Connection {
                session,
                offered: index,
                state: State::Away,
                next_opens_at: session.ends_at() + offered.schedule.pause(&session),
                group: NONE,
                target: NONE,
                node: NONE,
                pod: NONE,
                in_pod: NONE,
                in_node: NONE,
                exposed: START,
                lost: false,
                remote: false,
            });
            self.clients.push(session.opens_at, slot);
        }
        self.traffic.offered.push(offered);
    }

    /// Traffic that is offered.
    pub fn offered(&self) -> &[Offered] {
        &self.traffic.offered
    }

    /// Takes what became of sessions since the last call.
    pub fn take_outcomes(&mut self, into: &mut Vec<Outcome>) {
        into.append(&mut self.traffic.outcomes);
    }

    /// Sessions within their contract that were open on a pod when its removal began.
    pub fn exposed_sessions(&self) -> u64 {
        self.traffic.exposed
    }

    /// A client's turn: its next session begins, or it tries again. A session that has ended since the last turn is
    /// booked here, so that a session costs one event and not two.
    pub(super) fn client_turn(&mut self, slot: ConnectionId) {
        self.traffic.events += 1;
        let connection = &self.traffic.slots[slot.index()];
        let (session, offered) = (connection.session, connection.offered);
        let over = session.ends_at() <= self.now;
        match connection.state {
            State::Away => self.connect(slot, offered, session, 0, self.now),
            State::Trying { attempt, since } if !over => {
                self.connect(slot, offered, session, attempt, since);
            }
            State::Open if !over => {
                // The load balancer forgot the flow in silence; the message that is due now is answered by a reset.
                self.cut(slot, EndCause::RstIdle, START);
            }
            State::Open => {
                self.complete(slot);
                self.begin_next(slot);
            }
            State::Trying { .. } | State::Done => self.begin_next(slot),
        }
    }

    fn begin_next(&mut self, slot: ConnectionId) {
        let connection = &mut self.traffic.slots[slot.index()];
        let offered = connection.offered;
        let schedule = &self.traffic.offered[offered as usize].schedule;
        let next = schedule.next_at(&connection.session, connection.next_opens_at);
        connection.session = next;
        // Drawn here, beside the lifetime: a processor makes two draws at once in little more than the time of one.
        connection.next_opens_at = next.ends_at() + schedule.pause(&next);
        connection.state = State::Away;
        connection.exposed = START;
        connection.lost = false;
        if next.opens_at <= self.now {
            self.connect(slot, offered, next, 0, self.now);
        } else {
            self.clients.move_to(slot, next.opens_at);
        }
    }

    /// Books every session that has ended by now, also of clients whose next turn is still to come.
    pub fn close_books(&mut self) {
        for slot in (0..self.traffic.slots.len()).map(ConnectionId::from) {
            let connection = &self.traffic.slots[slot.index()];
            if connection.state == State::Open && connection.session.ends_at() <= self.now {
                self.complete(slot);
                self.traffic.slots[slot.index()].state = State::Done;
            }
        }
    }

    fn connect(&mut self, slot: ConnectionId, offered: u32, session: Session, attempt: u32, since: Time) {
        let now = self.now;
        match self.path(offered, &session, attempt) {
            Ok(path) => {
                let bits = session.pick(0x636f_6e6e);
                let connect_us = 300 + below(bits, 400);
                let again = attempt > 0;
                let position_in_pod = self.pod_states[path.pod.index()].connections.len() as u32;
                self.pod_states[path.pod.index()].connections.push(slot);
                let position_in_node = self.node_states[path.node.index()].connections.len() as u32;
                self.node_states[path.node.index()].connections.push(slot);
                let connection = &mut self.traffic.slots[slot.index()];
                connection.state = State::Open;
                connection.group = path.group;
                connection.target = path.target;
                connection.node = path.node.0;
                connection.pod = path.pod.0;
                connection.remote = path.remote;
                connection.in_pod = position_in_pod;
                connection.in_node = position_in_node;
                let down_ms = if again { now - since } else { 0 };
                self.log.absorb(now ^ (u64::from(path.pod.0) << 40) ^ (u64::from(path.node.0) << 52));
                self.note(now, offered, &session, OutcomeEvent::Opened { connect_us, down_ms, again });
                let turn = self.next_turn(slot).max(now + 1);
                self.clients.move_to(slot, turn);
            }
            Err((cause, entry, after)) => {
                let connection = &mut self.traffic.slots[slot.index()];
                connection.state = State::Trying { attempt: attempt + 1, since };
                // A client that keeps failing is one drop and one window of downtime, not one a try.
                if attempt == 0 {
                    self.end(offered, session, cause, entry, false);
                }
                self.clients.move_to(slot, now + after.max(1_000));
            }
        }
    }

    /// Where a connect leads, or why nowhere and how long that takes to find out.
    fn path(
        &mut self,
        offered: u32,
        session: &Session,
        attempt: u32,
    ) -> Result<Path, (EndCause, EntryId, Time)> {
        let service = self.traffic.offered[offered as usize].service;
        let groups = &self.service_states[service.index()].target_groups;
        let salt = u64::from(attempt) << 32;
        if groups.is_empty() {
            return self.path_inside(service, session, salt);
        }
        let pick = below(session.pick(0x706f_7274), groups.len() as u64) as usize;
        let group = groups[pick];
        let zone = self.zone_of(group, session, salt);
        let entry = self.target_groups[group.index()].entry;
        let candidates = self.candidates(group, zone);
        if candidates.is_empty() {
            return Err((EndCause::Refused { reconnecting: false }, entry, 0));
        }
        let target = candidates[below(session.pick(0x7461_7267 ^ salt), candidates.len() as u64) as usize];
        let owner = &self.target_groups[group.index()];
        let (key, node) = (owner.targets[target as usize].key, owner.targets[target as usize].node);
        let target_entry = owner.why_chosen(target, zone, self.now);
        match key {
            TargetKey::Pod(pod) => {
                let node = node.expect("a pod that became a target was bound to a node");
                if !self.node_states[node.index()].up {
                    return Err((EndCause::ConnectTimeout, self.node_states[node.index()].entry, 3_000));
                }
                if !self.accepts(pod) {
                    return Err((
                        EndCause::Refused { reconnecting: false },
                        self.pod_states[pod.index()].entry,
                        0,
                    ));
                }
                Ok(Path { group: group.0, target, node, pod, remote: false })
            }
            TargetKey::Instance(_) => {
                let Some(node) = node else { return Err((EndCause::ConnectTimeout, entry, 3_000)) };
                let local = self.services.last(service).local;
                // A target that got the flow too early, or endpoints that left: whichever came last is the cause. Where
                // nobody serves at all, no other target would have been better.
                let (pod, remote) = self.through_node(service, node, local, session, salt).map_err(
                    |(cause, entry, after)| match cause {
                        EndCause::Refused { .. } => (cause, entry, after),
                        _ => (cause, entry.max(target_entry), after),
                    },
                )?;
                Ok(Path { group: group.0, target, node, pod, remote })
            }
        }
    }

    /// A node port: the node's kube-proxy chooses the endpoint. The pod, and whether it is on another node.
    pub(super) fn through_node(
        &self,
        service: ServiceId,
        node: NodeId,
        local: bool,
        session: &Session,
        salt: u64,
    ) -> Result<(PodId, bool), (EndCause, EntryId, Time)> {
        let state = &self.node_states[node.index()];
        if !state.up {
            return Err((EndCause::ConnectTimeout, state.entry, 3_000));
        }
        let Some(version) = self.known_version(node, service) else {
            // Before a node's proxy has begun, what it would know is what the control plane has written.
            let written = self.service_states[service.index()].versions.last();
            let nobody = written
                .filter(|version| super::endpoints::usable(version).is_empty())
                .map(|version| version.entry);
            return Err((EndCause::Refused { reconnecting: false }, nobody.unwrap_or(state.entry), 0));
        };
        let endpoints = self.external_endpoints(version, node, local);
        if endpoints.is_empty() {
            // Local without a local endpoint: DROP, the client times out. No endpoint at all: REJECT.
            let nowhere = version.ready.is_empty() && version.fallback.is_empty();
            return Err(if local && !nowhere {
                let deserted = self.service_states[service.index()].deserted.get(&node);
                (EndCause::ConnectTimeout, deserted.copied().unwrap_or(START), 3_000)
            } else {
                (EndCause::Refused { reconnecting: false }, version.entry, 0)
            });
        }
        let pick = below(session.pick(0x656e_6470 ^ salt), endpoints.len() as u64) as usize;
        let pod = endpoints[pick].pod;
        let pod_node = endpoints[pick].node;
        if !self.node_states[pod_node.index()].up {
            return Err((EndCause::ConnectTimeout, self.node_states[pod_node.index()].entry, 3_000));
        }
        if !self.accepts(pod) {
            return Err((EndCause::Refused { reconnecting: false }, self.pod_states[pod.index()].entry, 0));
        }
        Ok((pod, pod_node != node))
    }

    /// The zone whose address a client's resolver returned: as fresh as its cache.
    fn zone_of(&self, group: TargetGroupId, session: &Session, salt: u64) -> usize {
        let owner = &self.target_groups[group.index()];
        let ttl = self.parameters.nlb_dns_ttl;
        let settled = |&(_, changed_at): &(bool, Time)| changed_at == 0 || self.now - changed_at >= ttl;
        // How old a cache is matters only while some may be older than a change.
        let age =
            if owner.resolves.iter().all(settled) { 0 } else { below(session.pick(0x6167_6564), ttl + 1) };
        let resolved = |&(now_resolves, changed_at): &(bool, Time)| {
            if self.now.saturating_sub(changed_at) < age && changed_at > 0 {
                !now_resolves
            } else {
                now_resolves
            }
        };
        let count = owner.resolves.iter().filter(|zone| resolved(zone)).count() as u64;
        let bits = loadgen::chance::mix(session.zone_pick() ^ salt);
        if count == 0 {
            return below(bits, owner.zones.len() as u64) as usize;
        }
        let pick = below(bits, count) as usize;
        if count as usize == owner.resolves.len() {
            return pick;
        }
        owner
            .resolves
            .iter()
            .enumerate()
            .filter(|(_, zone)| resolved(zone))
            .nth(pick)
            .map_or(0, |(index, _)| index)
    }

    /// When a connection needs attention again: when its client's next session opens, or at the first message that
    /// comes after the load balancer has forgotten it.
    fn next_turn(&self, slot: ConnectionId) -> Time {
        let connection = &self.traffic.slots[slot.index()];
        let offered = &self.traffic.offered[connection.offered as usize];
        let ends_at = connection.session.ends_at();
        if let Some(group) = self.target_groups.get(connection.group as usize)
            && offered.longest_silence > group.idle_timeout
        {
            let silence = offered.schedule.cadence(&connection.session);
            if silence > group.idle_timeout && self.now + silence < ends_at {
                return self.now + silence;
            }
        }
        connection.next_opens_at
    }

    pub(super) fn complete(&mut self, slot: ConnectionId) {
        self.leave(slot);
        let connection = &self.traffic.slots[slot.index()];
        let further = if connection.remote { 250 } else { 0 };
        let response_us = 500 + below(connection.session.pick(0x7265_7370), 1_500) + further;
        let moved = connection.exposed != START && !connection.lost;
        let event = OutcomeEvent::Completed { moved, response_us };
        let (session, offered) = (connection.session, connection.offered);
        self.note(session.ends_at(), offered, &session, event);
    }

    fn note(&mut self, at: Time, offered: u32, session: &Session, event: OutcomeEvent) {
        // A session that is turned away at its opening has outlived nothing, however long it was going to stay.
        let turned_away = matches!(event, OutcomeEvent::Ended { cause, .. } if cause.is_before_established());
        let within = turned_away || session.lifetime <= self.traffic.offered[offered as usize].contract;
        let session = (session.client, session.ordinal);
        self.traffic.outcomes.push(Outcome { at, offered, session, within, event });
    }

    /// Takes a connection out of the lists of its pod and node.
    fn leave(&mut self, slot: ConnectionId) {
        let Connection { pod, node, in_pod, in_node, .. } = self.traffic.slots[slot.index()];
        let list = &mut self.pod_states[pod as usize].connections;
        list.swap_remove(in_pod as usize);
        if let Some(&moved) = list.get(in_pod as usize) {
            self.traffic.slots[moved.index()].in_pod = in_pod;
        }
        let list = &mut self.node_states[node as usize].connections;
        list.swap_remove(in_node as usize);
        if let Some(&moved) = list.get(in_node as usize) {
            self.traffic.slots[moved.index()].in_node = in_node;
        }
    }

    pub(super) fn is_live(&self, slot: ConnectionId) -> bool {
        let connection = &self.traffic.slots[slot.index()];
        connection.state == State::Open && connection.session.ends_at() > self.now
    }

    fn end(&mut self, offered: u32, session: Session, cause: EndCause, entry: EntryId, exposed: bool) {
        self.log.absorb(self.now ^ (u64::from(entry.0) << 24));
        let age = self.now.saturating_sub(session.opens_at);
        self.note(self.now, offered, &session, OutcomeEvent::Ended { cause, entry, age, exposed });
    }

    /// A connection is cut: its client comes back for the rest of its session.
    fn cut(&mut self, slot: ConnectionId, cause: EndCause, entry: EntryId) {
        let connection = self.traffic.slots[slot.index()];
        self.end(connection.offered, connection.session, cause, entry, connection.exposed != START);
        self.leave(slot);
        let now = self.now;
        let connection = &mut self.traffic.slots[slot.index()];
        connection.lost = true;
        connection.state = State::Trying { attempt: 1, since: now };
        self.clients.move_to(slot, now + 1);
    }

    fn cut_all(&mut self, slots: Vec<ConnectionId>, cause: EndCause, entry: EntryId) {
        for slot in slots {
            if self.is_live(slot) {
                self.cut(slot, cause, entry);
            }
        }
    }

    /// A pod's processes are gone, and its open connections with them.
    pub(super) fn cut_pod(&mut self, pod: PodId, entry: EntryId) {
        self.clients_end(pod);
        let slots = self.pod_states[pod.index()].connections.clone();
        self.cut_all(slots, EndCause::RstMidStream, entry);
    }

    /// An application announces the end on every connection and closes at a message boundary.
    pub(super) fn close_with_notice(&mut self, pod: PodId, entry: EntryId) {
        let slots = self.pod_states[pod.index()].connections.clone();
        let cause = EndCause::FinAtBoundary { announced: true, all_acked: true, outstanding: 0 };
        self.cut_all(slots, cause, entry);
    }

    /// A load balancer resets every flow through a target.
    pub(super) fn cut_target(&mut self, group: TargetGroupId, index: u32, entry: EntryId) {
        let target = &self.target_groups[group.index()].targets[index as usize];
        let Some(node) = target.node else { return };
        let slots: Vec<ConnectionId> = self.node_states[node.index()]
            .connections
            .iter()
            .copied()
            .filter(|slot| {
                let connection = &self.traffic.slots[slot.index()];
                connection.group == group.0 && connection.target == index
            })
            .collect();
        self.cut_all(slots, EndCause::RstIdle, entry);
    }

    /// A host is gone: flows through it, and those of its pods, fall silent.
    pub(super) fn cut_node(&mut self, node: NodeId, entry: EntryId) {
        for pod in self.node_states[node.index()].pods.clone() {
            self.clients_end(pod);
        }
        let slots = self.node_states[node.index()].connections.clone();
        self.cut_all(slots, EndCause::Blackhole, entry);
        for pod in self.node_states[node.index()].pods.clone() {
            let slots = self.pod_states[pod.index()].connections.clone();
            self.cut_all(slots, EndCause::Blackhole, entry);
        }
    }

    /// The removal of a pod begins: its open sessions are what a migration must not lose.
    pub(super) fn expose(&mut self, pod: PodId, entry: EntryId) {
        for slot in self.pod_states[pod.index()].connections.clone() {
            if !self.is_live(slot) {
                continue;
            }
            let connection = &mut self.traffic.slots[slot.index()];
            connection.exposed = entry;
            let contract = self.traffic.offered[connection.offered as usize].contract;
            if connection.session.lifetime <= contract {
                self.traffic.exposed += 1;
            }
        }
    }

    /// When the last open connection on a pod ends by itself.
    pub(super) fn last_end_on(&self, pod: PodId) -> Option<Time> {
        self.pod_states[pod.index()]
            .connections
            .iter()
            .filter(|&&slot| self.is_live(slot))
            .map(|slot| self.traffic.slots[slot.index()].session.ends_at())
            .max()
    }

    /// Connections of sessions within their contract that are open now through a node, or on its pods.
    pub fn promised_connections_on(&self, node: NodeId) -> usize {
        let state = &self.node_states[node.index()];
        let promised = |slot: ConnectionId| {
            let connection = &self.traffic.slots[slot.index()];
            let contract = self.traffic.offered[connection.offered as usize].contract;
            self.is_live(slot) && connection.session.lifetime <= contract
        };
        let through = state.connections.iter().filter(|&&slot| promised(slot)).count();
        let on_pods = state
            .pods
            .iter()
            .flat_map(|pod| &self.pod_states[pod.index()].connections)
            .filter(|&&slot| self.traffic.slots[slot.index()].node != node.0 && promised(slot))
            .count();
        through + on_pods
    }

    /// Whether every connect to a Service would succeed now, whatever it draws, and no connection would be forgotten
    /// between two messages.
    pub fn serves_everyone(&self, offered: &Offered) -> bool {
        let service = offered.service;
        let groups = &self.service_states[service.index()].target_groups;
        let through = |node: NodeId, local: bool| {
            self.node_states[node.index()].up
                && self.known_version(node, service).is_some_and(|version| {
                    let endpoints = self.external_endpoints(version, node, local);
                    !endpoints.is_empty() && endpoints.iter().all(|endpoint| self.accepts(endpoint.pod))
                })
        };
        if groups.is_empty() {
            let mut entries = self.client_nodes().peekable();
            return entries.peek().is_some() && entries.all(|node| through(node, false));
        }
        let local = self.services.last(service).local;
        groups.iter().all(|group| {
            let owner = &self.target_groups[group.index()];
            let healthy = |target: &&super::Target| target.state == super::TargetState::Healthy;
            let zone_is_served = |(index, zone): (usize, &super::ids::ZoneId)| {
                let resolves = owner.resolves[index].0;
                !resolves
                    || owner
                        .targets
                        .iter()
                        .filter(healthy)
                        .any(|target| owner.cross_zone || target.zone == *zone)
            };
            offered.longest_silence <= owner.idle_timeout
                && owner.zones.iter().enumerate().all(zone_is_served)
                && owner.targets.iter().filter(healthy).all(|target| match (target.key, target.node) {
                    (TargetKey::Pod(pod), _) => self.accepts(pod),
                    (TargetKey::Instance(_), Some(node)) => through(node, local),
                    (TargetKey::Instance(_), None) => false,
                })
                && owner.targets.iter().all(|target| target.stale_until <= self.now)
        })
    }

    /// What the application of a pod does at SIGTERM, if it is offered traffic.
    pub(super) fn behaviour_of(&self, pod: PodId) -> Option<AtSigterm> {
        let labels = self.pods.last(pod).labels;
        self.label_sets.services_of(labels).iter().find_map(|service| self.behaviours.get(service).copied())
    }

    /// Whether a pod's containers have ended.
    pub fn has_exited(&self, pod: PodId) -> bool {
        self.pod_states[pod.index()].containers == Containers::Exited
    }
}
