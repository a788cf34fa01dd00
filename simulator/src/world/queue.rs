//! What happens when: a queue of events, ordered by time and, within a millisecond, by when they were planned.

use std::{cmp::Ordering, collections::BinaryHeap};

use super::{
    Time,
    ids::{
        AutoscalerId, BudgetId, ConnectionId, DeploymentId, EntryId, GroupId, InstanceId, JobId, NodeId,
        PodId, ReplicaSetId, RequestId, ServiceId, StatefulSetId, TargetGroupId,
    },
};

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// A client's request reaches its server.
    Request(RequestId),
    /// A controller looks at an object.
    SyncDeployment(DeploymentId),
    SyncReplicaSet(ReplicaSetId),
    SyncStatefulSet(StatefulSetId),
    SyncDaemonSets,
    SyncJob(JobId),
    SyncAutoscaler(AutoscalerId),
    SyncBudget(BudgetId),
    SyncEndpoints(ServiceId),
    /// The scheduler takes the next pod from its queue.
    Schedule,
    /// A pod's backoff in the scheduler's queue is over.
    ScheduleAgain(PodId),
    /// A pod on its node takes the next step of its start or of its end.
    PodStarts(PodId),
    PodIsReady(PodId),
    PodReacts(PodId),
    PodSignalled(PodId),
    PodKilled(PodId),
    PodIdle(PodId),
    PodRemoved(PodId),
    /// The node lifecycle and taint controllers, the pod collector.
    NodeReady(NodeId),
    NodeSilent(NodeId),
    NodeGone(NodeId),
    OrphansCollected(NodeId),
    TaintEviction(PodId),
    /// EC2, Auto Scaling and EKS.
    InstanceRunning(InstanceId),
    InstanceJoins(InstanceId),
    InstanceGone(InstanceId),
    ScaleGroup(GroupId),
    Rebalance(GroupId),
    GroupCreated(GroupId),
    GroupUpdated(GroupId),
    DrainRetry(GroupId),
    DrainCap(GroupId),
    ScaleInCap(NodeId),
    ScaleDownFails(NodeId, Time),
    /// Load balancers and their controllers.
    ControllerPass,
    ControllerService,
    LoadBalancerController(ServiceId),
    ProbeChanges(TargetGroupId, u32),
    TargetRegistered(TargetGroupId, u32, u32),
    TargetHealth(TargetGroupId, u32, u32),
    TargetDrained(TargetGroupId, u32),
    GateCondition(PodId),
    /// The cluster autoscaler's scan.
    Scan,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    pub(super) at: Time,
    order: u64,
    pub(super) cause: EntryId,
    pub(super) event: Event,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    // Reversed, since the heap gives out its greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

/// The queue of the cluster's events.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Due>,
    planned: u64,
}

impl Queue {
    pub(super) fn push(&mut self, at: Time, event: Event, cause: EntryId) {
        self.planned += 1;
        self.heap.push(Due { at, order: self.planned, cause, event });
    }

    pub(super) fn next_at(&self) -> Option<Time> {
        self.heap.peek().map(|due| due.at)
    }

    pub(super) fn pop(&mut self) -> Option<Due> {
        self.heap.pop()
    }
}

/// The queue of the clients: exactly one entry per connection slot, so that an entry can be moved. A heap with four
/// children a node, which touches fewer cache lines than a binary one. An entry is one number, its time before its
/// slot, so that one comparison orders both.
#[derive(Debug, Clone, Default)]
pub(super) struct ClientQueue {
    heap: Vec<u64>,
    position: Vec<u32>,
}

/// Bits of an entry that hold its slot: 16 million clients, and 2^40 ms are 34 years.
const SLOT_BITS: u32 = 24;

impl ClientQueue {
    /// Adds the next slot; slots are added in their order.
    pub(super) fn push(&mut self, at: Time, client: ConnectionId) {
        assert_eq!(self.position.len(), client.index(), "slots are added in their order");
        assert!(client.0 < 1 << SLOT_BITS, "{} clients are more than a queue can hold", client.0);
        self.position.push(self.heap.len() as u32);
        self.heap.push(key(at, client));
        self.rise(self.heap.len() - 1);
    }

    pub(super) fn next_at(&self) -> Option<Time> {
        self.heap.first().map(|entry| entry >> SLOT_BITS)
    }

    pub(super) fn first(&self) -> Option<(Time, ConnectionId)> {
        self.heap.first().map(|&entry| (entry >> SLOT_BITS, slot(entry)))
    }

    /// Moves a slot's entry to another time.
    pub(super) fn move_to(&mut self, client: ConnectionId, at: Time) {
        let index = self.position[client.index()] as usize;
        let entry = key(at, client);
        let before = std::mem::replace(&mut self.heap[index], entry);
        if entry < before {
            self.rise(index);
        } else {
            self.sink(index);
        }
    }

    fn rise(&mut self, mut index: usize) {
        let entry = self.heap[index];
        while index > 0 {
            let parent = (index - 1) / 4;
            if self.heap[parent] <= entry {
                break;
            }
            self.place(index, self.heap[parent]);
            index = parent;
        }
        self.place(index, entry);
    }

    fn sink(&mut self, mut index: usize) {
        let entry = self.heap[index];
        loop {
            let first = index * 4 + 1;
            let last = (first + 4).min(self.heap.len());
            let Some(children) = self.heap.get(first..last).filter(|children| !children.is_empty()) else {
                break;
            };
            let (mut least, mut at) = (children[0], first);
            for (offset, &child) in children.iter().enumerate().skip(1) {
                if child < least {
                    (least, at) = (child, first + offset);
                }
            }
            if least >= entry {
                break;
            }
            self.place(index, least);
            index = at;
        }
        self.place(index, entry);
    }

    fn place(&mut self, index: usize, entry: u64) {
        self.heap[index] = entry;
        self.position[slot(entry).index()] = index as u32;
    }
}

fn key(at: Time, client: ConnectionId) -> u64 {
    at.min(u64::MAX >> SLOT_BITS) << SLOT_BITS | u64::from(client.0)
}

fn slot(entry: u64) -> ConnectionId {
    ConnectionId((entry & ((1 << SLOT_BITS) - 1)) as u32)
}
