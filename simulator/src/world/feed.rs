//! Watches: every change of an object is seen by each observer after the watch's lag, as the version that it was.

use std::sync::Arc;

use super::{
    Time, World,
    ids::{
        AutoscalerId, BudgetId, DaemonSetId, DeploymentId, EntryId, JobId, LeaseId, NodeId, PlainId, PodId,
        ReplicaSetId, ServiceId, StatefulSetId,
    },
    objects::{
        DaemonSet, Deployment, DisruptionBudget, HorizontalPodAutoscaler, Lease, Node, Plain, Pod,
        ReplicaSet, Service, StatefulSet,
    },
    store::ObjectId,
    table::Table,
};

/// A change: the object's new version, or its last one with `false` where it was deleted.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are Kubernetes' own")]
pub enum Change {
    Node(NodeId, Arc<Node>, bool),
    Pod(PodId, Arc<Pod>, bool),
    Deployment(DeploymentId, Arc<Deployment>, bool),
    ReplicaSet(ReplicaSetId, Arc<ReplicaSet>, bool),
    StatefulSet(StatefulSetId, Arc<StatefulSet>, bool),
    DaemonSet(DaemonSetId, Arc<DaemonSet>, bool),
    HorizontalPodAutoscaler(AutoscalerId, Arc<HorizontalPodAutoscaler>, bool),
    PodDisruptionBudget(BudgetId, Arc<DisruptionBudget>, bool),
    Service(ServiceId, Arc<Service>, bool),
    ConfigMap(PlainId, Arc<Plain>, bool),
    Lease(LeaseId, Arc<Lease>, bool),
}

/// Somebody who watches everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObserverId(u32);

#[derive(Debug, Clone)]
struct Sent {
    /// When each observer has it: none has anything before an older change.
    seen_at: Time,
    resource_version: u64,
    change: Change,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Feed {
    watched: bool,
    sent: Vec<Sent>,
    positions: Vec<usize>,
}

impl Feed {
    pub(super) fn next_at(&self, observer: ObserverId) -> Option<Time> {
        self.sent.get(self.positions[observer.0 as usize]).map(|sent| sent.seen_at)
    }
}

impl World {
    /// Begins to watch. What exists already is listed by the caller, from the tables.
    pub fn watch(&mut self) -> ObserverId {
        self.feed.watched = true;
        self.feed.positions.push(self.feed.sent.len());
        ObserverId(self.feed.positions.len() as u32 - 1)
    }

    /// Takes the changes that an observer has seen by now, in order; the newest resourceVersion among them.
    pub fn observe(&mut self, observer: ObserverId, mut see: impl FnMut(&Change)) -> Option<u64> {
        let position = &mut self.feed.positions[observer.0 as usize];
        let mut newest = None;
        while let Some(sent) = self.feed.sent.get(*position).filter(|sent| sent.seen_at <= self.now) {
            see(&sent.change);
            newest = Some(sent.resource_version);
            *position += 1;
        }
        if self.feed.positions.iter().all(|&position| position == self.feed.sent.len()) {
            self.feed.sent.clear();
            self.feed.positions.fill(0);
        }
        newest
    }

    /// The newest resourceVersion that exists.
    pub fn resource_version(&self) -> u64 {
        self.resource_version
    }

    fn send(&mut self, resource_version: u64, change: Change) {
        if !self.feed.watched {
            return;
        }
        let seen_at = self.now + self.watch_lag();
        let seen_at = self.feed.sent.last().map_or(seen_at, |last| last.seen_at.max(seen_at));
        self.feed.sent.push(Sent { seen_at, resource_version, change });
    }
}

/// Gives an object its next resourceVersion; the version as a shared state, and whether the object exists.
fn bump<Id: Copy + From<usize> + Into<u32>, T: Clone>(
    table: &mut Table<Id, T>,
    id: Id,
    version: &mut u64,
    set: impl Fn(&mut T, u64),
) -> (Arc<T>, bool) {
    *version += 1;
    let exists = table.exists(id);
    set(table.edit(id), *version);
    (table.last(id).clone(), exists)
}

macro_rules! changed {
    ($($name:ident($table:ident: $id:ty) => $kind:ident, $also:expr;)*) => {
        impl World {$(
            /// The object was written: it has a new version, and whoever watches it is told.
            pub(super) fn $name(&mut self, id: $id, cause: EntryId) {
                let (state, exists) =
                    bump(&mut self.$table, id, &mut self.resource_version, |object, version| {
                        object.meta.resource_version = version;
                    });
                self.send(self.resource_version, Change::$kind(id, state, exists));
                self.store_object(ObjectId::$kind(id), exists);
                ($also)(self, id, cause);
            }
        )*}
    };
}

changed! {
    node_changed(nodes: NodeId) => Node, World::after_node_change;
    pod_changed(pods: PodId) => Pod, World::after_pod_change;
    deployment_changed(deployments: DeploymentId) => Deployment, World::after_deployment_change;
    replica_set_changed(replica_sets: ReplicaSetId) => ReplicaSet, World::after_replica_set_change;
    stateful_set_changed(stateful_sets: StatefulSetId) => StatefulSet, World::after_stateful_set_change;
    daemon_set_changed(daemon_sets: DaemonSetId) => DaemonSet, |_: &mut World, _, _| {};
    autoscaler_changed(autoscalers: AutoscalerId) => HorizontalPodAutoscaler, World::after_autoscaler_change;
    budget_changed(budgets: BudgetId) => PodDisruptionBudget, |_: &mut World, _, _| {};
    config_map_changed(config_maps: PlainId) => ConfigMap, |_: &mut World, _, _| {};
    lease_changed(leases: LeaseId) => Lease, |_: &mut World, _, _| {};
    service_changed(services: ServiceId) => Service, |_: &mut World, _, _| {};
}

impl World {
    /// A Job was written. Nobody but the API's clients watches Jobs, so without them nothing happens.
    pub(super) fn job_changed(&mut self, id: JobId) {
        if self.store.is_none() {
            return;
        }
        let (_, exists) = bump(&mut self.jobs, id, &mut self.resource_version, |object, version| {
            object.meta.resource_version = version;
        });
        self.store_object(ObjectId::Job(id), exists);
    }

    /// The counts in a DaemonSet's status follow its pods, which only the API's clients read.
    pub(super) fn daemon_set_counts_changed(&mut self, id: DaemonSetId) {
        if self.store.is_none() || !self.daemon_sets.exists(id) {
            return;
        }
        bump(&mut self.daemon_sets, id, &mut self.resource_version, |object, version| {
            object.meta.resource_version = version;
        });
        self.store_object(ObjectId::DaemonSet(id), true);
    }
}
