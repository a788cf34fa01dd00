//! A small cluster without any finding, and the ways in which cases change it.
//!
//! Group `blue` has one node in each of two zones; Deployment `shop/web` has a pod on each of them, behind a Service
//! with externalTrafficPolicy Local. Its grace period of 605 s makes a contract of 600 s.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::{api::core::v1 as core, apimachinery::pkg::apis::meta::v1::LabelSelector};

use crate::{findings::Expectations, request::Request, view::*};

pub(super) struct Given {
    pub(super) request: Request,
    pub(super) cluster: ClusterView,
    pub(super) expectations: Expectations,
}

pub(super) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn name(namespace: &str, name: &str) -> ObjectName {
    ObjectName { namespace: namespace.into(), name: name.into() }
}

pub(super) fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub(super) fn meta(namespace: &str, name: &str, labels: &[(&str, &str)]) -> Meta {
    Meta {
        name: self::name(namespace, name),
        uid: format!("uid of {namespace}/{name}").into(),
        resource_version: 1,
        labels: Arc::new(map(labels)),
        annotations: Default::default(),
        created_at: Timestamp::UNIX_EPOCH,
        deleting: false,
    }
}

pub(super) fn selecting(labels: &[(&str, &str)]) -> LabelSelector {
    LabelSelector { match_labels: Some(map(labels)), match_expressions: None }
}

pub(super) fn spec() -> PodSpec {
    PodSpec {
        kubernetes: Arc::default(),
        requests: Resources { cpu_milli: 1000, memory: 1 << 30, pods: 1 },
        grace_period: secs(605),
        pre_stop: Some(Duration::ZERO),
        tolerations: Vec::new(),
        volume_claims: Vec::new(),
    }
}

pub(super) fn owner(kind: OwnerKind, namespace: &str, name: &str) -> Option<Owner> {
    Some(Owner { kind, name: name.into(), uid: format!("uid of {namespace}/{name}").into() })
}

pub(super) fn blanket() -> core::Toleration {
    core::Toleration { operator: Some("Exists".to_owned()), ..Default::default() }
}

pub(super) fn taint(key: &str) -> core::Taint {
    core::Taint { key: key.to_owned(), effect: "NoSchedule".to_owned(), ..Default::default() }
}

/// The cluster without findings.
pub(super) fn given() -> Given {
    let mut given = Given {
        request: Request::new("blue", "green"),
        cluster: ClusterView::default(),
        expectations: Expectations::default(),
    };
    given.aws(|aws| {
        aws.cluster_version = "1.36".into();
        for (subnet, zone) in [("subnet-a", "a"), ("subnet-b", "b"), ("subnet-c", "c")] {
            aws.subnets.insert(subnet.into(), Subnet { zone: zone.into(), available_addresses: 100 });
        }
    });
    given.add_group("blue");
    given.add_node("blue-a", Some("blue"), "a");
    given.add_node("blue-b", Some("blue"), "b");
    given.add_deployment("kube-system", "cluster-autoscaler", &[]);
    given.add_deployment("shop", "web", &["blue-a", "blue-b"]);
    given.add_service("web");
    given
}

impl Given {
    pub(super) fn aws(&mut self, change: impl FnOnce(&mut AwsView)) {
        change(Arc::make_mut(&mut self.cluster.aws));
    }

    pub(super) fn add_group(&mut self, name: &str) {
        let bounds = Bounds { min: 1, max: 4, desired: 2 };
        let group = NodeGroup {
            name: name.into(),
            status: NodeGroupStatus::Active,
            bounds,
            instance_types: vec!["m7i.xlarge".into()],
            ami_type: "AL2023_x86_64_STANDARD".into(),
            version: "1.36".into(),
            node_role: "role".into(),
            subnets: vec!["subnet-a".into(), "subnet-b".into()],
            labels: map(&[("pool", "web")]),
            taints: Vec::new(),
            tags: BTreeMap::new(),
            auto_scaling_group: Some(format!("asg-{name}").into()),
            capacity_type: "ON_DEMAND".into(),
            repair: false,
            issues: Vec::new(),
        };
        let scaling_group = AutoScalingGroup {
            name: format!("asg-{name}").into(),
            bounds,
            suspended: Vec::new(),
            instances: Vec::new(),
        };
        self.aws(|aws| {
            aws.auto_scaling_groups.insert(scaling_group.name.clone(), Arc::new(scaling_group));
            aws.node_groups.insert(name.into(), Arc::new(group));
        });
    }

