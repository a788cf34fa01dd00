//! Pods from creation to removal: the API server's rules for their deletion, and what the kubelet does with them.

use std::sync::Arc;

use loadgen::profile::AtSigterm;

use super::{
    Time, World,
    ids::{ConnectionId, EntryId, NodeId, PodId, SpecId},
    log::{Subject, What},
    objects::{Body, Meta, Phase, Pod, PodOwner, StringMap},
    queue::Event,
};

/// How far a pod's containers are, as only its kubelet knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Containers {
    /// Not started yet.
    Waiting,
    /// Running since then.
    Running { since: Time },
    /// No longer running.
    Exited,
}

/// What is known of a pod outside the API.
#[derive(Debug, Clone)]
pub(super) struct PodState {
    pub(super) containers: Containers,
    /// SIGTERM was sent.
    pub(super) signalled: bool,
    /// When SIGKILL comes; the latest decision counts.
    pub(super) kill_at: Time,
    /// Connections that may be open; those whose end has passed are over.
    pub(super) connections: Vec<ConnectionId>,
    /// The entry that last changed what the pod can serve.
    pub(super) entry: EntryId,
    /// The entry that asked for its deletion.
    pub(super) deletion: EntryId,
    /// Attempts of the scheduler.
    pub(super) attempts: u32,
    /// Stands in the scheduler's queue.
    pub(super) queued: bool,
    /// Not to be tried by the scheduler before then.
    pub(super) backoff_until: Time,
    /// The load balancer controller's readiness gate is True (or there is none).
    pub(super) gate: bool,
    /// Its requests are counted on its node.
    pub(super) takes_share: bool,
    /// When its deletion cost was last changed, and what it was before: controllers see changes by watch.
    pub(super) cost_before: Option<(Time, Option<String>)>,
}

impl Default for PodState {
    fn default() -> Self {
        PodState {
            containers: Containers::Waiting,
            signalled: false,
            kill_at: Time::MAX,
            connections: Vec::new(),
            entry: super::log::START,
            deletion: super::log::START,
            attempts: 0,
            queued: false,
            backoff_until: 0,
            gate: true,
            takes_share: false,
            cost_before: None,
        }
    }
}

impl World {
    /// Creates a pod for a controller and puts it into the scheduler's queue.
    pub(super) fn create_pod(
        &mut self,
        owner: PodOwner,
        (namespace, name): (Arc<str>, Arc<str>),
        labels: StringMap,
        spec: SpecId,
        node: Option<NodeId>,
        cause: EntryId,
    ) -> PodId {
        let mut meta = self.new_meta(namespace, name, labels);
        meta.annotations = self.template_annotations(owner);
        self.add_pod(meta, owner, spec, node, cause)
    }

    /// Adds a pod, bound to `node` or to be scheduled.
    pub(super) fn add_pod(
        &mut self,
        meta: Meta,
        owner: PodOwner,
        spec: SpecId,
        node: Option<NodeId>,
        cause: EntryId,
    ) -> PodId {
        let (namespace, name) = (meta.namespace.clone(), meta.name.clone());
        let labels = self.label_sets.intern(&namespace, &meta.labels);
        let pod = Pod {
            meta,
            labels,
            owner,
            spec,
            node: None,
            phase: Phase::Pending,
            ready: false,
            ready_at: self.now as i64,
            ip: 0,
            restarts: 0,
            grace: 0,
            disrupted: false,
            unschedulable: None,
        };
        let id = self.pods.insert(&namespace, &name, pod);
        let gated = self.specs[spec.index()].gated;
        self.pod_states.push(PodState { gate: !gated, ..PodState::default() });
        let entry = self.record(cause, Subject::Pod(id), What::Created);
        self.pod_states[id.index()].entry = entry;
        self.owned(owner, id, true);
        self.pod_changed(id, entry);
        match node {
            Some(node) => self.bind(id, node, entry),
            None => self.enqueue_pod(id, entry),
        }
        id
    }

