//! What happens when: a queue of events, ordered by time and, within a millisecond, by when they were planned.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
};

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

/// The queue of the clients: one entry per connection slot counts, the one for the time at which the slot is due.
///
/// A million clients in one heap are a cache miss at every step down. Here only the entries of the present block of time
/// are a heap; those of later blocks lie in no order until their block comes. An entry is one number, its time before its
/// slot, so that one comparison orders both. An entry that was moved stays where it is and is passed over.
#[derive(Debug, Clone, Default)]
pub(super) struct ClientQueue {
    /// When each slot is due; entries for other times are void.
    due: Vec<Time>,
    /// Entries of the present block. The first is not void.
    present: BinaryHeap<Reverse<u64>>,
    /// Number of the present block.
    block: u64,
    /// Entries of the next blocks, each at its number's remainder; empty before the first client.
    later: Vec<Vec<Reverse<u64>>>,
    /// How many they are.
    later_count: usize,
    /// Entries beyond those blocks.
    far: Vec<Reverse<u64>>,
    /// Emptied lists, to be used again.
    spare: Vec<Vec<Reverse<u64>>>,
}

/// Bits of an entry that hold its slot: 16 million clients, and 2^40 ms are 34 years.
const SLOT_BITS: u32 = 24;
/// Bits of a time within its block, about a second: a million clients have some ten thousand turns in it, which still fit
/// into a near cache, and the lists of all blocks fit into the nearest.
const BLOCK_BITS: u32 = 10;
/// Blocks that have lists of their own: 17 minutes, longer than most sessions.
const BLOCKS: u64 = 1_024;

impl ClientQueue {
    /// Adds the next slot; slots are added in their order.
    pub(super) fn push(&mut self, at: Time, client: ConnectionId) {
        assert_eq!(self.due.len(), client.index(), "slots are added in their order");
        assert!(client.0 < 1 << SLOT_BITS, "{} clients are more than a queue can hold", client.0);
        let at = at.min(u64::MAX >> SLOT_BITS);
        self.due.push(at);
        self.add(at, client);
        self.settle();
    }

    pub(super) fn next_at(&self) -> Option<Time> {
        self.present.peek().map(|entry| entry.0 >> SLOT_BITS)
    }

    pub(super) fn first(&self) -> Option<(Time, ConnectionId)> {
        self.present.peek().map(|entry| (entry.0 >> SLOT_BITS, slot(entry.0)))
    }

    /// Moves a slot's entry to another time, which may be before the first entry's.
    pub(super) fn move_to(&mut self, client: ConnectionId, at: Time) {
        let at = at.min(u64::MAX >> SLOT_BITS);
        self.due[client.index()] = at;
        self.add(at, client);
        self.settle();
    }

    fn add(&mut self, at: Time, client: ConnectionId) {
        self.put(Reverse(at << SLOT_BITS | u64::from(client.0)));
    }

    /// Puts an entry into the part that its time belongs to.
    fn put(&mut self, entry: Reverse<u64>) {
        let block = block_of(entry);
        if block <= self.block {
            self.present.push(entry);
        } else if block < self.block + BLOCKS {
            if self.later.is_empty() {
                self.later.resize(BLOCKS as usize, Vec::new());
            }
            let list = &mut self.later[(block % BLOCKS) as usize];
            if list.capacity() == 0 {
                *list = self.spare.pop().unwrap_or_default();
            }
            list.push(entry);
            self.later_count += 1;
        } else {
            self.far.push(entry);
        }
    }

    /// Lets go of void entries, and of blocks that are over, until the first entry counts.
    fn settle(&mut self) {
        loop {
            while let Some(first) = self.present.peek() {
                if self.due[slot(first.0).index()] == first.0 >> SLOT_BITS {
                    return;
                }
                self.present.pop();
            }
            if self.later_count > 0 {
                self.block += 1;
            } else {
                let Some(next) = self.far.iter().map(|&entry| block_of(entry)).min() else { return };
                self.block = next;
            }
            if self.later_count == 0 || self.block.is_multiple_of(BLOCKS / 2) {
                for entry in std::mem::take(&mut self.far) {
                    self.put(entry);
                }
            }
            if self.later_count > 0 {
                let list = std::mem::take(&mut self.later[(self.block % BLOCKS) as usize]);
                self.later_count -= list.len();
                if list.capacity() > 0 {
                    let mut emptied = std::mem::replace(&mut self.present, list.into()).into_vec();
                    // Entries that came out of the far ones just now.
                    self.present.extend(emptied.drain(..));
                    self.spare.push(emptied);
                }
            }
        }
    }
}

fn block_of(entry: Reverse<u64>) -> u64 {
    entry.0 >> (SLOT_BITS + BLOCK_BITS)
}

fn slot(entry: u64) -> ConnectionId {
    ConnectionId((entry & ((1 << SLOT_BITS) - 1)) as u32)
}

#[cfg(test)]
mod tests;