    pub(super) fn group(&mut self, change: impl FnOnce(&mut NodeGroup)) {
        self.aws(|aws| change(Arc::make_mut(aws.node_groups.get_mut("blue").expect("given"))));
    }

    pub(super) fn add_node(&mut self, name: &str, group: Option<&str>, zone: &str) {
        let labels = [
            ("kubernetes.io/hostname", name),
            ("kubernetes.io/arch", "amd64"),
            ("topology.kubernetes.io/zone", zone),
            ("node.kubernetes.io/instance-type", "m7i.xlarge"),
            ("pool", "web"),
        ];
        let node = Node {
            meta: meta("", name, &labels),
            provider_id: Some(format!("aws:///{zone}/i-{name}").into()),
            taints: Arc::default(),
            unschedulable: false,
            ready: true,
            zone: Some(zone.into()),
            node_group: group.map(Into::into),
            allocatable: Resources { cpu_milli: 4000, memory: 16 << 30, pods: 58 },
            kubelet_version: "v1.36.0".into(),
        };
        self.cluster.nodes.insert(name.into(), Arc::new(node));
        if let Some(group) = group {
            let instance = (format!("i-{name}").into(), zone.into(), "InService".into());
            self.instances(group, |instances| instances.push(instance));
        }
    }

    /// Changes the instances of a group's Auto Scaling group, if there is one.
    pub(super) fn instances(
        &mut self,
        group: &str,
        change: impl FnOnce(&mut Vec<(Arc<str>, Arc<str>, Arc<str>)>),
    ) {
        self.aws(|aws| {
            if let Some(found) = aws.auto_scaling_groups.get_mut(&*format!("asg-{group}")) {
                change(&mut Arc::make_mut(found).instances);
            }
        });
    }

    pub(super) fn node(&mut self, name: &str) -> &mut Node {
        Arc::make_mut(self.cluster.nodes.get_mut(name).expect("given"))
    }

    /// A Ready pod labelled `app: {app}`.
    pub(super) fn add_pod(
        &mut self,
        namespace: &str,
        pod: &str,
        app: &str,
        node: &str,
        owner: Option<Owner>,
    ) {
        let pod = Pod {
            meta: meta(namespace, pod, &[("app", app)]),
            owner,
            node: Some(node.into()),
            ip: None,
            phase: PodPhase::Running,
            ready_since: Some(Timestamp::UNIX_EPOCH),
            unschedulable: None,
            spec: Arc::new(spec()),
        };
        self.cluster.pods.insert(pod.meta.name.clone(), Arc::new(pod));
    }

    /// A settled Deployment with one pod on each of these nodes.
    pub(super) fn add_deployment(&mut self, namespace: &str, app: &str, nodes: &[&str]) {
        let replicas = u32::try_from(nodes.len()).expect("few");
        let deployment = Deployment {
            meta: meta(namespace, app, &[]),
            replicas,
            selector: Arc::new(selecting(&[("app", app)])),
            template_labels: Arc::new(map(&[("app", app)])),
            template: Arc::new(spec()),
            generation: 1,
            observed_generation: 1,
            status_replicas: replicas,
            ready_replicas: replicas,
            updated_replicas: replicas,
            paused: false,
            recreate: false,
            max_surge: "25%".into(),
            replicas_managers: Arc::default(),
        };
        let set = format!("{app}-1");
        self.cluster.deployments.insert(deployment.meta.name.clone(), Arc::new(deployment));
        self.add_replica_set(namespace, &set, owner(OwnerKind::Other, namespace, app), replicas);
        for (index, node) in nodes.iter().enumerate() {
            let set = owner(OwnerKind::ReplicaSet, namespace, &set);
            self.add_pod(namespace, &format!("{app}-1-{index}"), app, node, set);
        }
    }