    /// Binds a pod to a node; its kubelet sees it after the watch's lag.
    pub(super) fn bind(&mut self, id: PodId, node: NodeId, cause: EntryId) {
        let entry = self.record(cause, Subject::Pod(id), What::Scheduled(node));
        let pod = self.pods.edit(id);
        pod.node = Some(node);
        pod.unschedulable = None;
        let spec = &self.specs[pod.spec.index()];
        let state = &mut self.node_states[node.index()];
        state.pods.push(id);
        let cached = state.holds_image(spec.image);
        let p = &self.parameters;
        let pull = if cached { p.kubelet_image_cached } else { p.kubelet_image_pull_cold };
        let sandbox = if spec.host_network { 0 } else { p.kubelet_sandbox };
        let takes = p.kubelet_reaction + sandbox + pull + p.kubelet_container_start;
        let starts_at = self.now + self.watch_lag() + takes;
        self.queue.push(starts_at, Event::PodStarts(id), entry);
        self.take_share(id, true);
        self.pod_changed(id, entry);
    }

    /// The containers of a pod start.
    pub(super) fn pod_starts(&mut self, id: PodId, cause: EntryId) {
        let Some(pod) = self.pods.get(id).cloned() else { return };
        let Some(node) = pod.node.filter(|_| !pod.terminating() && !pod.finished()) else { return };
        let spec = &self.specs[pod.spec.index()];
        if !self.nodes.exists(node) || !self.node_states[node.index()].up {
            return;
        }
        if self.volume_busy(id, node) {
            // Its volume is still attached to another node.
            self.queue.push(self.now + 5_000, Event::PodStarts(id), cause);
            return;
        }
        // Without a ready node there is no pod network yet; only host-network pods start.
        if !spec.host_network && !self.node_is_ready(node) {
            self.queue.push(self.now + 1_000, Event::PodStarts(id), cause);
            return;
        }
        let (image, initial, period, probed) =
            (spec.image, spec.probe_initial, spec.probe_period, spec.probed);
        let host_network = spec.host_network;
        self.node_states[node.index()].images.insert(image);
        let entry = self.record(cause, Subject::Pod(id), What::ContainersStarted);
        let ip = if host_network { self.node_states[node.index()].ip } else { self.next_ip(node) };
        let pod = self.pods.edit(id);
        pod.phase = Phase::Running;
        pod.ip = ip;
        let state = &mut self.pod_states[id.index()];
        state.containers = Containers::Running { since: self.now };
        state.entry = entry;
        self.on_proxy_pod(id, node, true);
        self.pod_changed(id, entry);
        // The first probe is sent at once or after the initial delay, later ones each period; the application passes
        // from the first probe after its warm-up on. Without a probe the next relist (1 s) reports it ready.
        let warm = self.parameters.application_warm_up;
        let ready_in = if !probed {
            1_000
        } else if warm <= initial {
            initial
        } else {
            initial + (warm - initial).div_ceil(period) * period
        };
        self.queue.push(self.now + ready_in, Event::PodIsReady(id), entry);
    }

    /// The readiness probe succeeds, if what the pod needs is there.
    pub(super) fn pod_is_ready(&mut self, id: PodId, cause: EntryId) {
        let Some(pod) = self.pods.get(id).cloned() else { return };
        if pod.ready
            || pod.finished()
            || !matches!(self.pod_states[id.index()].containers, Containers::Running { .. })
        {
            return;
        }
        let spec = &self.specs[pod.spec.index()];
        if spec.failing {
            return;
        }
        if spec.uses_dns && !self.dns_answers() {
            let period = spec.probe_period;
            self.queue.push(self.now + period, Event::PodIsReady(id), cause);
            return;
        }
        if !self.pod_states[id.index()].gate {
            // Endpoint and target come first; the gate's condition makes it ready.
            self.pod_changed(id, cause);
            self.queue.push(self.now + self.parameters.lbc_gate_poll, Event::GateCondition(id), cause);
            return;
        }
        self.set_ready(id, true, cause);
    }

