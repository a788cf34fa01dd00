//! The simulated EKS as one value: a discrete-event simulation with its own clock in whole milliseconds.
//!
//! [`World::advance`] lets time pass; everything else is a query or a request. There are no threads, sockets or
//! clocks here, and every draw comes from a named stream or a hash of one seed: the same cluster, parameters and seed
//! give the same events, to the bit, on every machine.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use loadgen::{
    chance::{Seed, Stream, below},
    profile::AtSigterm,
};

use crate::parameters::Parameters;

mod autoscaler;
mod aws;
pub(crate) mod bounds;
mod build;
mod cloud;
mod compile;
mod connections;
mod documents;
mod endpoints;
mod events;
mod feed;
pub mod ids;
mod inside;
mod labels;
mod leader;
mod load_balancer;
mod log;
mod measures;
mod nodes;
pub mod objects;
mod pods;
mod queue;
mod quotas;
mod render;
pub mod requests;
mod scheduling;
mod slices;
mod spec;
pub mod store;
mod table;
mod tell;
mod workloads;
pub mod writes;

pub use build::BuildError;
pub use build::Claim;
pub use cloud::{Bounds, Group, GroupDeletion, GroupStatus, Instance, InstanceState};
pub use connections::{Offered, Outcome, OutcomeEvent};
pub use feed::{Change as Seen, ObserverId};
pub use load_balancer::{Drift, Target, TargetGroup, TargetKey, TargetState};
pub use log::{Entry, ObjectKind, START, Subject, What};
pub use measures::{BudgetBreach, CapacityChange, Overwrite};
pub(crate) use spec::is_quantity;
pub use spec::{Spec, bytes, cpu_milli};
pub use table::Table;
pub use tell::clock;

use ids::{
    AutoscalerId, BudgetId, DaemonSetId, DeploymentId, EntryId, InstanceId, JobId, LeaseId, NodeId, PlainId,
    PodId, ReplicaSetId, RequestId, ServiceId, SpecId, StatefulSetId, ZoneId,
};
use objects::{
    DaemonSet, Deployment, DisruptionBudget, HorizontalPodAutoscaler, Job, Lease, Node, Plain, Pod,
    ReplicaSet, Service, StatefulSet,
};
use queue::{ClientQueue, Event, Queue};

/// Milliseconds since the start of the run.
pub type Time = u64;
/// Milliseconds since the start of the run; negative before it.
pub type Instant = i64;

/// The simulated EKS.
#[derive(Debug, Clone)]
pub struct World {
    now: Time,
    seed: Seed,
    parameters: Parameters,
    /// Wall time of the start of the run, for rendering.
    start: jiff::Timestamp,
    queue: Queue,
    clients: ClientQueue,
    served_client: u32,
    /// Until when no instance can be launched.
    no_capacity_until: Time,
    events: u64,
    log: log::Log,
    resource_version: u64,
    names: Stream,
    lags: Stream,
    ties: Stream,
    feed: feed::Feed,
    /// What the API server stores, once somebody serves it.
    store: Option<Box<store::Store>>,

    // Kubernetes.
    nodes: Table<NodeId, Node>,
    pods: Table<PodId, Pod>,
    deployments: Table<DeploymentId, Deployment>,
    replica_sets: Table<ReplicaSetId, ReplicaSet>,
    stateful_sets: Table<StatefulSetId, StatefulSet>,
    daemon_sets: Table<DaemonSetId, DaemonSet>,
    jobs: Table<JobId, Job>,
    autoscalers: Table<AutoscalerId, HorizontalPodAutoscaler>,
    budgets: Table<BudgetId, DisruptionBudget>,
    services: Table<ServiceId, Service>,
    config_maps: Table<PlainId, Plain>,
    leases: Table<LeaseId, Lease>,
    /// Everything else that was imported: kept, rendered, left alone.
    others: Vec<crate::import::RawObject>,
    other_kinds: BTreeMap<String, u32>,
    quotas: Vec<crate::import::Object>,
    /// Those among them that are enforced.
    enforced: Vec<quotas::Quota>,
    volumes: build::Volumes,
    specs: Vec<Spec>,
    images: BTreeMap<Arc<str>, u32>,
    label_sets: labels::LabelSets,
    node_states: Vec<nodes::NodeState>,
    pod_states: Vec<pods::PodState>,
    service_states: Vec<endpoints::ServiceState>,
    owners: workloads::Owners,
    scheduler: scheduling::Scheduler,
    dns: Option<ServiceId>,
    proxy_pods: Option<DaemonSetId>,
    load_balancer_leader: leader::Leader,
    kubelet_version: Arc<str>,
    cluster_version: Arc<str>,

