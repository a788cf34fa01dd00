//! The migrator's view of a simulated cluster: kept up to date from the world's watch feed, its AWS side from polls.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use migrator::{
    names,
    view::{self, ClusterView, ObjectName},
};
use simulator::{
    import::{
        Typed,
        aws::{Controller, LoadBalancerKind},
    },
    world::{
        self, GroupStatus, InstanceState, Seen, TargetKey, TargetState, World,
        ids::{GroupId, PodId, SpecId},
        objects,
    },
};

/// Keeps a [`ClusterView`] in step with what an observer of the world has seen.
#[derive(Debug, Clone)]
pub struct Observer {
    /// The view.
    pub view: ClusterView,
    /// The newest resourceVersion that it shows.
    pub resource_version: u64,
    id: world::ObserverId,
    specs: Vec<Option<Arc<view::PodSpec>>>,
    names: BTreeMap<Arc<str>, ObjectName>,
}

impl Observer {
    /// Lists everything and begins to watch.
    pub fn new(world: &mut World) -> Observer {
        let mut observer = Observer {
            view: ClusterView::default(),
            resource_version: world.resource_version(),
            id: world.watch(),
            specs: Vec::new(),
            names: BTreeMap::new(),
        };
        observer.list(world);
        observer.poll_aws(world);
        observer
    }

    /// The observer's id in the world.
    pub fn id(&self) -> world::ObserverId {
        self.id
    }

    fn list(&mut self, world: &World) {
        let now = world.now();
        let changes = world
            .nodes()
            .iter()
            .map(|(id, state)| Seen::Node(id, state.clone(), true))
            .chain(world.pods().iter().map(|(id, state)| Seen::Pod(id, state.clone(), true)))
            .chain(world.deployments().iter().map(|(id, state)| Seen::Deployment(id, state.clone(), true)))
            .chain(world.replica_sets().iter().map(|(id, state)| Seen::ReplicaSet(id, state.clone(), true)))
            .chain(world.stateful_sets().iter().map(|(id, state)| Seen::StatefulSet(id, state.clone(), true)))
            .chain(world.daemon_sets().iter().map(|(id, state)| Seen::DaemonSet(id, state.clone(), true)))
            .chain(
                world.autoscalers().iter().map(|(id, s)| Seen::HorizontalPodAutoscaler(id, s.clone(), true)),
            )
            .chain(
                world.budgets().iter().map(|(id, state)| Seen::PodDisruptionBudget(id, state.clone(), true)),
            )
            .chain(world.services().iter().map(|(id, state)| Seen::Service(id, state.clone(), true)))
            .chain(world.config_maps().iter().map(|(id, state)| Seen::ConfigMap(id, state.clone(), true)))
            .chain(world.leases().iter().map(|(id, state)| Seen::Lease(id, state.clone(), true)));
        for change in changes {
            self.see(world, &change, now);
        }
        self.view.other_kinds = world.other_kinds().clone();
        self.view.vertical_pod_autoscalers = vertical_pod_autoscalers(world);
        let auth = world
            .config_maps()
            .iter()
            .map(|(_, map)| map)
            .find(|map| (&*map.meta.namespace, &*map.meta.name) == (names::NAMESPACE, names::AWS_AUTH));
        let data = auth.and_then(|map| map.data.as_deref());
        self.view.mapped_roles = data.and_then(|data| data.get("mapRoles")).map(|text| text.as_str().into());
        for object in world.quotas() {
            self.quota(object);
        }
        for ((namespace, name), claim) in world.claims() {
            let name = ObjectName { namespace: namespace.clone(), name: name.clone() };
            let meta = view::Meta {
                name: name.clone(),
                uid: "".into(),
                resource_version: 0,
                labels: Arc::default(),
                annotations: Default::default(),
                created_at: world.start(),
                deleting: false,
            };
            let claim =
                view::VolumeClaim { meta, single_node: claim.single_node, zones: claim.zones.clone() };
            self.view.volume_claims.insert(name, Arc::new(claim));
        }
    }

