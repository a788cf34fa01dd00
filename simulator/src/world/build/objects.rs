//! Objects that take their place as they are read, and what ties them to each other.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;

use super::{
    super::{
        Instant, Time,
        compile::map,
        ids::{DeploymentId, ReplicaSetId},
        objects::{Body, Lease, Meta, Plain},
        quotas::Quota,
    },
    Builder,
};
use crate::{
    import::{Object, Typed},
    selector::SelectorError,
};

impl Builder {
    pub(super) fn instant(&self, at: Option<&meta::Time>) -> Instant {
        at.map_or(-86_400_000, |at| at.0.as_millisecond() - self.start.as_millisecond())
    }

    pub(super) fn meta(&mut self, from: &meta::ObjectMeta, object: &Object) -> Meta {
        // No real one comes near the limit, which leaves room to count on.
        let read = from.resource_version.as_deref().and_then(|text| text.parse().ok());
        let version = read.filter(|version| *version < 1 << 62).unwrap_or(1);
        self.world.resource_version = self.world.resource_version.max(version);
        Meta {
            namespace: from.namespace.as_deref().unwrap_or("").into(),
            name: from.name.as_deref().unwrap_or("").into(),
            uid: match from.uid.as_deref() {
                Some(uid) => uid.into(),
                None => self.world.new_uid(),
            },
            resource_version: version,
            generation: from.generation.unwrap_or(1),
            labels: map(from.labels.as_ref()),
            annotations: map(from.annotations.as_ref()),
            created_at: self.instant(from.creation_timestamp.as_ref()),
            deletion_at: from.deletion_timestamp.as_ref().map(|_| 0),
            body: Body::Imported(object.raw.clone()),
        }
    }

    pub(super) fn place(&mut self, object: &Object) -> Result<(), SelectorError> {
        match &object.typed {
            Typed::Node(node) => self.node(object, node),
            Typed::Service(service) => {
                let meta = self.meta(&service.metadata, object);
                self.world.add_service(meta, service);
            }
            Typed::PodDisruptionBudget(budget) => {
                let meta = self.meta(&budget.metadata, object);
                self.world.add_budget(meta, budget)?;
            }
            Typed::Deployment(deployment) => {
                let meta = self.meta(&deployment.metadata, object);
                self.world.add_deployment(meta, deployment)?;
            }
            Typed::StatefulSet(set) => {
                let meta = self.meta(&set.metadata, object);
                self.world.add_stateful_set(meta, set)?;
            }
            Typed::DaemonSet(set) => {
                let meta = self.meta(&set.metadata, object);
                self.world.add_daemon_set(meta, set)?;
            }
            Typed::ReplicaSet(set) => {
                let meta = self.meta(&set.metadata, object);
                self.world.add_replica_set(meta, set)?;
            }
            Typed::Job(job) => {
                let meta = self.meta(&job.metadata, object);
                self.world.add_job(meta, job)?;
            }
            Typed::HorizontalPodAutoscaler(autoscaler) => {
                let meta = self.meta(&autoscaler.metadata, object);
                self.world.add_autoscaler(meta, autoscaler);
            }
            Typed::ConfigMap(_) => {
                let namespace: Arc<str> = object.namespace().unwrap_or("").into();
                let name: Arc<str> = object.name().into();
                let Typed::ConfigMap(map) = &object.typed else { return Ok(()) };
                let meta = self.meta(&map.metadata, object);
                let data = map.data.clone().map(Arc::new);
                let kind = ("v1".into(), "ConfigMap".into());
                self.world.config_maps.insert(&namespace, &name, Plain { meta, kind, data });
            }
            Typed::Lease(lease) => {
                let meta = self.meta(&lease.metadata, object);
                let spec = lease.spec.clone().unwrap_or_default();
                let state = Lease {
                    holder: spec.holder_identity.unwrap_or_default().into(),
                    duration: Time::from(spec.lease_duration_seconds.unwrap_or(0).max(0).unsigned_abs())
                        * 1_000,
                    renewed_at: spec
                        .renew_time
                        .map_or(i64::MIN / 2, |at| at.0.as_millisecond() - self.start.as_millisecond()),
                    meta,
                };
                let (namespace, name) = (state.meta.namespace.clone(), state.meta.name.clone());
                self.world.leases.insert(&namespace, &name, state);
            }
            Typed::ResourceQuota(_) => {
                self.world.quotas.push(object.clone());
                self.world.enforced.extend(Quota::new(object));
            }
            Typed::Pod(_) | Typed::PersistentVolumeClaim(_) => {}
            _ => {
                let group = object.api_version().rsplit_once('/').map_or("", |(group, _)| group);
                let key = if group.is_empty() {
                    object.kind().to_owned()
                } else {
                    format!("{group}/{}", object.kind())
                };
                *self.world.other_kinds.entry(key).or_default() += 1;
                self.world.others.push(object.raw.clone());
            }
        }
        Ok(())
    }

    /// ReplicaSets find their Deployments.
    pub(super) fn relate(&mut self) {
        let sets: Vec<ReplicaSetId> = self.world.replica_sets.iter().map(|(id, _)| id).collect();
        let mut of: BTreeMap<DeploymentId, Vec<ReplicaSetId>> = BTreeMap::new();
        for id in sets {
            let state = self.world.replica_sets.last(id).clone();
            let Some((kind, owner)) = state.meta.controller() else { continue };
            if kind != "Deployment" {
                continue;
            }
            if let Some(deployment) = self.world.deployments.find(&state.meta.namespace, &owner) {
                self.world.replica_sets.edit(id).deployment = Some(deployment);
                of.entry(deployment).or_default().push(id);
            }
        }
        for (deployment, mut sets) in of {
            sets.sort_by_key(|&set| {
                let meta = &self.world.replica_sets.last(set).meta;
                (meta.created_at, meta.name.clone())
            });
            let template = self.world.deployments.last(deployment).clone();
            let same = |set: &ReplicaSetId| {
                let candidate = self.world.replica_sets.last(*set);
                let mut labels = (*candidate.template_labels).clone();
                labels.remove("pod-template-hash");
                labels == *template.template_labels
                    && self.world.specs[candidate.spec.index()].kubernetes
                        == self.world.specs[template.spec.index()].kubernetes
            };
            // The oldest with an equal template; failing that, the one with the highest revision.
            let revision = |set: &ReplicaSetId| {
                self.world
                    .replica_sets
                    .last(*set)
                    .meta
                    .annotations
                    .get("deployment.kubernetes.io/revision")
                    .and_then(|text| text.parse::<u64>().ok())
                    .unwrap_or(0)
            };
            let current = sets
                .iter()
                .copied()
                .find(|set| same(set))
                .or_else(|| sets.iter().copied().max_by_key(revision));
            for set in sets {
                self.world.adopt_set(deployment, set, Some(set) == current);
            }
        }
    }
}