    pub(super) fn add_replica_set(
        &mut self,
        namespace: &str,
        set: &str,
        owner: Option<Owner>,
        replicas: u32,
    ) {
        let set = ReplicaSet { meta: meta(namespace, set, &[]), owner, replicas, status_replicas: replicas };
        self.cluster.replica_sets.insert(set.meta.name.clone(), Arc::new(set));
    }

    pub(super) fn web(&mut self) -> &mut Deployment {
        Arc::make_mut(self.cluster.deployments.get_mut(&name("shop", "web")).expect("given"))
    }

    /// Changes the specification of every pod in the namespace `shop`.
    pub(super) fn specs(&mut self, change: impl Fn(&mut PodSpec)) {
        for pod in self.cluster.pods.values_mut().filter(|pod| *pod.meta.name.namespace == *"shop") {
            change(Arc::make_mut(&mut Arc::make_mut(pod).spec));
        }
    }

    /// Changes what Kubernetes itself reads of these specifications.
    pub(super) fn kubernetes(&mut self, change: impl Fn(&mut core::PodSpec)) {
        self.specs(|spec| change(Arc::make_mut(&mut spec.kubernetes)));
    }

    pub(super) fn add_stateful_set(&mut self, app: &str, nodes: &[&str]) {
        let replicas = u32::try_from(nodes.len()).expect("few");
        let set = StatefulSet {
            meta: meta("shop", app, &[]),
            replicas,
            template_labels: Arc::new(map(&[("app", app)])),
            template: Arc::new(spec()),
            generation: 1,
            observed_generation: 1,
            ready_replicas: replicas,
            parallel: false,
            has_volumes: false,
        };
        self.cluster.stateful_sets.insert(set.meta.name.clone(), Arc::new(set));
        for (index, node) in nodes.iter().enumerate() {
            self.add_pod(
                "shop",
                &format!("{app}-{index}"),
                app,
                node,
                owner(OwnerKind::StatefulSet, "shop", app),
            );
        }
    }

    /// A DaemonSet with a pod on each old node.
    pub(super) fn add_daemon_set(&mut self, app: &str, template: PodSpec) {
        let set = DaemonSet {
            meta: meta("shop", app, &[]),
            template_labels: Arc::new(map(&[("app", app)])),
            template: Arc::new(template),
        };
        self.cluster.daemon_sets.insert(set.meta.name.clone(), Arc::new(set));
        for node in ["blue-a", "blue-b"] {
            self.add_pod(
                "shop",
                &format!("{app}-{node}"),
                app,
                node,
                owner(OwnerKind::DaemonSet, "shop", app),
            );
        }
    }

    /// A Service that selects `app: {app}`, and its target group with all nodes of `blue`.
    pub(super) fn add_service(&mut self, app: &str) {
        self.add_inner_service(app);
        self.service(app).load_balancer = true;
        let target = |node: &str, zone: &str| Target {
            id: TargetId::Instance(format!("i-{node}").into()),
            zone: zone.into(),
            state: TargetState::Healthy,
        };
        let group = TargetGroup {
            arn: format!("tg-{app}").into(),
            service: name("shop", app),
            classic: false,
            ip_targets: false,
            load_balancer_controller: false,
            cross_zone: false,
            idle_timeout: secs(350),
            deregistration_delay: secs(300),
            deregistration_cuts: false,
            unhealthy_cuts: true,
            unhealthy_draining_interval: Duration::ZERO,
            target_node_labels: None,
            drifted: false,
            targets: vec![target("blue-a", "a"), target("blue-b", "b")],
        };
        self.aws(|aws| {
            aws.target_groups.insert(group.arn.clone(), Arc::new(group));
        });
    }