    fn quota(&mut self, object: &simulator::import::Object) {
        let Typed::ResourceQuota(quota) = &object.typed else { return };
        let name =
            ObjectName { namespace: object.namespace().unwrap_or("").into(), name: object.name().into() };
        let hard = quota.spec.as_ref().and_then(|spec| spec.hard.clone()).unwrap_or_default();
        let used = quota.status.as_ref().and_then(|status| status.used.clone()).unwrap_or_default();
        let amount = |key: &str, text: &str| {
            let value = if key.ends_with("cpu") { world::cpu_milli(text) } else { world::bytes(text) };
            value.and_then(|value| u64::try_from(value).ok()).unwrap_or(0)
        };
        let hard_and_used = hard
            .iter()
            .map(|(key, quantity)| {
                let used = used.get(key).map_or(0, |used| amount(key, &used.0));
                (key.clone(), (amount(key, &quantity.0), used))
            })
            .collect();
        let meta = view::Meta {
            name: name.clone(),
            uid: quota.metadata.uid.clone().unwrap_or_default().into(),
            resource_version: 0,
            labels: Arc::default(),
            annotations: Default::default(),
            created_at: Timestamp::UNIX_EPOCH,
            deleting: false,
        };
        self.view.resource_quotas.insert(name, Arc::new(view::ResourceQuota { meta, hard_and_used }));
    }

    /// Takes in what has been seen by now. Whether anything was.
    pub fn observe(&mut self, world: &mut World) -> bool {
        let mut seen = Vec::new();
        let newest = world.observe(self.id, |change| seen.push(change.clone()));
        let now = world.now();
        for change in &seen {
            self.see(world, change, now);
        }
        if let Some(newest) = newest {
            self.resource_version = newest;
        }
        newest.is_some()
    }