    pub(super) fn set_ready(&mut self, id: PodId, ready: bool, cause: EntryId) {
        if self.pods.last(id).ready == ready {
            return;
        }
        let what = if ready { What::Ready } else { What::NotReady };
        let entry = self.record(cause, Subject::Pod(id), what);
        let now = self.now as i64;
        let pod = self.pods.edit(id);
        pod.ready = ready;
        pod.ready_at = now;
        self.pod_states[id.index()].entry = entry;
        self.pod_changed(id, entry);
        if let PodOwner::ReplicaSet(owner) = self.pods.last(id).owner {
            let min_ready = self.replica_sets.last(owner).min_ready;
            if ready && min_ready > 0 {
                self.queue.push(self.now + min_ready, Event::SyncReplicaSet(owner), entry);
            }
        }
    }

    /// Asks for a pod's deletion, as DELETE or an eviction does. A second one can only shorten the grace period.
    pub(super) fn delete_pod(&mut self, id: PodId, grace: Option<Time>, what: Option<What>, cause: EntryId) {
        let Some(pod) = self.pods.get(id).cloned() else { return };
        let spec_grace = self.specs[pod.spec.index()].grace;
        let grace = match grace {
            _ if pod.node.is_none() || pod.finished() => 0,
            Some(grace) => grace,
            None => spec_grace,
        };
        if pod.terminating() && grace >= pod.grace {
            return;
        }
        let entry = self.record(cause, Subject::Pod(id), what.unwrap_or(What::DeletionRequested { grace }));
        let first = !pod.terminating();
        let now = self.now;
        let edited = self.pods.edit(id);
        edited.meta.deletion_at = Some(now + grace);
        edited.meta.generation += 1;
        edited.grace = grace;
        edited.disrupted |= matches!(what, Some(What::Evicted));
        let state = &mut self.pod_states[id.index()];
        state.entry = entry;
        if first {
            state.deletion = entry;
            self.leader_ends(id);
            self.expose(id, entry);
        }
        if pod.node.is_none()
            || grace == 0 && !matches!(self.pod_states[id.index()].containers, Containers::Running { .. })
        {
            self.remove_pod(id, entry);
            return;
        }
        self.pod_changed(id, entry);
        let reacts_at = now + self.watch_lag() + self.parameters.kubelet_reaction;
        self.queue.push(reacts_at, Event::PodReacts(id), entry);
        if grace == 0 {
            // Forced: the object goes at once, the process follows when its kubelet notices.
            self.remove_pod(id, entry);
        }
    }

    /// The kubelet sees that the pod is to end: preStop, then SIGTERM, then SIGKILL.
    pub(super) fn pod_reacts(&mut self, id: PodId, cause: EntryId) {
        let pod = self.pods.last(id).clone();
        let Some(node) = pod.node else { return };
        if !self.node_states[node.index()].up {
            return;
        }
        match self.pod_states[id.index()].containers {
            Containers::Waiting => {
                self.queue.push(self.now + self.parameters.kubelet_removal, Event::PodRemoved(id), cause);
            }
            Containers::Exited => {}
            Containers::Running { .. } => {
                let pre_stop = self.specs[pod.spec.index()].pre_stop.min(pod.grace);
                // The window after SIGTERM is at least two seconds, and whole seconds are counted, so the end lies
                // up to two seconds behind the grace period.
                let window = (pod.grace - pre_stop).max(2_000);
                let late = self.chance_of(&[0x6b69_6c6c, u64::from(id.0)], 2_000);
                let kill_at = self.now + pre_stop + window + late;
                let state = &mut self.pod_states[id.index()];
                if kill_at < state.kill_at {
                    state.kill_at = kill_at;
                    self.queue.push(kill_at, Event::PodKilled(id), cause);
                }
                if !self.pod_states[id.index()].signalled {
                    self.queue.push(self.now + pre_stop, Event::PodSignalled(id), cause);
                }
            }
        }
    }

