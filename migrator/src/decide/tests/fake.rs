//! A cluster small enough to read: controllers, kubelets, load balancers and EKS, each a function of the view that runs
//! every five seconds. It knows no lag and no faults but those that a test makes; the real model is elsewhere.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::{api::core::v1 as core, apimachinery::pkg::apis::meta::v1::LabelSelector};

use crate::{
    action::{Action, Change, Kind, Patch, Poll, Step, Write},
    decide::decide,
    kernel,
    marks::{DELETION_COST, EXCLUDE},
    plan::Plan,
    request::{Request, Strategy},
    view::*,
};

pub(crate) const TICK: Duration = Duration::from_secs(5);

/// The cluster, and how far along its slow processes are.
#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) now: Timestamp,
    /// What the migrator sees.
    pub(crate) view: ClusterView,
    /// AWS as it is; the view has what was polled of it.
    pub(crate) aws: AwsView,
    version: u64,
    serial: u64,
    /// When a node group reaches its next status.
    group_due: BTreeMap<Arc<str>, Timestamp>,
    /// When a pod becomes Ready, or is gone.
    pod_due: BTreeMap<ObjectName, Timestamp>,
    /// When a node becomes Ready.
    node_due: BTreeMap<NodeName, Timestamp>,
    /// When a target of a group (by id) reaches its next state.
    target_due: BTreeMap<(Arc<str>, String), Timestamp>,
    /// Pods that were asked to end, with the node they were on.
    pub(crate) ended: Vec<(String, String)>,
    /// Every effective write, in few words.
    pub(crate) log: Vec<String>,
    /// Pods whose end reset flows of a Local Service: the last Ready one on a node that was a target.
    pub(crate) resets: Vec<String>,
    /// Where not zero, the seed by which about every third action of a step does not happen.
    pub(crate) unreliable: u64,
    /// Why the scheduler places nothing, while it does not.
    pub(crate) full: Option<Arc<str>>,
}

pub(crate) fn text(text: &str) -> Arc<str> {
    text.into()
}

pub(crate) fn name(namespace: &str, name: &str) -> ObjectName {
    ObjectName { namespace: text(namespace), name: text(name) }
}

fn app(app: &str) -> StringMap {
    Arc::new(BTreeMap::from([("app".to_owned(), app.to_owned())]))
}

/// A zone for the n-th node of a group.
fn zone(n: u32) -> Arc<str> {
    text(["a", "b", "c"][n as usize % 3])
}

impl Fake {
    /// A cluster with a group `blue` of so many nodes, one zone after the other.
    pub(crate) fn new(nodes: u32) -> Fake {
        let mut fake = Fake {
            now: Timestamp::from_second(1_700_000_000).unwrap(),
            view: ClusterView::default(),
            aws: AwsView { cluster_version: text("1.36"), ..AwsView::default() },
            version: 1,
            serial: 0,
            group_due: BTreeMap::new(),
            pod_due: BTreeMap::new(),
            node_due: BTreeMap::new(),
            target_due: BTreeMap::new(),
            ended: Vec::new(),
            log: Vec::new(),
            resets: Vec::new(),
            unreliable: 0,
            full: None,
        };
        let bounds = Bounds { min: 1, max: nodes + 2, desired: nodes };
        fake.add_group("blue", bounds, NodeGroupStatus::Active, BTreeMap::new());
        for n in 0..nodes {
            fake.add_node("blue", n, true);
        }
        fake.poll();
        fake
    }

    pub(crate) fn meta(&mut self, object: ObjectName, labels: StringMap) -> Meta {
        self.serial += 1;
        self.version += 1;
        Meta {
            name: object,
            uid: text(&format!("uid-{}", self.serial)),
            resource_version: self.version,
            labels,
            annotations: Default::default(),
            created_at: self.now,
            deleting: false,
        }
    }

    fn add_group(
        &mut self,
        group: &str,
        bounds: Bounds,
        status: NodeGroupStatus,
        tags: BTreeMap<String, String>,
    ) {
        let scaling = text(&format!("asg-{group}"));
        self.aws.node_groups.insert(
            text(group),
            Arc::new(NodeGroup {
                name: text(group),
                status,
                bounds,
                instance_types: vec![text("m5.large")],
                ami_type: text("AL2023_x86_64_STANDARD"),
                version: text("1.36"),
                node_role: text("role"),
                subnets: vec![text("subnet-a")],
                labels: BTreeMap::new(),
                taints: Vec::new(),
                tags,
                auto_scaling_group: Some(scaling.clone()),
                capacity_type: text("ON_DEMAND"),
                repair: false,
                issues: Vec::new(),
            }),
        );
        self.aws.auto_scaling_groups.insert(
            scaling.clone(),
            Arc::new(AutoScalingGroup {
                name: scaling,
                bounds,
                suspended: Vec::new(),
                instances: Vec::new(),
            }),
        );
    }