    fn see(&mut self, world: &World, change: &Seen, now: world::Time) {
        macro_rules! keep {
            ($map:ident, $meta:expr, $exists:expr, $value:expr) => {{
                let name = object_name($meta);
                if *$exists {
                    let value = Arc::new($value);
                    self.view.$map.insert(name, value);
                } else {
                    self.view.$map.remove(&name);
                }
            }};
        }
        match change {
            Seen::Node(_, node, exists) => {
                let name = node.meta.name.clone();
                if *exists {
                    self.view.nodes.insert(name, Arc::new(node_view(world, node)));
                } else {
                    self.view.nodes.remove(&name);
                }
            }
            Seen::Pod(id, pod, exists) => keep!(pods, &pod.meta, exists, self.pod_view(world, *id, pod)),
            Seen::Deployment(_, state, exists) => keep!(
                deployments,
                &state.meta,
                exists,
                view::Deployment {
                    meta: meta_view(world, &state.meta),
                    replicas: state.replicas,
                    selector: state.selector.clone(),
                    template_labels: state.template_labels.clone(),
                    template: self.spec(world, state.spec),
                    generation: state.meta.generation,
                    observed_generation: state.status.observed_generation,
                    status_replicas: state.status.replicas,
                    ready_replicas: state.status.ready,
                    updated_replicas: state.status.updated,
                    paused: state.paused,
                    recreate: state.recreate,
                    max_surge: state.max_surge.clone(),
                    replicas_managers: replicas_managers(&state.meta),
                }
            ),
            Seen::ReplicaSet(_, state, exists) => keep!(
                replica_sets,
                &state.meta,
                exists,
                view::ReplicaSet {
                    meta: meta_view(world, &state.meta),
                    owner: state.deployment.map(|id| {
                        let owner = &world.deployments().last(id).meta;
                        view::Owner {
                            kind: view::OwnerKind::Other,
                            name: owner.name.clone(),
                            uid: owner.uid.clone(),
                        }
                    }),
                    replicas: state.replicas,
                    status_replicas: state.status.replicas,
                }
            ),
            Seen::StatefulSet(_, state, exists) => keep!(
                stateful_sets,
                &state.meta,
                exists,
                view::StatefulSet {
                    meta: meta_view(world, &state.meta),
                    replicas: state.replicas,
                    template_labels: state.template_labels.clone(),
                    template: self.spec(world, state.spec),
                    generation: state.meta.generation,
                    observed_generation: state.status.observed_generation,
                    ready_replicas: state.status.ready,
                    parallel: state.parallel,
                    has_volumes: !state.volume_claims.is_empty(),
                }
            ),
            Seen::DaemonSet(_, state, exists) => keep!(
                daemon_sets,
                &state.meta,
                exists,
                view::DaemonSet {
                    meta: meta_view(world, &state.meta),
                    template_labels: state.template_labels.clone(),
                    template: self.spec(world, state.spec),
                }
            ),
            Seen::HorizontalPodAutoscaler(_, state, exists) => {
                keep!(
                    horizontal_pod_autoscalers,
                    &state.meta,
                    exists,
                    view::HorizontalPodAutoscaler {
                        meta: meta_view(world, &state.meta),
                        target: state.target.clone(),
                        min: state.min,
                        max: state.max,
                        keda: state.meta.labels.contains_key("scaledobject.keda.sh/name"),
                    }
                )
            }
            Seen::PodDisruptionBudget(_, state, exists) => {
                keep!(
                    disruption_budgets,
                    &state.meta,
                    exists,
                    view::DisruptionBudget {
                        meta: meta_view(world, &state.meta),
                        selector: state.selector.clone(),
                        min_available: state.min_available.clone(),
                        max_unavailable: state.max_unavailable.clone(),
                        disruptions_allowed: state.allowed,
                        desired_healthy: state.desired_healthy,
                    }
                )
            }
            Seen::Service(_, state, exists) => keep!(
                services,
                &state.meta,
                exists,
                view::Service {
                    meta: meta_view(world, &state.meta),
                    load_balancer: state.load_balancer,
                    load_balancer_class: state.load_balancer_class.clone(),
                    local: state.local,
                    selector: state.selector.clone(),
                    hostname: state.hostname.clone(),
                }
            ),
            Seen::ConfigMap(_, state, exists) => {
                if (&*state.meta.namespace, &*state.meta.name) == (names::NAMESPACE, names::JOURNAL) {
                    self.view.journal = exists.then(|| {
                        Arc::new(view::JournalObject {
                            meta: meta_view(world, &state.meta),
                            data: state.data.as_deref().cloned().unwrap_or_default().into(),
                        })
                    });
                }
            }
            Seen::Lease(_, state, exists) => {
                if (&*state.meta.namespace, &*state.meta.name) == (names::NAMESPACE, names::LEASE) {
                    self.view.lease = exists.then(|| {
                        Arc::new(view::Lease {
                            meta: meta_view(world, &state.meta),
                            holder: state.holder.clone(),
                            duration: Duration::from_millis(state.duration),
                            renewed_at: world.wall(state.renewed_at),
                            seen_at: world.wall(now as i64),
                        })
                    });
                }
            }
        }
    }