    /// A Service within the cluster.
    pub(super) fn add_inner_service(&mut self, app: &str) {
        let service = Service {
            meta: meta("shop", app, &[]),
            load_balancer: false,
            load_balancer_class: None,
            local: true,
            selector: Arc::new(map(&[("app", app)])),
            hostname: None,
        };
        self.cluster.services.insert(service.meta.name.clone(), Arc::new(service));
    }

    pub(super) fn service(&mut self, app: &str) -> &mut Service {
        Arc::make_mut(self.cluster.services.get_mut(&name("shop", app)).expect("given"))
    }

    pub(super) fn target_group(&mut self, change: impl FnOnce(&mut TargetGroup)) {
        self.aws(|aws| change(Arc::make_mut(aws.target_groups.get_mut("tg-web").expect("given"))));
    }

    /// Makes the target group one of pods.
    pub(super) fn ip_targets(&mut self) {
        self.target_group(|group| {
            group.ip_targets = true;
            group.load_balancer_controller = true;
            group.unhealthy_cuts = false;
            group.targets.clear();
        });
    }

    pub(super) fn add_budget(&mut self, budget: &str, app: &str, least: Option<&str>, most: Option<&str>) {
        let budget = DisruptionBudget {
            meta: meta("shop", budget, &[]),
            selector: Arc::new(selecting(&[("app", app)])),
            min_available: least.map(Into::into),
            max_unavailable: most.map(Into::into),
            disruptions_allowed: 0,
            desired_healthy: 0,
        };
        self.cluster.disruption_budgets.insert(budget.meta.name.clone(), Arc::new(budget));
    }

    pub(super) fn add_autoscaler(&mut self, max: u32, keda: bool) {
        let autoscaler = HorizontalPodAutoscaler {
            meta: meta("shop", "web", &[]),
            target: ("Deployment".into(), "web".into()),
            min: 1,
            max,
            keda,
        };
        self.cluster.horizontal_pod_autoscalers.insert(autoscaler.meta.name.clone(), Arc::new(autoscaler));
    }

    /// Claim `data`, mounted by every pod in the namespace `shop`.
    pub(super) fn add_claim(&mut self, single_node: bool, zones: &[&str]) {
        let zones = zones.iter().map(|zone| (*zone).into()).collect();
        let claim = VolumeClaim { meta: meta("shop", "data", &[]), single_node, zones };
        self.cluster.volume_claims.insert(claim.meta.name.clone(), Arc::new(claim));
        self.specs(|spec| spec.volume_claims = vec!["data".into()]);
        Arc::make_mut(&mut self.web().template).volume_claims = vec!["data".into()];
    }

    pub(super) fn add_quota(&mut self, resource: &str, hard: u64, used: u64) {
        let hard_and_used = [(resource.to_owned(), (hard, used))].into();
        let quota = ResourceQuota { meta: meta("shop", "quota", &[]), hard_and_used };
        self.cluster.resource_quotas.insert(quota.meta.name.clone(), Arc::new(quota));
    }

    pub(super) fn lock(&mut self, holder: &str) {
        let meta = meta("kube-system", "nodeferry", &[]);
        let lease = Lease {
            meta,
            holder: holder.into(),
            duration: secs(60),
            renewed_at: Timestamp::UNIX_EPOCH,
            seen_at: Timestamp::UNIX_EPOCH,
        };
        self.cluster.lease = Some(Arc::new(lease));
    }

    pub(super) fn journal(&mut self, state: &str) {
        let status = format!(r#"{{"state":"{state}"}}"#);
        let data = map(&[("plan-id", "plan-1"), ("status", &status)]);
        self.cluster.journal =
            Some(Arc::new(JournalObject { meta: meta("kube-system", "nodeferry", &[]), data: data.into() }));
    }

    /// Every old node out of these, for a group to adopt.
    pub(super) fn adopt(&mut self, zones: &[&str]) {
        self.request.adopt = true;
        self.add_group("green");
        for zone in zones {
            self.add_node(&format!("green-{zone}"), Some("green"), zone);
        }
    }
}