    pub(crate) fn add_node(&mut self, group: &str, n: u32, ready: bool) {
        let node = format!("{group}-{n}");
        let labels = BTreeMap::from([("eks.amazonaws.com/nodegroup".to_owned(), group.to_owned())]);
        let meta = self.meta(name("", &node), Arc::new(labels));
        self.view.nodes.insert(
            text(&node),
            Arc::new(Node {
                meta,
                provider_id: Some(text(&format!("aws:///{}/i-{node}", zone(n)))),
                taints: Arc::default(),
                unschedulable: false,
                ready,
                zone: Some(zone(n)),
                node_group: Some(text(group)),
                allocatable: Resources { cpu_milli: 4000, memory: 1 << 34, pods: 50 },
                kubelet_version: text("v1.36.0"),
            }),
        );
        let proxy = self.meta(name("kube-system", &format!("kube-proxy-{node}")), app("kube-proxy"));
        self.view.daemon_sets.entry(name("kube-system", "kube-proxy")).or_insert_with(|| {
            let mut meta = proxy.clone();
            meta.name = name("kube-system", "kube-proxy");
            Arc::new(DaemonSet { meta, template_labels: app("kube-proxy"), template: spec(30) })
        });
        let owner = Owner { kind: OwnerKind::DaemonSet, name: text("kube-proxy"), uid: text("ds") };
        let pod = pod(proxy, Some(owner), 30);
        let pod = Pod { node: Some(text(&node)), ready_since: ready.then_some(self.now), ..pod };
        self.view.pods.insert(pod.meta.name.clone(), Arc::new(pod));
    }

