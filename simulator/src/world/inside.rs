//! Clients inside the cluster: they are its own pods.
//!
//! Each session comes from some running pod of a workload, through the kube-proxy of that pod's node. When that pod ends,
//! the client has gone by itself: its sessions end with it, and nobody lost anything.

use loadgen::{outcome::EndCause, session::Session};

use super::{
    World,
    connections::{NONE, Path, State},
    ids::{ConnectionId, EntryId, NodeId, PodId, ServiceId},
    log::START,
    objects::PodOwner,
    pods::Containers,
};

/// Draws until a pod is looked for in order. At most every other pod of a migration is gone or ends, so that this many
/// draws fail once in 2^32.
const DRAWS: u64 = 32;

impl World {
    /// Where a connect from inside leads.
    pub(super) fn path_inside(
        &self,
        service: ServiceId,
        session: &Session,
        salt: u64,
    ) -> Result<Path, (EndCause, EntryId, u64)> {
        let pods = self.pods.ids() as u64;
        let drawn = (0..DRAWS)
            .map(|draw| session.pick(0x696e_7369 ^ salt ^ draw << 48) % pods.max(1))
            .map(|pod| PodId::from(pod as usize))
            .find_map(|pod| self.client_node(pod).map(|node| (pod, node)));
        let Some((client, node)) = drawn.or_else(|| self.client_pods().next()) else {
            return Err((EndCause::Unreachable, START, 0));
        };
        let (pod, remote) = self.through_node(service, node, false, session, salt)?;
        Ok(Path { group: NONE, target: client.0, node, pod, remote })
    }

    /// A pod ends, and the clients in it.
    pub(super) fn clients_end(&mut self, pod: PodId) {
        let Some(node) = self.pods.last(pod).node else { return };
        let connections = &self.node_states[node.index()].connections;
        let own: Vec<ConnectionId> =
            connections.iter().copied().filter(|&slot| self.client_of(slot) == Some(pod)).collect();
        for slot in own {
            if self.is_live(slot) {
                let now = self.now;
                let connection = &mut self.traffic.slots[slot.index()];
                connection.session.lifetime = now - connection.session.opens_at;
                connection.state = State::Done;
                self.complete(slot);
            }
        }
    }

    /// Nodes from which clients connect.
    pub(super) fn client_nodes(&self) -> impl Iterator<Item = NodeId> {
        self.client_pods().map(|(_, node)| node)
    }

    fn client_pods(&self) -> impl Iterator<Item = (PodId, NodeId)> {
        (0..self.pods.ids()).map(PodId::from).filter_map(|pod| Some((pod, self.client_node(pod)?)))
    }

    /// The node of a pod that may be a client: it runs, is not about to end, and its node has the Service network.
    fn client_node(&self, pod: PodId) -> Option<NodeId> {
        let state = self.pods.get(pod)?;
        let node = state.node?;
        let running = matches!(self.pod_states[pod.index()].containers, Containers::Running { .. });
        let lasting = !matches!(state.owner, PodOwner::DaemonSet(_) | PodOwner::Node);
        let proxied = self.node_states[node.index()].proxy.since.is_some_and(|since| since <= self.now);
        (state.active() && running && lasting && proxied && self.node_states[node.index()].up).then_some(node)
    }

    /// The pod that a connection from inside comes from.
    fn client_of(&self, slot: ConnectionId) -> Option<PodId> {
        let connection = &self.traffic.slots[slot.index()];
        (connection.group == NONE && connection.state == State::Open).then_some(PodId(connection.target))
    }
}
