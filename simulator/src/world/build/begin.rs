//! Endpoints, targets and controllers as they must have been for a while when the run begins.

use super::{
    super::{
        World,
        ids::{
            DeploymentId, EntryId, GroupId, NodeId, ReplicaSetId, ServiceId, StatefulSetId, TargetGroupId,
            ZoneId,
        },
        load_balancer::{Target, TargetKey, TargetState},
        log::START,
        queue::Event,
    },
    Builder,
};

impl Builder {
    /// Endpoints, targets and controllers as they must have been for a while.
    pub(super) fn begin(&mut self) {
        let world = &mut self.world;
        world.load_balancer_controller_leads();
        for service in 0..world.services.ids() {
            world.first_endpoints(ServiceId::from(service));
        }
        for group in 0..world.target_groups.len() {
            world.first_targets(TargetGroupId::from(group));
        }
        let budgets: Vec<_> = world.budgets.iter().map(|(id, _)| id).collect();
        for budget in budgets {
            if let Some(status) = world.budget_status(budget) {
                let state = world.budgets.edit(budget);
                state.allowed = status.disruptions_allowed;
                state.current_healthy = status.current_healthy;
                state.desired_healthy = status.desired_healthy;
                state.expected = status.expected_pods;
            }
        }
        for group in 0..world.groups.len() {
            world.resume_group(GroupId::from(group));
            world.queue.push(1_000, Event::ScaleGroup(GroupId::from(group)), START);
        }
        // Workloads that are not what they should be are looked at once.
        let autoscalers: Vec<_> = world.autoscalers.iter().map(|(id, _)| id).collect();
        for id in autoscalers {
            world.mark_autoscaler(id, START);
        }
        world.settle_imported(START);
        world.mark_scan(START);
        world.begin_measures();
    }
}

impl World {
    /// The targets that the controller of a group must have registered long ago.
    pub(in crate::world) fn first_targets(&mut self, group: TargetGroupId) {
        for key in self.wanted_targets(group) {
            let (zone, node): (ZoneId, Option<NodeId>) = match key {
                TargetKey::Instance(instance) => {
                    let instance = &self.instances[instance.index()];
                    (instance.zone, instance.node)
                }
                TargetKey::Pod(pod) => {
                    let node = self.pods.last(pod).node;
                    (node.map_or(ZoneId(0), |node| self.node_states[node.index()].zone), node)
                }
            };
            let index = self.target_groups[group.index()].targets.len();
            self.target_groups[group.index()].targets.push(Target {
                key,
                zone,
                node,
                state: TargetState::Unhealthy,
                since: 0,
                stale_until: 0,
                passes: false,
                checking: true,
                generation: 0,
                entry: START,
            });
            if self.passes(group, index) {
                let target = &mut self.target_groups[group.index()].targets[index];
                target.passes = true;
                target.state = TargetState::Healthy;
            }
        }
        let service = self.target_groups[group.index()].service;
        self.target_groups[group.index()].version = 1;
        self.target_groups[group.index()].note_health(START);
        self.update_names(group);
        for zone in &mut self.target_groups[group.index()].resolves {
            zone.1 = 0;
        }
        self.service_states[service.index()].applied_nodes = self.controller_nodes();
    }

    /// Controllers look at what does not match its specification in the export.
    fn settle_imported(&mut self, cause: EntryId) {
        let deployments: Vec<DeploymentId> = self
            .deployments
            .iter()
            .filter(|(_, state)| {
                state.status.replicas != state.replicas || state.status.ready != state.replicas
            })
            .map(|(id, _)| id)
            .collect();
        for id in deployments {
            self.after_deployment_change(id, cause);
        }
        let sets: Vec<ReplicaSetId> = self
            .replica_sets
            .iter()
            .filter(|&(id, state)| self.pods_of_replica_set(id).len() as u32 != state.replicas)
            .map(|(id, _)| id)
            .collect();
        for id in sets {
            self.after_replica_set_change(id, cause);
        }
        let stateful: Vec<StatefulSetId> = self.stateful_sets.iter().map(|(id, _)| id).collect();
        for id in stateful {
            self.after_stateful_set_change(id, cause);
        }
        self.mark_daemon_sets(cause);
    }
}
