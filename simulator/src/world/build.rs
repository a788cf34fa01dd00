//! From an imported cluster and its AWS side to a world at the start of its run.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use k8s_openapi::{api::core::v1 as core, apimachinery::pkg::apis::meta::v1 as meta};
use loadgen::chance::Seed;

use super::{
    Instant, Time, World,
    cloud::{Bounds, Group, GroupStatus, Instance, InstanceState, eks_effect},
    compile::{count, map},
    endpoints::Proxy,
    ids::{
        DaemonSetId, DeploymentId, GroupId, InstanceId, JobId, NodeId, PodId, ReplicaSetId, ServiceId,
        StatefulSetId, TargetGroupId, ZoneId,
    },
    load_balancer::{Drift, Target, TargetGroup, TargetKey, TargetState},
    log::START,
    nodes::NodeState,
    objects::{Body, Lease, Meta, Node, Phase, Plain, Pod, PodOwner, ReadyCondition},
    pods::{Containers, PodState},
    queue::Event,
    quotas::Quota,
    requests::{EksTaint, LaunchTemplate},
    spec::{bytes, cpu_milli},
};
use crate::{
    import::{
        Cluster, Object, Typed,
        aws::{self, AwsState},
    },
    parameters::Parameters,
    selector::SelectorError,
};

/// Why a cluster cannot be simulated.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A selector, taint or toleration of an object cannot be read.
    #[error("{object}: {source}")]
    Selector {
        /// Kind, namespace and name of the object.
        object: String,
        /// What is wrong with it.
        source: SelectorError,
    },
}

/// What the world knows of volumes.
#[derive(Debug, Clone, Default)]
pub(super) struct Volumes {
    pub(super) claims: BTreeMap<(Arc<str>, Arc<str>), Claim>,
}

/// A PersistentVolumeClaim, with what its volume says.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Only one node may mount it.
    pub single_node: bool,
    /// Zones that its volume's node affinity allows; empty where it says nothing.
    pub zones: Vec<Arc<str>>,
    /// The object.
    pub object: Arc<Object>,
}

struct Builder {
    world: World,
    start: Timestamp,
}

impl World {
    /// The world of a cluster at the start of a run: the newest timestamp of the cluster plus `import.age`.
    ///
    /// # Errors
    ///
    /// An object whose selectors cannot be read.
    pub fn new(
        cluster: &Cluster,
        aws: &AwsState,
        parameters: Parameters,
        seed: Seed,
    ) -> Result<World, BuildError> {
        let age = jiff::SignedDuration::from_millis(i64::try_from(parameters.import_age).unwrap_or(i64::MAX));
        let start = cluster.newest.saturating_add(age).unwrap_or(cluster.newest);
        let mut builder = Builder { world: World::empty(aws, parameters, seed, start), start };
        builder.zones(cluster, aws);
        builder.groups(aws);
        for object in &cluster.objects {
            builder.place(object).map_err(|source| BuildError::Selector { object: named(object), source })?;
        }
        builder.volumes(cluster);
        builder.relate();
        builder
            .pods(cluster)
            .map_err(|(object, source)| BuildError::Selector { object: named(object), source })?;
        builder.find_failing();
        builder.target_groups(aws);
        builder.begin();
        Ok(builder.world)
    }

    /// The same world with another seed, before anything has happened in it.
    ///
    /// # Panics
    ///
    /// If time has passed: what has happened followed from the old seed.
    pub fn reseeded(&self, seed: Seed) -> World {
        assert!(self.now == 0, "a run that has begun keeps its seed");
        let mut world = self.clone();
        world.seed = seed;
        world.names = seed.stream("names");
        world.lags = seed.stream("lags");
        world.ties = seed.stream("ties");
        world.log.absorb(seed.0);
        world
    }