    fn pod_view(&mut self, world: &World, id: PodId, pod: &objects::Pod) -> view::Pod {
        let owner = |kind, meta: &objects::Meta| {
            Some(view::Owner { kind, name: meta.name.clone(), uid: meta.uid.clone() })
        };
        let bare = |kind| {
            let name: Arc<str> = "".into();
            Some(view::Owner { kind, name: name.clone(), uid: name })
        };
        let mut spec = self.spec(world, pod.spec);
        if let objects::PodOwner::StatefulSet(..) = pod.owner {
            // What its StatefulSet claims for it is in its own specification, not in the template.
            let claims: Vec<Arc<str>> = world.claims_of(id).map(|(name, _)| name.into()).collect();
            if claims != spec.volume_claims {
                Arc::make_mut(&mut spec).volume_claims = claims;
            }
        }
        view::Pod {
            meta: meta_view(world, &pod.meta),
            owner: match pod.owner {
                objects::PodOwner::ReplicaSet(id) => {
                    owner(view::OwnerKind::ReplicaSet, &world.replica_sets().last(id).meta)
                }
                objects::PodOwner::StatefulSet(id, _) => {
                    owner(view::OwnerKind::StatefulSet, &world.stateful_sets().last(id).meta)
                }
                objects::PodOwner::DaemonSet(id) => {
                    owner(view::OwnerKind::DaemonSet, &world.daemon_sets().last(id).meta)
                }
                objects::PodOwner::Job(id) => owner(view::OwnerKind::Job, &world.jobs().last(id).meta),
                objects::PodOwner::Node => bare(view::OwnerKind::Node),
                objects::PodOwner::Unknown => {
                    let (_, name) = pod.meta.controller().unwrap_or_default();
                    Some(view::Owner { kind: view::OwnerKind::Other, name: name.into(), uid: "".into() })
                }
                objects::PodOwner::Nobody => None,
            },
            node: pod.node.map(|node| world.nodes().last(node).meta.name.clone()),
            ip: (pod.ip != 0).then(|| Ipv4Addr::from(pod.ip).to_string().into()),
            phase: match pod.phase {
                objects::Phase::Pending => view::PodPhase::Pending,
                objects::Phase::Running => view::PodPhase::Running,
                objects::Phase::Succeeded => view::PodPhase::Succeeded,
                objects::Phase::Failed => view::PodPhase::Failed,
                objects::Phase::Unknown => view::PodPhase::Unknown,
            },
            ready_since: pod.ready.then(|| served(world, pod.ready_at)),
            unschedulable: pod.unschedulable.clone(),
            spec,
        }
    }

    fn spec(&mut self, world: &World, id: SpecId) -> Arc<view::PodSpec> {
        if self.specs.len() <= id.index() {
            self.specs.resize(id.index() + 1, None);
        }
        self.specs[id.index()].get_or_insert_with(|| Arc::new(spec_view(world.spec(id)))).clone()
    }

    /// Describes the AWS side as it is now.
    pub fn poll_aws(&mut self, world: &World) {
        let groups = || {
            (0..world.groups().len())
                .map(GroupId::from)
                .filter(|id| world.groups()[id.index()].status != GroupStatus::Deleted)
        };
        let mut aws = view::AwsView {
            polled_at: Some(world.wall(world.now() as i64)),
            cluster_version: world.cluster_version().clone(),
            ..view::AwsView::default()
        };
        for id in groups() {
            let group = &world.groups()[id.index()];
            aws.node_groups.insert(group.name.clone(), Arc::new(group_view(group)));
            let instances = group.instances.iter().map(|&id| {
                let instance = world.instance(id);
                let state = match instance.state {
                    InstanceState::Pending => "Pending",
                    InstanceState::InService => "InService",
                    InstanceState::Draining => "Terminating:Wait",
                    InstanceState::ShuttingDown | InstanceState::Terminated => "Terminating",
                };
                (instance.id.clone(), world.zone(instance.zone).clone(), state.into())
            });
            aws.auto_scaling_groups.insert(
                group.auto_scaling_group.clone(),
                Arc::new(view::AutoScalingGroup {
                    name: group.auto_scaling_group.clone(),
                    bounds: bounds_view(group.bounds),
                    suspended: group.suspended.clone(),
                    instances: instances.collect(),
                }),
            );
        }
        for (name, template) in world.launch_templates() {
            aws.launch_templates.insert(name.clone(), template.tags.clone());
        }
        for (id, zone, available_addresses) in world.subnets() {
            aws.subnets.insert(id.clone(), view::Subnet { zone: zone.clone(), available_addresses });
        }
        // An Application Load Balancer is not gated on, and not shown.
        for group in world.target_groups().iter().filter(|group| group.carries_traffic()) {
            let service = world.services().last(group.service);
            let service_name =
                self.names.entry(group.arn.clone()).or_insert_with(|| object_name(&service.meta)).clone();
            aws.target_groups.insert(
                group.arn.clone(),
                Arc::new(view::TargetGroup {
                    arn: group.arn.clone(),
                    service: service_name,
                    classic: group.kind == LoadBalancerKind::Classic,
                    ip_targets: group.ip_targets,
                    load_balancer_controller: group.controller == Controller::AwsLoadBalancerController,
                    cross_zone: group.cross_zone,
                    idle_timeout: Duration::from_millis(group.idle_timeout),
                    deregistration_delay: Duration::from_millis(group.deregistration_delay),
                    deregistration_cuts: group.deregistration_cuts,
                    unhealthy_cuts: group.unhealthy_cuts,
                    unhealthy_draining_interval: Duration::from_millis(group.unhealthy_draining_interval),
                    target_node_labels: service
                        .meta
                        .annotations
                        .get("service.beta.kubernetes.io/aws-load-balancer-target-node-labels")
                        .map(|labels| labels.as_str().into()),
                    drifted: group.drift.is_some(),
                    targets: group
                        .targets
                        .iter()
                        .filter(|target| target.state != TargetState::Unused)
                        .map(|target| target_view(world, target))
                        .collect(),
                }),
            );
        }
        self.view.aws = Arc::new(aws);
    }