    // AWS.
    /// As it was imported; what has changed since is in the fields below.
    aws: Arc<crate::import::aws::AwsState>,
    zones: Vec<Arc<str>>,
    zone_hosts: Vec<u32>,
    subnets: BTreeMap<Arc<str>, ZoneId>,
    subnet_addresses: BTreeMap<Arc<str>, u64>,
    instances: Vec<Instance>,
    groups: Vec<Group>,
    group_deletions: Vec<GroupDeletion>,
    launch_templates: BTreeMap<Arc<str>, requests::LaunchTemplate>,
    target_groups: Vec<TargetGroup>,
    controller: load_balancer::ServiceController,
    autoscaler: autoscaler::Autoscaler,

    // Clients.
    requests: Vec<requests::Submitted>,
    traffic: connections::Traffic,
    behaviours: BTreeMap<ServiceId, AtSigterm>,
    watchdog: measures::Watchdog,
}

impl World {
    /// The time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Wall time of the start of the run.
    pub fn start(&self) -> jiff::Timestamp {
        self.start
    }

    /// The parameters of the model.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// When something happens next.
    pub fn next_event_at(&self) -> Option<Time> {
        match (self.queue.next_at(), self.clients.next_at()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// The earliest moment at which an observer may have something new to see, as far as is known now.
    pub fn may_see_at(&self, observer: ObserverId) -> Option<Time> {
        match (self.queue.next_at(), self.feed.next_at(observer)) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Until then EC2 has no instance of any type to give. Source: EC2 error codes, `InsufficientInstanceCapacity`.
    pub fn exhaust_capacity(&mut self, until: Time) {
        self.no_capacity_until = until;
    }

    /// Whose requests those are that come through the served APIs from now on, in the log of requests.
    pub fn serve_for(&mut self, client: u32) {
        self.served_client = client;
    }

    pub(crate) fn served_client(&self) -> u32 {
        self.served_client
    }

    /// Lets time pass until `until`, or until `observer` has something new to see, whichever comes first. Events of
    /// the moment it stops at have happened.
    pub fn advance(&mut self, until: Time, observer: Option<ObserverId>) {
        loop {
            let cluster_at = self.queue.next_at().unwrap_or(Time::MAX);
            let clients_at = self.clients.next_at().unwrap_or(Time::MAX);
            let next = cluster_at.min(clients_at);
            let seen_at = observer.and_then(|observer| self.feed.next_at(observer)).unwrap_or(Time::MAX);
            if next > until || seen_at < next {
                self.now = self.now.max(until.min(seen_at));
                return;
            }
            self.now = next;
            // At equal times the cluster comes before its clients.
            if cluster_at <= clients_at {
                let due = self.queue.pop().expect("its time was just read");
                self.events += 1;
                self.happen(due.event, due.cause);
            } else {
                let (_, client) = self.clients.first().expect("its time was just read");
                self.client_turn(client);
            }
        }
    }

    fn happen(&mut self, event: Event, cause: EntryId) {
        match event {
            Event::Request(id) => self.carry_out(id),
            Event::SyncDeployment(id) => self.sync_deployment(id, cause),
            Event::SyncReplicaSet(id) => self.sync_replica_set(id, cause),
            Event::SyncStatefulSet(id) => self.sync_stateful_set(id, cause),
            Event::SyncDaemonSets => self.sync_daemon_sets(cause),
            Event::SyncJob(id) => self.sync_job(id, cause),
            Event::SyncAutoscaler(id) => self.sync_autoscaler(id, cause),
            Event::SyncBudget(id) => self.sync_budget(id, cause),
            Event::SyncEndpoints(id) => self.sync_endpoints(id, cause),
            Event::Schedule => self.schedule(cause),
            Event::ScheduleAgain(id) => self.schedule_again(id, cause),
            Event::PodStarts(id) => self.pod_starts(id, cause),
            Event::PodIsReady(id) => self.pod_is_ready(id, cause),
            Event::PodReacts(id) => self.pod_reacts(id, cause),
            Event::PodSignalled(id) => self.pod_signalled(id, cause),
            Event::PodKilled(id) => self.pod_killed(id, cause),
            Event::PodIdle(id) => self.pod_idle(id, cause),
            Event::PodRemoved(id) => self.kubelet_removes(id, cause),
            Event::NodeReady(id) => self.node_becomes_ready(id, cause),
            Event::NodeSilent(id) => self.node_silent(id, cause),
            Event::NodeGone(id) => self.node_gone(id, cause),
            Event::OrphansCollected(id) => self.orphans_collected(id, cause),
            Event::TaintEviction(id) => self.taint_eviction(id, cause),
            Event::InstanceRunning(id) => self.instance_running(id, cause),
            Event::InstanceJoins(id) => self.instance_joins(id, cause),
            Event::InstanceGone(id) => self.instance_gone(id, cause),
            Event::ScaleGroup(id) => self.scale_group(id, cause),
            Event::Rebalance(id) => self.rebalance(id, cause),
            Event::GroupCreated(id) => self.group_created(id, cause),
            Event::GroupUpdated(id) => self.group_updated(id, cause),
            Event::DrainRetry(id) => self.drain_group(id, cause),
            Event::DrainCap(id) => self.drain_cap(id, cause),
            Event::ScaleInCap(id) => self.scale_in_drain(id, cause),
            Event::ScaleDownFails(id, gives_up_at) => self.scale_down_fails(id, gives_up_at, cause),
            Event::ControllerPass => self.controller_pass(cause),
            Event::ControllerService => self.controller_service(cause),
            Event::LoadBalancerController(id) => self.load_balancer_controller(id, cause),
            Event::ProbeChanges(group, index) => self.probe_changes(group, index, cause),
            Event::TargetRegistered(group, index, generation) => {
                self.target_registered(group, index, generation, cause)
            }
            Event::TargetHealth(group, index, generation) => {
                self.target_health(group, index, generation, cause)
            }
            Event::TargetDrained(group, index) => self.target_drained(group, index, cause),
            Event::GateCondition(id) => self.gate_condition(id, cause),
            Event::Scan => self.scan(cause),
        }
    }

    /// Writes an entry to the causal log.
    fn record(&mut self, cause: EntryId, subject: Subject, what: What) -> EntryId {
        let entry = Entry { at: self.now, cause, subject, what };
        let id = self.log.push(entry);
        self.tell_event(entry);
        id
    }

    /// The causal log.
    pub fn entries(&self) -> &[Entry] {
        self.log.entries()
    }

    /// The chain from an entry back to its root, the entry first.
    pub fn chain(&self, entry: EntryId) -> impl Iterator<Item = (EntryId, &Entry)> {
        let entries = self.log.entries();
        std::iter::successors(Some(entry), move |&at| (at != START).then(|| entries[at.index()].cause))
            .map(move |at| (at, &entries[at.index()]))
    }

    /// The request that an entry goes back to, if its chain ends at one.
    pub fn request_behind(&self, entry: EntryId) -> Option<RequestId> {
        self.chain(entry).find_map(|(_, entry)| match entry.subject {
            Subject::Request(id) => Some(id),
            _ => None,
        })
    }

    /// A digest of everything that has happened; equal where, and only where, the runs were.
    pub fn digest(&self) -> u128 {
        self.log.digest()
    }

    /// Events so far: the cluster's and the clients'.
    pub fn events(&self) -> u64 {
        self.events + self.traffic.events
    }

    fn watch_lag(&mut self) -> Time {
        let (least, most) = self.watch_range();
        self.lags.between(least, most)
    }

    /// Shortest and longest delivery of a watch event: the parameter is a typical value, half to one and a half of it.
    fn watch_range(&self) -> (Time, Time) {
        let typical = self.parameters.watch_delivery.max(2);
        (typical / 2, typical + typical / 2)
    }

    /// A draw below `bound` that depends on its words alone.
    fn chance_of(&self, words: &[u64], bound: u64) -> u64 {
        below(self.seed.hash(words), bound)
    }

    fn new_uid(&mut self) -> Arc<str> {
        let (a, b) = (self.names.next_u64(), self.names.next_u64());
        uid_of(a, b).into()
    }

    /// Five characters of the alphabet that Kubernetes uses for generated names.
    fn name_suffix(&mut self) -> String {
        const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
        (0..5).map(|_| char::from(ALPHABET[self.names.below(27) as usize])).collect()
    }

    fn next_ip(&mut self, node: NodeId) -> u32 {
        let state = &mut self.node_states[node.index()];
        state.last_ip += 1;
        // A second range per node keeps pods' addresses apart from those that were imported.
        0x6440_0000 | (node.0 & 0x3fff) << 8 | (state.last_ip & 0xff)
    }

    fn next_host(&mut self, zone: ZoneId) -> u32 {
        let host = &mut self.zone_hosts[zone.index()];
        *host += 1;
        *host
    }

    // ---- tables ----

    /// Nodes.
    pub fn nodes(&self) -> &Table<NodeId, Node> {
        &self.nodes
    }

    /// Pods.
    pub fn pods(&self) -> &Table<PodId, Pod> {
        &self.pods
    }

    /// Deployments.
    pub fn deployments(&self) -> &Table<DeploymentId, Deployment> {
        &self.deployments
    }

    /// ReplicaSets.
    pub fn replica_sets(&self) -> &Table<ReplicaSetId, ReplicaSet> {
        &self.replica_sets
    }

    /// StatefulSets.
    pub fn stateful_sets(&self) -> &Table<StatefulSetId, StatefulSet> {
        &self.stateful_sets
    }

    /// DaemonSets.
    pub fn daemon_sets(&self) -> &Table<DaemonSetId, DaemonSet> {
        &self.daemon_sets
    }

    /// Jobs.
    pub fn jobs(&self) -> &Table<JobId, Job> {
        &self.jobs
    }

    /// HorizontalPodAutoscalers.
    pub fn autoscalers(&self) -> &Table<AutoscalerId, HorizontalPodAutoscaler> {
        &self.autoscalers
    }

    /// PodDisruptionBudgets.
    pub fn budgets(&self) -> &Table<BudgetId, DisruptionBudget> {
        &self.budgets
    }

    /// Services.
    pub fn services(&self) -> &Table<ServiceId, Service> {
        &self.services
    }

    /// ConfigMaps.
    pub fn config_maps(&self) -> &Table<PlainId, Plain> {
        &self.config_maps
    }

    /// Leases.
    pub fn leases(&self) -> &Table<LeaseId, Lease> {
        &self.leases
    }

    /// ResourceQuotas, as imported.
    pub fn quotas(&self) -> &[crate::import::Object] {
        &self.quotas
    }

    /// How many objects there are of each kind that nothing here runs, by `group/Kind`.
    pub fn other_kinds(&self) -> &BTreeMap<String, u32> {
        &self.other_kinds
    }

    /// A pod specification.
    pub fn spec(&self, id: SpecId) -> &Spec {
        &self.specs[id.index()]
    }

    /// Name of a zone.
    pub fn zone(&self, id: ZoneId) -> &Arc<str> {
        &self.zones[id.index()]
    }

    /// Subnets with zone and free addresses.
    pub fn subnets(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>, u64)> {
        self.subnets.iter().map(|(id, &zone)| {
            (id, &self.zones[zone.index()], self.subnet_addresses.get(id).copied().unwrap_or(4_000))
        })
    }

    /// Launch templates by name.
    pub fn launch_templates(&self) -> &BTreeMap<Arc<str>, requests::LaunchTemplate> {
        &self.launch_templates
    }

    /// Kubernetes version of the control plane.
    pub fn cluster_version(&self) -> &Arc<str> {
        &self.cluster_version
    }

    /// The container images present on a node, for tests and reports.
    pub fn images_on(&self, node: NodeId) -> &BTreeSet<u32> {
        &self.node_states[node.index()].images
    }

    /// The address of an instance's Node, if it joined.
    pub fn node_of(&self, instance: InstanceId) -> Option<NodeId> {
        self.instances[instance.index()].node.filter(|&node| self.nodes.exists(node))
    }
}

/// A unique id from random bits, in the form of a UUID of version 4.
fn uid_of(a: u64, b: u64) -> String {
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xfff,
        0x8000 | (b >> 48) & 0x3fff,
        b & 0xffff_ffff_ffff
    )
}
