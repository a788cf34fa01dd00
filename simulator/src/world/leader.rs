//! The AWS Load Balancer Controller's leader: one of its pods reconciles, the others wait for its lease to age.
//!
//! A leader that ends does not hand over, so that nothing is registered or deregistered until another one has taken the
//! lease. A pod that is being deleted gets SIGTERM at once and stops to lead.

use super::{
    Time, World,
    ids::{DeploymentId, EntryId, PodId, ServiceId},
    queue::Event,
};

/// Who reconciles target group bindings.
#[derive(Debug, Clone, Default)]
pub(super) struct Leader {
    /// The controller's Deployment; `None` where it runs outside the cluster.
    pub(super) deployment: Option<DeploymentId>,
    pod: Option<PodId>,
    /// When this leader took over, or the next one can.
    leads_from: Time,
}

impl World {
    /// The AWS Load Balancer Controller has a leader now; the first of its ready pods takes over where none leads.
    pub(super) fn load_balancer_controller_leads(&mut self) -> bool {
        let Some(deployment) = self.load_balancer_leader.deployment else { return true };
        if self.load_balancer_leader.pod.is_none() {
            self.load_balancer_leader.pod = self.ready_pods(deployment).min();
        }
        self.load_balancer_leader.pod.is_some() && self.load_balancer_leader.leads_from <= self.now
    }

    /// Tries again when somebody can lead.
    pub(super) fn await_load_balancer_leader(&mut self, service: ServiceId, cause: EntryId) {
        let at = self.load_balancer_leader.leads_from.max(self.now + 1_000);
        self.queue.push(at, Event::LoadBalancerController(service), cause);
    }

    /// A pod ends; if it led, its lease must age before another one does.
    pub(super) fn leader_ends(&mut self, pod: PodId) {
        if self.load_balancer_leader.pod == Some(pod) {
            self.load_balancer_leader.pod = None;
            self.load_balancer_leader.leads_from = self.now + self.parameters.lbc_failover;
        }
    }

    /// Ready pods of a Deployment that are not ending.
    pub(super) fn ready_pods(&self, deployment: DeploymentId) -> impl Iterator<Item = PodId> {
        let pods = self.replica_sets_of(deployment).iter().flat_map(|&set| self.pods_of_replica_set(set));
        pods.copied().filter(|&pod| self.pods.get(pod).is_some_and(|pod| pod.ready && pod.active()))
    }
}