    /// A Deployment whose pods have run on blue nodes, one after the other.
    pub(crate) fn deployment(mut self, namespace: &str, own: &str, replicas: u32, grace: u64) -> Fake {
        let meta = self.meta(name(namespace, own), StringMap::default());
        let uid = meta.uid.clone();
        let set = self.meta(name(namespace, &format!("{own}-rs")), app(own));
        let deployment = Deployment {
            meta,
            replicas,
            selector: Arc::new(LabelSelector::default()),
            template_labels: app(own),
            template: spec(grace),
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
        let owner = Some(Owner { kind: OwnerKind::Other, name: text(own), uid });
        let set = ReplicaSet { meta: set, owner, replicas, status_replicas: replicas };
        let blue: Vec<NodeName> = self.view.nodes.keys().filter(|n| n.starts_with("blue")).cloned().collect();
        for n in 0..replicas {
            let pod = self.replica(&set, &deployment);
            let node = blue[n as usize % blue.len()].clone();
            let pod = Pod { node: Some(node), ready_since: Some(self.now), phase: PodPhase::Running, ..pod };
            self.view.pods.insert(pod.meta.name.clone(), Arc::new(pod));
        }
        self.view.replica_sets.insert(set.meta.name.clone(), Arc::new(set));
        self.view.deployments.insert(deployment.meta.name.clone(), Arc::new(deployment));
        self.now = self.now.checked_add(TICK).unwrap();
        self
    }

    pub(crate) fn stateful_set(mut self, namespace: &str, own: &str, replicas: u32, grace: u64) -> Fake {
        let meta = self.meta(name(namespace, own), StringMap::default());
        let set = StatefulSet {
            meta,
            replicas,
            template_labels: app(own),
            template: spec(grace),
            generation: 1,
            observed_generation: 1,
            ready_replicas: replicas,
            parallel: false,
            has_volumes: false,
        };
        let blue: Vec<NodeName> = self.view.nodes.keys().filter(|n| n.starts_with("blue")).cloned().collect();
        for n in 0..replicas {
            let pod = self.ordinal(&set, n);
            let node = blue[n as usize % blue.len()].clone();
            let pod = Pod { node: Some(node), ready_since: Some(self.now), phase: PodPhase::Running, ..pod };
            self.view.pods.insert(pod.meta.name.clone(), Arc::new(pod));
        }
        self.view.stateful_sets.insert(set.meta.name.clone(), Arc::new(set));
        self
    }

    pub(crate) fn autoscaler(mut self, namespace: &str, target: &str, min: u32, max: u32) -> Fake {
        let meta = self.meta(name(namespace, target), StringMap::default());
        let kind = if self.view.deployments.contains_key(&name(namespace, target)) {
            "Deployment"
        } else {
            "StatefulSet"
        };
        let autoscaler =
            HorizontalPodAutoscaler { meta, target: (text(kind), text(target)), min, max, keda: false };
        self.view.horizontal_pod_autoscalers.insert(autoscaler.meta.name.clone(), Arc::new(autoscaler));
        self
    }

    pub(crate) fn budget(mut self, namespace: &str, own: &str, max_unavailable: &str) -> Fake {
        let meta = self.meta(name(namespace, own), StringMap::default());
        let selector = LabelSelector { match_labels: Some((*app(own)).clone()), ..LabelSelector::default() };
        let budget = DisruptionBudget {
            meta,
            selector: Arc::new(selector),
            min_available: None,
            max_unavailable: Some(text(max_unavailable)),
            disruptions_allowed: 1,
            desired_healthy: 0,
        };
        self.view.disruption_budgets.insert(budget.meta.name.clone(), Arc::new(budget));
        self
    }

    /// A Service of type LoadBalancer with one target group.
    pub(crate) fn service(mut self, namespace: &str, own: &str, local: bool, ip_targets: bool) -> Fake {
        let meta = self.meta(name(namespace, own), StringMap::default());
        let service = Service {
            meta,
            load_balancer: true,
            load_balancer_class: None,
            local,
            selector: app(own),
            hostname: None,
        };
        let arn = text(&format!("arn:{own}"));
        self.aws.target_groups.insert(
            arn.clone(),
            Arc::new(TargetGroup {
                arn,
                service: service.meta.name.clone(),
                classic: false,
                ip_targets,
                load_balancer_controller: ip_targets,
                cross_zone: false,
                idle_timeout: Duration::from_secs(350),
                deregistration_delay: Duration::from_secs(300),
                deregistration_cuts: false,
                unhealthy_cuts: true,
                unhealthy_draining_interval: Duration::ZERO,
                target_node_labels: None,
                drifted: false,
                targets: Vec::new(),
            }),
        );
        self.view.services.insert(service.meta.name.clone(), Arc::new(service));
        // Long enough for every target to be healthy.
        for _ in 0..20 {
            self.tick();
        }
        self.poll();
        self
    }

    fn replica(&mut self, set: &ReplicaSet, deployment: &Deployment) -> Pod {
        let own = format!("{}-{}", deployment.meta.name.name, self.serial);
        let meta = self.meta(name(&set.meta.name.namespace, &own), deployment.template_labels.clone());
        let owner = Owner {
            kind: OwnerKind::ReplicaSet,
            name: set.meta.name.name.clone(),
            uid: set.meta.uid.clone(),
        };
        let mut pod = pod(meta, Some(owner), 0);
        pod.spec = deployment.template.clone();
        pod.ip = Some(text(&format!("10.0.{}.{}", self.serial / 250, self.serial % 250)));
        pod
    }

    fn ordinal(&mut self, set: &StatefulSet, n: u32) -> Pod {
        let own = name(&set.meta.name.namespace, &format!("{}-{n}", set.meta.name.name));
        let meta = self.meta(own, set.template_labels.clone());
        let owner = Owner {
            kind: OwnerKind::StatefulSet,
            name: set.meta.name.name.clone(),
            uid: set.meta.uid.clone(),
        };
        let mut pod = pod(meta, Some(owner), 0);
        pod.spec = set.template.clone();
        pod.ip = Some(text(&format!("10.1.{}.{}", self.serial / 250, self.serial % 250)));
        pod
    }

    pub(crate) fn poll(&mut self) {
        self.aws.polled_at = Some(self.now);
        self.view.aws = Arc::new(self.aws.clone());
    }

    /// Five seconds of everything.
    pub(crate) fn tick(&mut self) {
        self.now = self.now.checked_add(TICK).unwrap();
        self.node_groups();
        self.nodes();
        self.autoscalers();
        self.deployments();
        self.stateful_sets();
        self.scheduler();
        self.kubelets();
        self.statuses();
        self.targets();
    }

    fn in_secs(&self, seconds: i64) -> Timestamp {
        self.now.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap()
    }

    fn node_groups(&mut self) {
        let due: Vec<Arc<str>> = self
            .group_due
            .iter()
            .filter(|(_, at)| **at <= self.now)
            .map(|(group, _)| group.clone())
            .collect();
        for group in due {
            self.group_due.remove(&group);
            let status = self.aws.node_groups[&group].status;
            if status == NodeGroupStatus::Deleting {
                self.aws.node_groups.remove(&group);
                let gone: Vec<NodeName> = self
                    .view
                    .nodes
                    .values()
                    .filter(|node| node.node_group.as_ref() == Some(&group))
                    .map(|node| node.meta.name.name.clone())
                    .collect();
                for node in gone {
                    self.lose_node(&node);
                }
            } else {
                Arc::make_mut(self.aws.node_groups.get_mut(&group).unwrap()).status = NodeGroupStatus::Active;
            }
        }
    }

    /// An instance is gone with everything on it.
    pub(crate) fn lose_node(&mut self, node: &str) {
        self.view.nodes.remove(node);
        self.view.pods.retain(|_, pod| pod.node.as_deref() != Some(node));
    }

    /// An instance is gone, and its group starts another in the same zone.
    pub(crate) fn fail_node(&mut self, node: &str) {
        let node = self.view.nodes[node].clone();
        let zone = node.zone.as_deref().map(|zone| u32::from(zone.as_bytes()[0] - b'a')).unwrap();
        self.lose_node(&node.meta.name.name);
        self.serial += 1;
        let n = (self.serial as u32 + 10) * 3 + zone;
        let group = node.node_group.clone().unwrap();
        self.add_node(&group, n, false);
        self.node_due.insert(text(&format!("{group}-{n}")), self.in_secs(40));
        let taints = self.aws.node_groups[&group].taints.iter().map(|taint| core::Taint {
            key: taint.key.to_string(),
            value: Some(taint.value.to_string()),
            effect: "NoSchedule".to_owned(),
            time_added: None,
        });
        let own = Arc::make_mut(self.view.nodes.get_mut(&*format!("{group}-{n}")).unwrap());
        own.taints = Arc::new(taints.collect());
    }

    /// Somebody else scales a Deployment.
    pub(crate) fn scale(&mut self, own: &str, replicas: u32) {
        let version = self.next_version();
        let deployment = Arc::make_mut(self.view.deployments.get_mut(&name("shop", own)).unwrap());
        deployment.replicas = replicas;
        deployment.generation += 1;
        deployment.meta.resource_version = version;
    }

    /// Somebody else changes the bounds of an autoscaler.
    pub(crate) fn rescale(&mut self, own: &str, min: u32, max: u32) {
        let version = self.next_version();
        let autoscaler = self.view.horizontal_pod_autoscalers.get_mut(&name("shop", own)).unwrap();
        let autoscaler = Arc::make_mut(autoscaler);
        (autoscaler.min, autoscaler.max, autoscaler.meta.resource_version) = (min, max, version);
    }

    pub(crate) fn fail_group(&mut self, group: &str, issue: &str) {
        let own = Arc::make_mut(self.aws.node_groups.get_mut(group).unwrap());
        own.status = NodeGroupStatus::CreateFailed;
        own.issues = vec![text(issue)];
        self.group_due.remove(group);
        self.poll();
    }

    pub(crate) fn set_status(&mut self, group: &str, status: NodeGroupStatus) {
        Arc::make_mut(self.aws.node_groups.get_mut(group).unwrap()).status = status;
        self.poll();
    }

    /// The lock has passed to another process, after the silence of the first.
    pub(crate) fn hand_over(&mut self, holder: &str) {
        let lease = self.view.lease.as_mut().unwrap();
        Arc::make_mut(lease).holder = text(holder);
    }

    /// A group that was there before, with its nodes.
    pub(crate) fn found_group(&mut self, group: &str, nodes: u32) {
        let bounds = Bounds { min: 1, max: nodes + 2, desired: nodes };
        self.add_group(group, bounds, NodeGroupStatus::Active, BTreeMap::new());
        for n in 0..nodes {
            self.add_node(group, n, true);
        }
    }

    /// The pods of the shop on one node are gone.
    pub(crate) fn lose_shop_pods(&mut self, node: &str) {
        self.view.pods.retain(|pod, own| own.node.as_deref() != Some(node) || &*pod.namespace != "shop");
    }

    /// Somebody gives the lowest cost to the pods of a node.
    pub(crate) fn cost(&mut self, node: &str) {
        for pod in self.view.pods.values_mut() {
            if pod.node.as_deref() == Some(node) && &*pod.meta.name.namespace == "shop" {
                let annotations = &mut Arc::make_mut(pod).meta.annotations;
                let cost = (DELETION_COST.to_owned(), crate::marks::LOW_COST.to_owned());
                annotations.edit(|annotations| annotations.extend([cost]));
            }
        }
    }

    /// A pod of a Job, or of nobody.
    pub(crate) fn lone_pod(&mut self, own: &str, job: Option<&str>) {
        let meta = self.meta(name("shop", own), app(own));
        let owner = job.map(|job| Owner { kind: OwnerKind::Job, name: text(job), uid: text(job) });
        let pod = Pod { node: Some(text("blue-0")), phase: PodPhase::Running, ..pod(meta, owner, 30) };
        let pod = Pod { ready_since: Some(self.now), ..pod };
        self.view.pods.insert(pod.meta.name.clone(), Arc::new(pod));
    }

    /// A pod is gone at once.
    pub(crate) fn lose_pod(&mut self, pod: &ObjectName) {
        self.view.pods.remove(pod);
        self.pod_due.remove(pod);
    }

    fn nodes(&mut self) {
        let now = self.now;
        for (node, _) in self.node_due.clone().into_iter().filter(|(_, at)| *at <= now) {
            self.node_due.remove(&node);
            let version = self.next_version();
            if let Some(node) = self.view.nodes.get_mut(&node) {
                let node = Arc::make_mut(node);
                node.ready = true;
                node.meta.resource_version = version;
            }
            let proxy = name("kube-system", &format!("kube-proxy-{node}"));
            if let Some(pod) = self.view.pods.get_mut(&proxy) {
                Arc::make_mut(pod).ready_since = Some(self.now);
            }
        }
    }

    fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    fn autoscalers(&mut self) {
        let autoscalers: Vec<_> = self.view.horizontal_pod_autoscalers.values().cloned().collect();
        for autoscaler in autoscalers {
            let target = ObjectName {
                namespace: autoscaler.meta.name.namespace.clone(),
                name: autoscaler.target.1.clone(),
            };
            let version = self.next_version();
            if let Some(deployment) = self.view.deployments.get_mut(&target) {
                let wanted = deployment.replicas.clamp(autoscaler.min, autoscaler.max);
                if wanted != deployment.replicas {
                    let deployment = Arc::make_mut(deployment);
                    deployment.replicas = wanted;
                    deployment.generation += 1;
                    deployment.meta.resource_version = version;
                }
            }
        }
    }

    fn deployments(&mut self) {
        for key in self.view.deployments.keys().cloned().collect::<Vec<_>>() {
            let deployment = self.view.deployments[&key].clone();
            let set_name = name(&key.namespace, &format!("{}-rs", key.name));
            let mut set = (*self.view.replica_sets[&set_name]).clone();
            set.replicas = deployment.replicas;
            // Annotations are copied, removals are not.
            set.meta.annotations.edit(|own| own.extend((*deployment.meta.annotations).clone()));
            let mut pods: Vec<Arc<Pod>> = self
                .view
                .pods
                .values()
                .filter(|pod| {
                    pod.is_active() && pod.owner.as_ref().is_some_and(|owner| owner.uid == set.meta.uid)
                })
                .cloned()
                .collect();
            for _ in pods.len()..set.replicas as usize {
                let pod = self.replica(&set, &deployment);
                self.view.pods.insert(pod.meta.name.clone(), Arc::new(pod));
            }
            if pods.len() > set.replicas as usize {
                pods.sort_by_key(|pod| {
                    let cost: i32 = pod.meta.annotations.get(DELETION_COST).map_or(0, |c| c.parse().unwrap());
                    let youth = std::cmp::Reverse(pod.ready_since);
                    (pod.node.is_some(), pod.ready_since.is_some(), cost, youth)
                });
                for pod in &pods[..pods.len() - set.replicas as usize] {
                    self.end(&pod.meta.name.clone());
                }
            }
            set.status_replicas = set.replicas;
            self.view.replica_sets.insert(set_name, Arc::new(set));
            let own = Arc::make_mut(self.view.deployments.get_mut(&key).unwrap());
            own.observed_generation = own.generation;
        }
    }

    /// Whether the end of this pod turns the health-check port of a node that is a target.
    fn resets_flows(&self, pod: &Pod) -> bool {
        let serves = |service: &Service, pod: &Pod| {
            pod.is_ready() && crate::selector::service_selects(&service.selector, &pod.meta.labels)
        };
        let services = self.view.services.values().filter(|service| service.local && serves(service, pod));
        services.into_iter().any(|service| {
            let group = &self.aws.target_groups[&*format!("arn:{}", service.meta.name.name)];
            let target = TargetId::Instance(text(&format!("i-{}", pod.node.as_deref().unwrap())));
            let alone =
                self.view.pods.values().filter(|p| p.node == pod.node && serves(service, p)).count() == 1;
            alone && group.targets.iter().any(|t| t.id == target && t.state != TargetState::Unused)
        })
    }

    /// Asks a pod to end.
    pub(crate) fn end(&mut self, pod: &ObjectName) {
        if self.view.pods.get(pod).is_some_and(|pod| self.resets_flows(pod)) {
            self.resets.push(pod.name.to_string());
        }
        let Some(own) = self.view.pods.get_mut(pod) else { return };
        let own = Arc::make_mut(own);
        if own.meta.deleting {
            return;
        }
        own.meta.deleting = true;
        let grace = own.spec.grace_period;
        let node = own.node.as_deref().unwrap_or("none").to_owned();
        self.ended.push((pod.name.to_string(), node));
        self.pod_due.insert(pod.clone(), self.now.checked_add(grace).unwrap());
    }

    fn stateful_sets(&mut self) {
        for set in self.view.stateful_sets.values().cloned().collect::<Vec<_>>() {
            for n in 0..set.replicas {
                let own = name(&set.meta.name.namespace, &format!("{}-{n}", set.meta.name.name));
                if !self.view.pods.contains_key(&own) {
                    let pod = self.ordinal(&set, n);
                    self.view.pods.insert(own, Arc::new(pod));
                }
            }
        }
    }

    fn scheduler(&mut self) {
        let waiting: Vec<ObjectName> = self
            .view
            .pods
            .values()
            .filter(|pod| pod.is_active() && pod.node.is_none())
            .map(|pod| pod.meta.name.clone())
            .collect();
        for pod in waiting {
            let owner = self.view.pods[&pod].owner.clone();
            let load = |node: &Node| {
                let here = |p: &&Arc<Pod>| p.node.as_ref() == Some(&node.meta.name.name);
                let twins = self.view.pods.values().filter(here).filter(|p| p.owner == owner).count();
                (twins, self.view.pods.values().filter(here).count())
            };
            let node = self
                .view
                .nodes
                .values()
                .filter(|node| node.ready && node.taints.is_empty() && !node.unschedulable)
                .filter(|_| self.full.is_none())
                .min_by_key(|node| load(node))
                .map(|node| node.meta.name.name.clone());
            let due = self.in_secs(10);
            let own = Arc::make_mut(self.view.pods.get_mut(&pod).unwrap());
            own.unschedulable = node.is_none().then(|| self.full.clone().unwrap_or(text("no node fits")));
            own.node = node;
            own.phase = PodPhase::Running;
            if own.node.is_some() {
                self.pod_due.insert(pod, due);
            }
        }
    }

    fn kubelets(&mut self) {
        for (pod, _) in self.pod_due.clone().into_iter().filter(|(_, at)| *at <= self.now) {
            self.pod_due.remove(&pod);
            let Some(own) = self.view.pods.get_mut(&pod) else { continue };
            if own.meta.deleting {
                self.view.pods.remove(&pod);
            } else {
                Arc::make_mut(own).ready_since = Some(self.now);
            }
        }
    }

    fn statuses(&mut self) {
        let ready = |view: &ClusterView, labels: &StringMap| {
            view.pods.values().filter(|pod| pod.is_ready() && pod.meta.labels == *labels).count() as u32
        };
        let view = self.view.clone();
        for set in self.view.stateful_sets.values_mut() {
            let labels = set.template_labels.clone();
            Arc::make_mut(set).ready_replicas = ready(&view, &labels);
        }
        for deployment in self.view.deployments.values_mut() {
            let labels = deployment.template_labels.clone();
            let deployment = Arc::make_mut(deployment);
            deployment.ready_replicas = ready(&view, &labels);
            deployment.status_replicas = deployment.replicas;
        }
        for budget in self.view.disruption_budgets.values_mut() {
            let labels = Arc::new(budget.selector.match_labels.clone().unwrap());
            let app = labels["app"].clone();
            let scale = view
                .deployments
                .values()
                .map(|d| (&d.meta.name.name, d.replicas))
                .chain(view.stateful_sets.values().map(|set| (&set.meta.name.name, set.replicas)))
                .find(|(own, _)| ***own == *app)
                .unwrap()
                .1;
            let desired = crate::budget::desired_healthy(budget, scale);
            let budget = Arc::make_mut(budget);
            budget.desired_healthy = desired as i32;
            budget.disruptions_allowed = ready(&view, &labels) as i32 - desired as i32;
        }
    }

    fn targets(&mut self) {
        for arn in self.aws.target_groups.keys().cloned().collect::<Vec<_>>() {
            let mut group = (*self.aws.target_groups[&arn]).clone();
            let service = self.view.services[&group.service].clone();
            let serves = |pod: &Pod| {
                pod.is_ready() && crate::selector::service_selects(&service.selector, &pod.meta.labels)
            };
            let mut wanted: BTreeMap<TargetId, (Arc<str>, bool)> = BTreeMap::new();
            if group.ip_targets {
                for pod in self.view.pods.values().filter(|pod| serves(pod)) {
                    let node = &self.view.nodes[pod.node.as_ref().unwrap()];
                    wanted.insert(TargetId::Ip(pod.ip.clone().unwrap()), (node.zone.clone().unwrap(), true));
                }
            } else {
                for node in self.view.nodes.values().filter(|node| !node.meta.labels.contains_key(EXCLUDE)) {
                    let local = self
                        .view
                        .pods
                        .values()
                        .any(|pod| serves(pod) && pod.node.as_ref() == Some(&node.meta.name.name));
                    let healthy = node.ready && (local || !service.local);
                    let id = TargetId::Instance(text(&format!("i-{}", node.meta.name.name)));
                    wanted.insert(id, (node.zone.clone().unwrap(), healthy));
                }
            }
            // Instances that are gone leave on their own.
            group.targets.retain(|target| match &target.id {
                TargetId::Instance(id) => self.view.nodes.contains_key(&id[2..]),
                TargetId::Ip(_) => true,
            });
            for target in &mut group.targets {
                let key = (arn.clone(), format!("{:?}", target.id));
                let due = self.target_due.get(&key).copied();
                let is_due = due.is_some_and(|at| at <= self.now);
                match (wanted.get(&target.id), target.state) {
                    (None, TargetState::Draining) if is_due => target.state = TargetState::Unused,
                    (None, TargetState::Draining | TargetState::Unused) => {}
                    (None, _) => {
                        target.state = TargetState::Draining;
                        self.target_due
                            .insert(key, self.now.checked_add(group.deregistration_delay).unwrap());
                    }
                    (Some(_), TargetState::Draining | TargetState::Unused) => {
                        target.state = TargetState::Initial;
                        self.target_due.insert(key, self.now.checked_add(TICK * 12).unwrap());
                    }
                    (Some((_, true)), TargetState::Initial) if !is_due => {}
                    (Some((_, healthy)), _) => {
                        target.state = if *healthy { TargetState::Healthy } else { TargetState::Unhealthy };
                    }
                }
            }
            group.targets.retain(|target| target.state != TargetState::Unused);
            for (id, (zone, _)) in wanted {
                if group.targets.iter().all(|target| target.id != id) {
                    let key = (arn.clone(), format!("{id:?}"));
                    self.target_due.insert(key, self.now.checked_add(TICK * 12).unwrap());
                    group.targets.push(Target { id, zone, state: TargetState::Initial });
                }
            }
            self.aws.target_groups.insert(arn, Arc::new(group));
        }
    }

    /// Carries out one action, as API servers do; `false` where it was refused.
    pub(crate) fn apply(&mut self, action: &Action) -> bool {
        self.log.push(format!("{} {}", action.phase, said(&action.write)));
        let journal = name("kube-system", "nodeferry");
        match &action.write {
            Write::Lease { holder, duration, resource_version } => {
                if self.view.lease.as_ref().map(|lease| lease.meta.resource_version) != *resource_version {
                    return false;
                }
                let meta = self.meta(journal, StringMap::default());
                self.view.lease = Some(Arc::new(Lease {
                    meta,
                    holder: holder.clone(),
                    duration: *duration,
                    renewed_at: self.now,
                    seen_at: self.now,
                }));
            }
            Write::Journal { data, resource_version } => {
                if self.view.journal.as_ref().map(|object| object.meta.resource_version) != *resource_version
                {
                    return false;
                }
                let meta = self.meta(journal, StringMap::default());
                self.view.journal = Some(Arc::new(JournalObject { meta, data: data.clone().into() }));
            }
            Write::Patch(patch) => return self.patch(patch),
            Write::Evict { pod, .. } => self.end(pod),
            Write::CreateLaunchTemplate(template) => {
                self.aws.launch_templates.insert(template.name.clone(), template.tags.clone());
            }
            Write::DeleteLaunchTemplate { name } => {
                self.aws.launch_templates.remove(name);
            }
            Write::CreateNodeGroup(request) => {
                self.add_group(
                    &request.name,
                    request.bounds,
                    NodeGroupStatus::Creating,
                    request.tags.clone(),
                );
                self.group_due.insert(request.name.clone(), self.in_secs(60));
                for n in 0..request.bounds.desired {
                    self.add_node(&request.name, n, false);
                    self.node_due.insert(text(&format!("{}-{n}", request.name)), self.in_secs(40));
                }
            }
            Write::UpdateNodeGroupBounds { group, bounds } => {
                let own = Arc::make_mut(self.aws.node_groups.get_mut(group).unwrap());
                assert_eq!(own.status, NodeGroupStatus::Active);
                own.bounds = *bounds;
                own.status = NodeGroupStatus::Updating;
                let scaling = own.auto_scaling_group.clone().unwrap();
                Arc::make_mut(self.aws.auto_scaling_groups.get_mut(&scaling).unwrap()).bounds = *bounds;
                self.group_due.insert(group.clone(), self.in_secs(20));
            }
            Write::UpdateNodeGroupTaints { group, add, remove } => {
                let own = Arc::make_mut(self.aws.node_groups.get_mut(group).unwrap());
                assert_eq!(own.status, NodeGroupStatus::Active);
                own.taints.retain(|taint| !remove.contains(taint));
                own.taints.extend(add.iter().cloned());
                own.status = NodeGroupStatus::Updating;
                self.group_due.insert(group.clone(), self.in_secs(20));
            }
            Write::DeleteNodeGroup { group } => {
                Arc::make_mut(self.aws.node_groups.get_mut(group).unwrap()).status =
                    NodeGroupStatus::Deleting;
                self.group_due.insert(group.clone(), self.in_secs(60));
            }
            Write::SuspendProcesses { group, processes } => {
                let own = Arc::make_mut(self.aws.auto_scaling_groups.get_mut(group).unwrap());
                own.suspended.extend(processes.iter().cloned());
            }
            Write::ResumeProcesses { group, processes } => {
                let own = Arc::make_mut(self.aws.auto_scaling_groups.get_mut(group).unwrap());
                own.suspended.retain(|process| !processes.contains(process));
            }
        }
        let in_aws =
            !matches!(action.write, Write::Lease { .. } | Write::Journal { .. } | Write::Evict { .. });
        if in_aws {
            self.poll();
        }
        true
    }

    fn patch(&mut self, patch: &Patch) -> bool {
        let version = self.next_version();
        macro_rules! own {
            ($objects:expr, $key:expr) => {{
                let Some(object) = $objects.get_mut($key) else { return false };
                let object = Arc::make_mut(object);
                if object.meta.uid != patch.uid
                    || patch.resource_version.is_some_and(|seen| seen != object.meta.resource_version)
                {
                    return false;
                }
                object.meta.resource_version = version;
                for change in &patch.changes {
                    let set = |map: &mut BTreeMap<String, String>, key: &String, value: &Option<String>| {
                        match value {
                            Some(value) => map.insert(key.clone(), value.clone()),
                            None => map.remove(key),
                        };
                    };
                    match change {
                        Change::Label(key, value) => set(Arc::make_mut(&mut object.meta.labels), key, value),
                        Change::Annotation(key, value) => {
                            object.meta.annotations.edit(|annotations| set(annotations, key, value));
                        }
                        _ => {}
                    }
                }
                object
            }};
        }
        match patch.kind {
            Kind::Node => {
                let node = own!(self.view.nodes, &patch.object.name);
                for change in &patch.changes {
                    match change {
                        Change::Taints(taints) => node.taints = Arc::new(taints.clone()),
                        Change::Unschedulable(value) => node.unschedulable = *value,
                        _ => {}
                    }
                }
            }
            Kind::Pod => {
                own!(self.view.pods, &patch.object);
            }
            Kind::Deployment => {
                let deployment = own!(self.view.deployments, &patch.object);
                deployment.generation += 1;
                for change in &patch.changes {
                    if let Change::Replicas(replicas) = change {
                        deployment.replicas = *replicas;
                    }
                }
            }
            Kind::ReplicaSet => {
                own!(self.view.replica_sets, &patch.object);
            }
            Kind::HorizontalPodAutoscaler => {
                let autoscaler = own!(self.view.horizontal_pod_autoscalers, &patch.object);
                for change in &patch.changes {
                    if let Change::ReplicaBounds { min, max } = change {
                        (autoscaler.min, autoscaler.max) = (*min, *max);
                    }
                }
            }
            Kind::StatefulSet | Kind::DaemonSet => panic!("never patched"),
        }
        true
    }

    /// Whether the next action does not happen. Source of the constants: Knuth, MMIX.
    fn is_lost(&mut self) -> bool {
        if self.unreliable == 0 {
            return false;
        }
        self.unreliable =
            self.unreliable.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.unreliable >> 33 & 0xff < 85
    }

    /// Lets a decision be carried out, or time pass until it asks again; says whether the end was reached.
    pub(crate) fn step(&mut self, plan: &Plan) -> Option<Step> {
        let step = decide(plan, &self.view, self.now);
        match &step {
            Step::Finished(_) => return Some(step),
            Step::Act(actions) => {
                assert!(!actions.is_empty(), "an empty act stalls the migration");
                for action in actions {
                    if self.is_lost() {
                        continue;
                    }
                    if let Err(refusal) = kernel::judge(plan, &self.view, action) {
                        // Another action of the same act may have changed what the kernel sees.
                        self.log.push(format!("refused: {refusal}"));
                        continue;
                    }
                    assert!(self.apply(action), "{action:?}");
                }
            }
            Step::Wait(wait) => {
                let due = match wait.poll {
                    Poll::Nothing => None,
                    Poll::NodeGroups(every) | Poll::Targets(every) => {
                        Some(self.aws.polled_at.unwrap().checked_add(every).unwrap())
                    }
                };
                let until = wait.until.expect("every wait ends, if only to renew the lock");
                assert!(until > self.now, "a wait that is over: {wait:?} at {}", self.now);
                self.tick();
                if due.is_some_and(|due| due <= self.now) {
                    self.poll();
                }
            }
        }
        None
    }
}

/// What is asked for, from blue to green.
pub(crate) fn request(strategy: Strategy) -> Request {
    Request { strategy, ..Request::new("blue", "green") }
}

pub(crate) fn spec(grace: u64) -> Arc<PodSpec> {
    Arc::new(PodSpec {
        kubernetes: Arc::new(core::PodSpec::default()),
        requests: Resources::default(),
        grace_period: Duration::from_secs(grace),
        pre_stop: Some(Duration::ZERO),
        tolerations: Vec::new(),
        volume_claims: Vec::new(),
    })
}

pub(crate) fn pod(meta: Meta, owner: Option<Owner>, grace: u64) -> Pod {
    Pod {
        meta,
        owner,
        node: None,
        ip: None,
        phase: PodPhase::Pending,
        ready_since: None,
        unschedulable: None,
        spec: spec(grace),
    }
}

/// A write in few words.
pub(crate) fn said(write: &Write) -> String {
    match write {
        Write::Lease { holder, .. } if holder.is_empty() => "release lease".to_owned(),
        Write::Lease { .. } => "hold lease".to_owned(),
        Write::Journal { data, .. } => {
            format!("journal {} marks {}", data["status"], data["marks"].matches("since_at").count())
        }
        Write::Patch(patch) => {
            let changes: Vec<String> = patch
                .changes
                .iter()
                .filter_map(|change| match change {
                    Change::Label(_, Some(_)) => Some("excluded".to_owned()),
                    Change::Label(_, None) => Some("admitted".to_owned()),
                    Change::Annotation(key, value) if key == DELETION_COST => {
                        Some(format!("cost {}", value.as_deref().unwrap_or("none")))
                    }
                    Change::Annotation(_, None) => Some("unmarked".to_owned()),
                    Change::Annotation(..) => None,
                    Change::Replicas(n) => Some(format!("replicas {n}")),
                    Change::Taints(taints) => Some(format!("taints {}", taints.len())),
                    Change::Unschedulable(closed) => {
                        Some(if *closed { "cordoned" } else { "uncordoned" }.to_owned())
                    }
                    Change::ReplicaBounds { min, max } => Some(format!("bounds {min}..{max}")),
                })
                .collect();
            format!("{:?} {} {}", patch.kind, patch.object.name, changes.join(" "))
        }
        Write::Evict { pod, .. } => format!("evict {}", pod.name),
        Write::CreateLaunchTemplate(template) => format!("create template {}", template.name),
        Write::DeleteLaunchTemplate { name } => format!("delete template {name}"),
        Write::CreateNodeGroup(group) => format!("create group {}", group.name),
        Write::UpdateNodeGroupBounds { group, bounds } => {
            format!("bounds of {group} {}..{} at {}", bounds.min, bounds.max, bounds.desired)
        }
        Write::UpdateNodeGroupTaints { group, add, remove } => {
            format!("taints of {group} +{} -{}", add.len(), remove.len())
        }
        Write::DeleteNodeGroup { group } => format!("delete group {group}"),
        Write::SuspendProcesses { group, .. } => format!("suspend {group}"),
        Write::ResumeProcesses { group, .. } => format!("resume {group}"),
    }
}