    /// SIGTERM: what happens now is the application's choice.
    pub(super) fn pod_signalled(&mut self, id: PodId, cause: EntryId) {
        if self.pod_states[id.index()].signalled
            || !matches!(self.pod_states[id.index()].containers, Containers::Running { .. })
        {
            return;
        }
        let entry = self.record(cause, Subject::Pod(id), What::Signalled);
        self.pod_states[id.index()].signalled = true;
        match self.behaviour_of(id) {
            None | Some(AtSigterm::CloseAtOnce) => self.pod_exits(id, What::Exited, entry),
            Some(AtSigterm::FinishWithNotice) => {
                self.close_with_notice(id, entry);
                self.pod_exits(id, What::Exited, entry);
            }
            Some(AtSigterm::ServeUntilClientsLeave) => {
                let linger = self.parameters.application_linger;
                self.queue.push(self.now + linger, Event::PodIdle(id), entry);
            }
        }
    }

    /// An application that serves on leaves when its last client has left.
    pub(super) fn pod_idle(&mut self, id: PodId, cause: EntryId) {
        if !matches!(self.pod_states[id.index()].containers, Containers::Running { .. }) {
            return;
        }
        match self.last_end_on(id) {
            Some(ends_at) if ends_at > self.now => self.queue.push(ends_at, Event::PodIdle(id), cause),
            _ => self.pod_exits(id, What::Exited, cause),
        }
    }

    /// SIGKILL, unless the pod's end was decided otherwise since.
    pub(super) fn pod_killed(&mut self, id: PodId, cause: EntryId) {
        if self.pod_states[id.index()].kill_at == self.now {
            self.pod_exits(id, What::Killed, cause);
        }
    }

    /// The processes of a pod end; its open connections end with them.
    pub(super) fn pod_exits(&mut self, id: PodId, what: What, cause: EntryId) {
        if !matches!(self.pod_states[id.index()].containers, Containers::Running { .. }) {
            return;
        }
        let entry = self.record(cause, Subject::Pod(id), what);
        let state = &mut self.pod_states[id.index()];
        state.containers = Containers::Exited;
        state.entry = entry;
        self.leader_ends(id);
        self.cut_pod(id, entry);
        if let Some(node) = self.pods.last(id).node {
            self.on_proxy_pod(id, node, false);
        }
        if self.pods.exists(id) {
            let pod = self.pods.edit(id);
            let was_ready = std::mem::replace(&mut pod.ready, false);
            if was_ready {
                pod.ready_at = self.now as i64;
            }
            pod.phase = if what == What::Killed { Phase::Failed } else { Phase::Succeeded };
            self.pod_changed(id, entry);
            self.queue.push(self.now + self.parameters.kubelet_removal, Event::PodRemoved(id), entry);
        }
    }

    /// A kubelet lets the API object of a pod go, unless its host is gone by then: the pod is an orphan and is collected.
    pub(super) fn kubelet_removes(&mut self, id: PodId, cause: EntryId) {
        if self.pods.last(id).node.is_none_or(|node| self.node_states[node.index()].up) {
            self.remove_pod(id, cause);
        }
    }

    /// The API object of a pod goes.
    pub(super) fn remove_pod(&mut self, id: PodId, cause: EntryId) {
        let Some(pod) = self.pods.get(id).cloned() else { return };
        if self.pod_is_kept(id, cause) {
            return;
        }
        let entry = self.record(cause, Subject::Pod(id), What::Removed);
        self.leader_ends(id);
        self.pods.remove(id, &pod.meta.namespace, &pod.meta.name);
        if let Some(node) = pod.node {
            let state = &mut self.node_states[node.index()];
            state.pods.retain(|&other| other != id);
            state.relieved_by = entry;
        }
        self.owned(pod.owner, id, false);
        self.pod_changed(id, entry);
        if let Some(owner) = pod.owner.object() {
            self.foreground_ends(owner, entry);
        }
    }

    pub(super) fn new_meta(&mut self, namespace: Arc<str>, name: Arc<str>, labels: StringMap) -> Meta {
        let uid = self.new_uid();
        Meta {
            namespace,
            name,
            uid,
            resource_version: 0,
            generation: 1,
            labels,
            annotations: StringMap::default(),
            created_at: self.now as i64,
            deletion_at: None,
            body: Body::Made,
        }
    }
}