    /// Zones of the nodes of a group, for reports.
    pub fn zones_of(&self, group: &str) -> BTreeSet<Arc<str>> {
        self.view
            .nodes
            .values()
            .filter(|node| node.node_group.as_deref() == Some(group))
            .filter_map(|node| node.zone.clone())
            .collect()
    }
}

fn object_name(meta: &objects::Meta) -> ObjectName {
    ObjectName { namespace: meta.namespace.clone(), name: meta.name.clone() }
}

fn meta_view(world: &World, meta: &objects::Meta) -> view::Meta {
    view::Meta {
        name: object_name(meta),
        uid: meta.uid.clone(),
        resource_version: meta.resource_version,
        labels: meta.labels.clone(),
        annotations: meta.annotations.clone().into(),
        created_at: served(world, meta.created_at),
        deleting: meta.deletion_at.is_some(),
    }
}

/// Who manages a Deployment's replicas: as its text has it, which for most objects has nothing of the kind.
fn replicas_managers(meta: &objects::Meta) -> Arc<[Arc<str>]> {
    let entries = match &meta.body {
        objects::Body::Imported(raw) if raw.text().contains("\"managedFields\"") => {
            raw.value().pointer("/metadata/managedFields").cloned()
        }
        objects::Body::Written(object) => object.pointer("/metadata/managedFields").cloned(),
        _ => None,
    };
    let entries: Option<Vec<_>> = entries.and_then(|entries| serde_json::from_value(entries).ok());
    migrator::objects::replicas_managers(entries.as_deref())
}

/// VerticalPodAutoscalers of the export.
fn vertical_pod_autoscalers(world: &World) -> BTreeMap<ObjectName, view::VerticalPodAutoscaler> {
    let kind = "VerticalPodAutoscaler";
    if !world.other_kinds().contains_key(&format!("autoscaling.k8s.io/{kind}")) {
        return BTreeMap::new();
    }
    let rendered = world.render();
    let found = rendered.iter().filter(|object| object["kind"] == kind);
    let text = |object: &serde_json::Value, place| {
        Arc::from(object.pointer(place).and_then(|it| it.as_str()).unwrap_or(""))
    };
    let named = |object: &serde_json::Value| ObjectName {
        namespace: text(object, "/metadata/namespace"),
        name: text(object, "/metadata/name"),
    };
    found.map(|object| (named(object), migrator::objects::vertical_pod_autoscaler(object))).collect()
}

/// A point in time as the API serves it: in whole seconds.
fn served(world: &World, at: world::Instant) -> Timestamp {
    let exact = world.wall(at);
    Timestamp::from_second(exact.as_millisecond().div_euclid(1_000)).unwrap_or(exact)
}