    fn empty(aws: &AwsState, parameters: Parameters, seed: Seed, start: Timestamp) -> World {
        let mut log = super::log::Log::default();
        log.absorb(seed.0);
        World {
            now: 0,
            seed,
            parameters,
            start,
            queue: super::queue::Queue::default(),
            clients: super::queue::ClientQueue::default(),
            served_client: 0,
            events: 0,
            log,
            resource_version: 0,
            names: seed.stream("names"),
            lags: seed.stream("lags"),
            ties: seed.stream("ties"),
            feed: super::feed::Feed::default(),
            store: None,
            nodes: Default::default(),
            pods: Default::default(),
            deployments: Default::default(),
            replica_sets: Default::default(),
            stateful_sets: Default::default(),
            daemon_sets: Default::default(),
            jobs: Default::default(),
            autoscalers: Default::default(),
            budgets: Default::default(),
            services: Default::default(),
            config_maps: Default::default(),
            leases: Default::default(),
            others: Vec::new(),
            other_kinds: BTreeMap::new(),
            quotas: Vec::new(),
            enforced: Vec::new(),
            volumes: Volumes::default(),
            specs: Vec::new(),
            images: BTreeMap::new(),
            label_sets: Default::default(),
            node_states: Vec::new(),
            pod_states: Vec::new(),
            service_states: Vec::new(),
            owners: Default::default(),
            scheduler: Default::default(),
            dns: None,
            proxy_pods: None,
            load_balancer_leader: Default::default(),
            kubelet_version: "v1.36.0".into(),
            cluster_version: "1.36".into(),
            aws: Arc::new(aws.clone()),
            zones: Vec::new(),
            zone_hosts: Vec::new(),
            subnets: BTreeMap::new(),
            subnet_addresses: BTreeMap::new(),
            instances: Vec::new(),
            groups: Vec::new(),
            group_deletions: Vec::new(),
            launch_templates: BTreeMap::new(),
            target_groups: Vec::new(),
            controller: Default::default(),
            autoscaler: Default::default(),
            requests: Vec::new(),
            traffic: Default::default(),
            behaviours: BTreeMap::new(),
            watchdog: Default::default(),
        }
    }

    /// PersistentVolumeClaims by namespace and name.
    pub fn claims(&self) -> impl Iterator<Item = (&(Arc<str>, Arc<str>), &Claim)> {
        self.volumes.claims.iter()
    }

    pub(super) fn is_proxy_pod(&self, pod: PodId) -> bool {
        self.proxy_pods.is_some_and(|set| self.pods.last(pod).owner == PodOwner::DaemonSet(set))
    }

    /// A Deployment has a ready pod.
    pub(super) fn has_ready_pod(&self, deployment: DeploymentId) -> bool {
        self.ready_pods(deployment).next().is_some()
    }
}

impl Builder {
    fn instant(&self, at: Option<&meta::Time>) -> Instant {
        at.map_or(-86_400_000, |at| at.0.as_millisecond() - self.start.as_millisecond())
    }

