//! Pods where the export has them: their owner, their node, and whether anything keeps them from being Ready.

use std::collections::BTreeMap;

use k8s_openapi::{api::core::v1 as core, apimachinery::pkg::apis::meta::v1 as meta};

use super::{
    super::{
        World,
        compile::count,
        ids::{DaemonSetId, DeploymentId, JobId, PodId, ReplicaSetId, SpecId, StatefulSetId},
        log::START,
        objects::{Phase, Pod, PodOwner},
        pods::{Containers, PodState},
        queue::Event,
    },
    Builder,
};
use crate::{
    import::{Cluster, Object, Typed},
    selector::SelectorError,
};

impl World {
    pub(in crate::world) fn is_proxy_pod(&self, pod: PodId) -> bool {
        self.proxy_pods.is_some_and(|set| self.pods.last(pod).owner == PodOwner::DaemonSet(set))
    }

    /// A Deployment has a ready pod.
    pub(in crate::world) fn has_ready_pod(&self, deployment: DeploymentId) -> bool {
        self.ready_pods(deployment).next().is_some()
    }
}

impl Builder {
    pub(super) fn pods<'a>(&mut self, cluster: &'a Cluster) -> Result<(), (&'a Object, SelectorError)> {
        for object in &cluster.objects {
            let Typed::Pod(pod) = &object.typed else { continue };
            self.pod(object, pod).map_err(|source| (object, source))?;
        }
        Ok(())
    }

    fn pod(&mut self, object: &Object, from: &core::Pod) -> Result<(), SelectorError> {
        let meta = self.meta(&from.metadata, object);
        let spec = from.spec.clone().unwrap_or_default();
        let status = from.status.clone().unwrap_or_default();
        let owner_ref =
            from.metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
        let namespace = meta.namespace.clone();
        let (owner, template) = match owner_ref {
            None => (PodOwner::Nobody, None),
            Some(owner) => self.owner(&namespace, owner, &meta.name),
        };
        let node = spec.node_name.as_deref().and_then(|name| self.world.nodes.find("", name));
        if spec.node_name.is_some() && node.is_none() {
            // Its node is not in the export; it is kept as it is.
            self.world.others.push(object.raw.clone());
            return Ok(());
        }
        let gated = spec.readiness_gates.is_some();
        let spec_id = match template {
            Some(template)
                if gated == self.world.specs[template.index()].kubernetes.readiness_gates.is_some() =>
            {
                template
            }
            _ => self.world.add_spec(&namespace, spec)?,
        };
        let ready = status.conditions.iter().flatten().find(|condition| condition.type_ == "Ready");
        let grace = from.metadata.deletion_grace_period_seconds.unwrap_or(0).max(0).unsigned_abs() * 1_000;
        let restarts =
            status.container_statuses.iter().flatten().map(|container| container.restart_count).max();
        let labels = self.world.label_sets.intern(&namespace, &meta.labels);
        let state = Pod {
            labels,
            owner,
            spec: spec_id,
            node,
            phase: status.phase.as_deref().and_then(Phase::parse).unwrap_or(Phase::Pending),
            ready: ready.is_some_and(|condition| condition.status == "True"),
            ready_at: self.instant(ready.and_then(|condition| condition.last_transition_time.as_ref())),
            ip: status
                .pod_ip
                .as_deref()
                .and_then(|ip| ip.parse::<std::net::Ipv4Addr>().ok())
                .map_or(0, u32::from),
            restarts: count(restarts, 0),
            grace,
            disrupted: false,
            unschedulable: None,
            meta,
        };
        let (name, running, finished) =
            (state.meta.name.clone(), state.phase == Phase::Running, state.finished());
        let (terminating, pending) = (state.terminating(), node.is_none() && state.active());
        let id = self.world.pods.insert(&namespace, &name, state);
        let mut runtime = PodState::default();
        let up = node.is_none_or(|node| self.world.node_states[node.index()].up);
        if running && !up {
            runtime.containers = Containers::Exited;
        } else if running {
            runtime.containers = Containers::Running { since: 0 };
        } else if finished {
            runtime.containers = Containers::Exited;
        }
        self.world.pod_states.push(runtime);
        self.world.owned(owner, id, true);
        if let Some(node) = node {
            self.world.node_states[node.index()].pods.push(id);
            let image = self.world.specs[spec_id.index()].image;
            self.world.node_states[node.index()].images.insert(image);
            self.world.take_share(id, !finished);
            if !up {
                // Its kubelet neither starts it nor confirms its end.
            } else if terminating {
                let at = grace.max(1_000);
                self.world.queue.push(at, Event::PodRemoved(id), START);
            } else if !running && !finished {
                self.world.queue.push(1_000, Event::PodStarts(id), START);
            }
        } else if pending {
            self.world.enqueue_pod(id, START);
        }
        Ok(())
    }

    /// A template of which pods run and none is Ready, a day after the newest thing in the export: whatever keeps them
    /// from being Ready keeps its next pods from it too.
    pub(super) fn find_failing(&mut self) {
        let world = &mut self.world;
        let mut ready: BTreeMap<usize, bool> = BTreeMap::new();
        for (_, pod) in world.pods.iter() {
            let up = pod.node.is_some_and(|node| world.node_states[node.index()].up);
            if pod.active() && pod.phase == Phase::Running && up {
                *ready.entry(pod.spec.index()).or_default() |= pod.ready;
            }
        }
        for (spec, _) in ready.into_iter().filter(|&(_, ready)| !ready) {
            world.specs[spec].failing = true;
        }
    }

    fn owner(&self, namespace: &str, owner: &meta::OwnerReference, pod: &str) -> (PodOwner, Option<SpecId>) {
        let world = &self.world;
        match owner.kind.as_str() {
            "ReplicaSet" => world
                .replica_sets
                .find(namespace, &owner.name)
                .map(|id: ReplicaSetId| (PodOwner::ReplicaSet(id), Some(world.replica_sets.last(id).spec))),
            "StatefulSet" => world.stateful_sets.find(namespace, &owner.name).map(|id: StatefulSetId| {
                let ordinal = pod.rsplit('-').next().and_then(|text| text.parse().ok()).unwrap_or(0);
                (PodOwner::StatefulSet(id, ordinal), Some(world.stateful_sets.last(id).spec))
            }),
            "DaemonSet" => world
                .daemon_sets
                .find(namespace, &owner.name)
                .map(|id: DaemonSetId| (PodOwner::DaemonSet(id), Some(world.daemon_sets.last(id).spec))),
            "Job" => world
                .jobs
                .find(namespace, &owner.name)
                .map(|id: JobId| (PodOwner::Job(id), Some(world.jobs.last(id).spec))),
            "Node" => Some((PodOwner::Node, None)),
            _ => None,
        }
        .unwrap_or((PodOwner::Unknown, None))
    }
}