fn node_view(world: &World, node: &objects::Node) -> view::Node {
    let count = |value: i64| u64::try_from(value).unwrap_or(0);
    view::Node {
        meta: meta_view(world, &node.meta),
        provider_id: node.provider_id.clone(),
        taints: node.taints.clone(),
        unschedulable: node.unschedulable,
        ready: node.ready == objects::ReadyCondition::True,
        zone: Some(node.zone.clone()),
        node_group: node.node_group.clone(),
        allocatable: view::Resources {
            cpu_milli: count(node.cpu_milli),
            memory: count(node.memory),
            pods: count(node.pods),
        },
        kubelet_version: node.kubelet_version.clone(),
    }
}

fn spec_view(spec: &world::Spec) -> view::PodSpec {
    let hooked =
        spec.kubernetes.containers.iter().any(|container| {
            container.lifecycle.as_ref().is_some_and(|lifecycle| lifecycle.pre_stop.is_some())
        });
    view::PodSpec {
        kubernetes: spec.kubernetes.clone(),
        requests: view::Resources {
            cpu_milli: u64::try_from(spec.cpu_milli).unwrap_or(0),
            memory: u64::try_from(spec.memory).unwrap_or(0),
            pods: 1,
        },
        grace_period: Duration::from_millis(spec.grace),
        pre_stop: (!hooked || spec.pre_stop > 0).then(|| Duration::from_millis(spec.pre_stop)),
        tolerations: spec.kubernetes.tolerations.clone().unwrap_or_default(),
        volume_claims: spec.claims().to_vec(),
    }
}

fn bounds_view(bounds: world::Bounds) -> view::Bounds {
    view::Bounds { min: bounds.min, max: bounds.max, desired: bounds.desired }
}

fn group_view(group: &world::Group) -> view::NodeGroup {
    view::NodeGroup {
        name: group.name.clone(),
        status: match group.status {
            GroupStatus::Creating => view::NodeGroupStatus::Creating,
            GroupStatus::Active => view::NodeGroupStatus::Active,
            GroupStatus::Updating => view::NodeGroupStatus::Updating,
            GroupStatus::Deleting | GroupStatus::Deleted => view::NodeGroupStatus::Deleting,
            GroupStatus::CreateFailed => view::NodeGroupStatus::CreateFailed,
            GroupStatus::DeleteFailed => view::NodeGroupStatus::DeleteFailed,
            GroupStatus::Degraded => view::NodeGroupStatus::Degraded,
        },
        bounds: bounds_view(group.bounds),
        instance_types: group.instance_types.clone(),
        ami_type: group.ami_type.clone(),
        version: group.version.clone(),
        node_role: group.node_role.clone(),
        subnets: group.subnets.iter().map(|(id, _)| id.clone()).collect(),
        labels: group.labels.clone(),
        taints: group
            .taints
            .iter()
            .map(|taint| view::EksTaint {
                key: taint.key.clone(),
                value: taint.value.clone(),
                effect: taint.effect.clone(),
            })
            .collect(),
        tags: group.tags.clone(),
        auto_scaling_group: Some(group.auto_scaling_group.clone()),
        capacity_type: group.capacity_type.clone(),
        repair: group.repair,
        issues: Vec::new(),
    }
}

fn target_view(world: &World, target: &world::Target) -> view::Target {
    view::Target {
        id: match target.key {
            TargetKey::Instance(id) => view::TargetId::Instance(world.instance(id).id.clone()),
            TargetKey::Pod(id) => {
                view::TargetId::Ip(Ipv4Addr::from(world.pods().last(id).ip).to_string().into())
            }
        },
        zone: world.zone(target.zone).clone(),
        state: match target.state {
            TargetState::Initial => view::TargetState::Initial,
            TargetState::Healthy => view::TargetState::Healthy,
            TargetState::Unhealthy => view::TargetState::Unhealthy,
            TargetState::UnhealthyDraining => view::TargetState::UnhealthyDraining,
            TargetState::Draining => view::TargetState::Draining,
            TargetState::Unused => view::TargetState::Unused,
        },
    }
}