    fn meta(&mut self, from: &meta::ObjectMeta, object: &Object) -> Meta {
        let version = from.resource_version.as_deref().and_then(|text| text.parse().ok()).unwrap_or(1);
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

    fn zones(&mut self, cluster: &Cluster, aws: &AwsState) {
        let mut names: Vec<Arc<str>> = aws.subnets.iter().map(|subnet| subnet.zone.as_str().into()).collect();
        names.extend(
            aws.load_balancers.iter().flat_map(|balancer| &balancer.zones).map(|zone| zone.as_str().into()),
        );
        for object in &cluster.objects {
            if let Typed::Node(node) = &object.typed {
                names.push(zone_of(node.metadata.labels.as_ref()));
            }
        }
        names.sort();
        names.dedup();
        if names.is_empty() {
            names.push("us-east-1a".into());
        }
        // Hosts that join get addresses behind all that were imported.
        self.world.zone_hosts =
            (0..names.len() as u32).map(|zone| 0x0a00_0064 + ((zone + 1) << 16)).collect();
        self.world.zones = names;
        for subnet in &aws.subnets {
            let zone = self.zone(&subnet.zone);
            self.world.subnets.insert(subnet.id.as_str().into(), zone);
            self.world
                .subnet_addresses
                .insert(subnet.id.as_str().into(), u64::from(subnet.available_addresses));
        }
    }

    fn zone(&self, name: &str) -> ZoneId {
        ZoneId::from(self.world.zones.iter().position(|zone| &**zone == name).unwrap_or(0))
    }

    fn groups(&mut self, aws: &AwsState) {
        self.world.cluster_version = aws.cluster.version.as_str().into();
        for from in &aws.node_groups {
            let scaling = aws.auto_scaling_groups.iter().find(|group| group.name == from.asg_name);
            let mut subnets: Vec<(Arc<str>, ZoneId)> = Vec::new();
            for id in &from.subnets {
                let zone =
                    aws.subnets.iter().find(|subnet| subnet.id == *id).map(|subnet| self.zone(&subnet.zone));
                subnets.push((id.as_str().into(), zone.unwrap_or(ZoneId(0))));
            }
            if subnets.is_empty() {
                // A description that names none: every one that is known.
                subnets = aws
                    .subnets
                    .iter()
                    .map(|subnet| (subnet.id.as_str().into(), self.zone(&subnet.zone)))
                    .collect();
            }
            let bounds =
                scaling.map_or(Bounds { min: from.min, max: from.max, desired: from.desired }, |group| {
                    Bounds { min: group.min, max: group.max, desired: group.desired }
                });
            self.world.groups.push(Group {
                name: from.name.as_str().into(),
                auto_scaling_group: from.asg_name.as_str().into(),
                status: match from.status {
                    aws::NodeGroupStatus::Updating => GroupStatus::Updating,
                    aws::NodeGroupStatus::Creating => GroupStatus::Creating,
                    aws::NodeGroupStatus::Deleting => GroupStatus::Deleting,
                    aws::NodeGroupStatus::CreateFailed => GroupStatus::CreateFailed,
                    aws::NodeGroupStatus::DeleteFailed => GroupStatus::DeleteFailed,
                    aws::NodeGroupStatus::Degraded => GroupStatus::Degraded,
                    aws::NodeGroupStatus::Active => GroupStatus::Active,
                },
                bounds,
                subnets,
                instance_types: from.instance_types.iter().map(|name| name.as_str().into()).collect(),
                ami_type: from.ami_type.as_str().into(),
                version: from.version.as_str().into(),
                node_role: from.node_role.as_str().into(),
                capacity_type: match from.capacity_type {
                    aws::CapacityType::Spot => "SPOT".into(),
                    _ => "ON_DEMAND".into(),
                },
                labels: from.labels.clone(),
                taints: from
                    .taints
                    .iter()
                    .map(|taint| EksTaint {
                        key: taint.key.as_str().into(),
                        value: taint.value.as_str().into(),
                        effect: eks_effect(taint.effect).into(),
                    })
                    .collect(),
                tags: BTreeMap::new(),
                launch_template: from.launch_template.as_ref().map(|template| template.name.as_str().into()),
                repair: from.repair_enabled,
                suspended: scaling
                    .iter()
                    .flat_map(|group| &group.suspended_processes)
                    .map(|process| process.as_str().into())
                    .collect(),
                instances: Vec::new(),
                imported: true,
                client_token: None,
                history: Vec::new(),
                created_at: 0,
                change: None,
                drain: None,
                rebalance_planned: false,
            });
        }
        for template in &aws.launch_templates {
            self.world.launch_templates.insert(
                template.name.as_str().into(),
                LaunchTemplate {
                    name: template.name.as_str().into(),
                    client_token: "".into(),
                    data: BTreeMap::new(),
                    tags: BTreeMap::new(),
                },
            );
        }
    }

    fn place(&mut self, object: &Object) -> Result<(), SelectorError> {
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

    fn node(&mut self, object: &Object, node: &core::Node) {
        let meta = self.meta(&node.metadata, object);
        let spec = node.spec.clone().unwrap_or_default();
        let status = node.status.as_ref();
        let allocatable = |name: &str| {
            status
                .and_then(|status| status.allocatable.as_ref().or(status.capacity.as_ref()))
                .and_then(|resources| resources.get(name))
        };
        let zone_name = zone_of(node.metadata.labels.as_ref());
        let zone = self.zone(&zone_name);
        let ready = status
            .and_then(|status| status.conditions.as_ref())
            .and_then(|conditions| conditions.iter().find(|condition| condition.type_ == "Ready"))
            .map_or(ReadyCondition::Unknown, |condition| match condition.status.as_str() {
                "True" => ReadyCondition::True,
                "False" => ReadyCondition::False,
                _ => ReadyCondition::Unknown,
            });
        let ip = status
            .and_then(|status| status.addresses.as_ref())
            .and_then(|addresses| addresses.iter().find(|address| address.type_ == "InternalIP"))
            .and_then(|address| address.address.parse::<std::net::Ipv4Addr>().ok())
            .map_or(0, u32::from);
        let kubelet_version: Arc<str> = status
            .and_then(|status| status.node_info.as_ref())
            .map_or("", |info| info.kubelet_version.as_str())
            .into();
        if !kubelet_version.is_empty() {
            self.world.kubelet_version = kubelet_version.clone();
        }
        let group_name: Option<Arc<str>> =
            meta.labels.get("eks.amazonaws.com/nodegroup").map(|name| name.as_str().into());
        let provider_id: Option<Arc<str>> = spec.provider_id.as_deref().map(Arc::from);
        let instance_name = provider_id
            .as_deref()
            .filter(|id| id.starts_with("aws:///"))
            .and_then(|id| id.rsplit('/').next())
            .filter(|id| id.starts_with("i-"))
            .map(Arc::<str>::from);
        let instance_type: Arc<str> =
            meta.labels.get("node.kubernetes.io/instance-type").map_or("", String::as_str).into();
        let state = Node {
            instance: instance_name.as_ref().map(|_| InstanceId::from(self.world.instances.len())),
            provider_id,
            taints: Arc::new(spec.taints.unwrap_or_default()),
            unschedulable: spec.unschedulable.unwrap_or(false),
            ready,
            zone: zone_name,
            node_group: group_name.clone(),
            cpu_milli: allocatable("cpu").and_then(|quantity| cpu_milli(&quantity.0)).unwrap_or(0),
            memory: allocatable("memory").and_then(|quantity| bytes(&quantity.0)).unwrap_or(0),
            pods: allocatable("pods").and_then(|quantity| bytes(&quantity.0)).unwrap_or(110),
            kubelet_version,
            meta,
        };
        let name = state.meta.name.clone();
        let id = self.world.nodes.insert(&"".into(), &name, state);
        let mut node_state = NodeState::new(zone, ip);
        node_state.proxy = Proxy { since: Some(0), stopped_at: None };
        // Nothing has been heard of it for so long that its host must be taken to be gone.
        node_state.up = ready != ReadyCondition::Unknown;
        let group = group_name.and_then(|name| {
            self.world.groups.iter().position(|group| group.name == name).map(GroupId::from)
        });
        node_state.group = group;
        self.world.node_states.push(node_state);
        self.world.after_node_change(id, START);
        // Hosts that join later in this zone get addresses of their own.
        let hosts = &mut self.world.zone_hosts[zone.index()];
        *hosts = (*hosts).max(if ip & 0xffff_0000 == *hosts & 0xffff_0000 { ip } else { 0 });
        if let Some(instance) = instance_name {
            let instance_id = InstanceId::from(self.world.instances.len());
            self.world.instances.push(Instance {
                id: instance,
                zone,
                group,
                state: InstanceState::InService,
                node: Some(id),
                ip,
                instance_type,
                entry: START,
            });
            if let Some(group) = group {
                self.world.groups[group.index()].instances.push(instance_id);
            }
        }
    }

    fn volumes(&mut self, cluster: &Cluster) {
        let zones_of = |claim: &core::PersistentVolumeClaim| -> Vec<Arc<str>> {
            let Some(volume) = claim.spec.as_ref().and_then(|spec| spec.volume_name.as_deref()) else {
                return Vec::new();
            };
            cluster
                .objects
                .iter()
                .filter_map(|object| match &object.typed {
                    Typed::PersistentVolume(found) if found.metadata.name.as_deref() == Some(volume) => {
                        Some(found)
                    }
                    _ => None,
                })
                .filter_map(|volume| volume.spec.as_ref()?.node_affinity.as_ref()?.required.as_ref())
                .flat_map(|selector| &selector.node_selector_terms)
                .flat_map(|term| term.match_expressions.iter().flatten())
                .filter(|expression| expression.key.ends_with("/zone"))
                .flat_map(|expression| expression.values.iter().flatten())
                .map(|zone| Arc::from(zone.as_str()))
                .collect()
        };
        for object in &cluster.objects {
            let Typed::PersistentVolumeClaim(claim) = &object.typed else { continue };
            let modes = claim.spec.as_ref().and_then(|spec| spec.access_modes.clone()).unwrap_or_default();
            let shared = modes.iter().any(|mode| mode == "ReadWriteMany" || mode == "ReadOnlyMany");
            let name = (object.namespace().unwrap_or("").into(), object.name().into());
            self.world.volumes.claims.insert(
                name,
                Claim { single_node: !shared, zones: zones_of(claim), object: Arc::new(object.clone()) },
            );
        }
    }

    /// ReplicaSets find their Deployments.
    fn relate(&mut self) {
        let sets: Vec<ReplicaSetId> = self.world.replica_sets.iter().map(|(id, _)| id).collect();
        let mut of: BTreeMap<DeploymentId, Vec<ReplicaSetId>> = BTreeMap::new();
        for id in sets {
            let state = self.world.replica_sets.last(id).clone();
            let Body::Imported(raw) = &state.meta.body else { continue };
            let Some((kind, owner)) = owner_in(&raw.value()) else { continue };
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

    fn pods<'a>(&mut self, cluster: &'a Cluster) -> Result<(), (&'a Object, SelectorError)> {
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
    fn find_failing(&mut self) {
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

    fn owner(
        &self,
        namespace: &str,
        owner: &meta::OwnerReference,
        pod: &str,
    ) -> (PodOwner, Option<super::ids::SpecId>) {
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

    fn target_groups(&mut self, aws: &AwsState) {
        for from in &aws.target_groups {
            let Some((namespace, name)) = &from.service else { continue };
            let Some(service) = self.world.services.find(namespace, name) else { continue };
            let balancer = aws.load_balancers.iter().find(|balancer| {
                balancer.listeners.iter().any(|listener| listener.target_group.as_ref() == Some(&from.arn))
            });
            let listener = balancer.and_then(|balancer| {
                balancer.listeners.iter().find(|listener| listener.target_group.as_ref() == Some(&from.arn))
            });
            let mut zones: Vec<ZoneId> =
                balancer.iter().flat_map(|balancer| &balancer.zones).map(|zone| self.zone(zone)).collect();
            if zones.is_empty() {
                zones = (0..self.world.zones.len()).map(ZoneId::from).collect();
            }
            zones.sort();
            zones.dedup();
            let attributes = &from.attributes;
            let id = TargetGroupId::from(self.world.target_groups.len());
            self.world.target_groups.push(TargetGroup {
                arn: from.arn.as_str().into(),
                service,
                controller: balancer
                    .and_then(|balancer| balancer.controller)
                    .unwrap_or(aws::Controller::CloudControllerManager),
                kind: balancer.map_or(aws::LoadBalancerKind::Network, |balancer| balancer.kind),
                ip_targets: from.target_type == aws::TargetType::Ip,
                cross_zone: attributes
                    .cross_zone
                    .unwrap_or_else(|| balancer.is_some_and(|balancer| balancer.cross_zone)),
                idle_timeout: listener
                    .map_or(self.world.parameters.nlb_tcp_idle, |listener| millis(listener.idle_timeout)),
                deregistration_delay: millis(attributes.deregistration_delay),
                deregistration_cuts: attributes.deregistration_connection_termination,
                unhealthy_cuts: attributes.unhealthy_connection_termination,
                unhealthy_draining_interval: millis(attributes.unhealthy_draining_interval),
                interval: millis(from.health_check.interval),
                healthy_threshold: from.health_check.healthy_threshold,
                unhealthy_threshold: from.health_check.unhealthy_threshold,
                targets: Vec::new(),
                node_labels: from.node_labels.clone(),
                drift: from.drift.as_ref().map(|drift| Drift {
                    replaced: drift.replaced,
                    cross_zone: drift.cross_zone,
                    interval: millis(drift.health_check.interval),
                    healthy_threshold: drift.health_check.healthy_threshold,
                    unhealthy_threshold: drift.health_check.unhealthy_threshold,
                }),
                version: 0,
                routes: vec![Default::default(); zones.len()],
                resolves: vec![(true, 0); zones.len()],
                lost_health: vec![super::log::START; zones.len()],
                healthy: false,
                lost_all_health: super::log::START,
                zones,
                entry: START,
            });
            self.world.service_states[service.index()].target_groups.push(id);
        }
        for balancer in aws.load_balancers.iter().filter(|one| one.kind == aws::LoadBalancerKind::Classic) {
            self.classic_load_balancer(balancer);
        }
    }

    /// A Classic Load Balancer as the cloud controller manager makes it. It stands between client and instance with a
    /// connection on either side, so that an instance that leaves it loses its connections: at once, or where draining
    /// is on at the end of its time.
    /// Source: cloud-provider-aws, `aws_loadbalancer.go` (health check 10 s, 2 ok / 6 fail; draining off by default).
    fn classic_load_balancer(&mut self, balancer: &aws::LoadBalancer) {
        let Some((namespace, name)) = &balancer.service else { return };
        let Some(service) = self.world.services.find(namespace, name) else { return };
        let annotations = self.world.services.last(service).meta.annotations.clone();
        let annotation =
            |name: &str| annotations.get(&format!("service.beta.kubernetes.io/aws-load-balancer-{name}"));
        let seconds = |name: &str, default: Time| {
            annotation(name).and_then(|text| text.parse::<Time>().ok()).unwrap_or(default) * 1_000
        };
        let drains = annotation("connection-draining-enabled").is_some_and(|text| text == "true");
        let mut zones: Vec<ZoneId> = balancer.zones.iter().map(|zone| self.zone(zone)).collect();
        zones.sort();
        zones.dedup();
        let id = TargetGroupId::from(self.world.target_groups.len());
        self.world.target_groups.push(TargetGroup {
            arn: balancer.arn.as_str().into(),
            service,
            controller: aws::Controller::CloudControllerManager,
            kind: balancer.kind,
            ip_targets: false,
            cross_zone: balancer.cross_zone,
            idle_timeout: seconds("connection-idle-timeout", 60),
            deregistration_delay: if drains { seconds("connection-draining-timeout", 300) } else { 0 },
            deregistration_cuts: true,
            unhealthy_cuts: false,
            unhealthy_draining_interval: 0,
            interval: 10_000,
            healthy_threshold: 2,
            unhealthy_threshold: 6,
            targets: Vec::new(),
            node_labels: BTreeMap::new(),
            drift: None,
            version: 0,
            routes: vec![Default::default(); zones.len()],
            resolves: vec![(true, 0); zones.len()],
            lost_health: vec![super::log::START; zones.len()],
            healthy: false,
            lost_all_health: super::log::START,
            zones,
            entry: START,
        });
        self.world.service_states[service.index()].target_groups.push(id);
    }

    /// Endpoints, targets and controllers as they must have been for a while.
    fn begin(&mut self) {
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
    pub(super) fn first_targets(&mut self, group: TargetGroupId) {
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
    fn settle_imported(&mut self, cause: super::ids::EntryId) {
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

fn named(object: &Object) -> String {
    format!("{} {}/{}", object.kind(), object.namespace().unwrap_or(""), object.name())
}

fn zone_of(labels: Option<&BTreeMap<String, String>>) -> Arc<str> {
    labels
        .and_then(|labels| labels.get("topology.kubernetes.io/zone"))
        .map_or("us-east-1a", String::as_str)
        .into()
}

fn millis(span: std::time::Duration) -> Time {
    Time::try_from(span.as_millis()).unwrap_or(Time::MAX)
}

/// Kind and name of the controlling owner in an object's text.
fn owner_in(object: &serde_json::Value) -> Option<(String, String)> {
    let owners = object.get("metadata")?.get("ownerReferences")?.as_array()?;
    let owner = owners
        .iter()
        .find(|owner| owner.get("controller").and_then(serde_json::Value::as_bool) == Some(true))?;
    Some((owner.get("kind")?.as_str()?.to_owned(), owner.get("name")?.as_str()?.to_owned()))
}
