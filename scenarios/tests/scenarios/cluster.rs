//! Clusters for stories, a few words each. They are written as an export would show them and go through the importer.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use loadgen::chance::Seed;
use serde_json::{Value, json};
use simulator::{
    import::{self, aws::LoadBalancerDefaults},
    parameters::Parameters,
    world::World,
};

/// Namespace of everything that names none.
pub(crate) const SHOP: &str = "shop";
const SYSTEM: &str = "kube-system";
/// The moment of the export; runs begin then, because ages are given in the stories.
const EXPORTED_AT: &str = "2026-11-23T12:00:00Z";
const DAY: u64 = 86_400;

/// A cluster to be exported.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cluster {
    nodes: Vec<Node>,
    things: Vec<Thing>,
    aws: Option<Value>,
}

#[derive(Debug, Clone)]
struct Node {
    name: String,
    group: String,
    zone: char,
    cpu_milli: u64,
    ready: bool,
    has_provider_id: bool,
}

/// Something that a cluster holds.
#[derive(Debug, Clone)]
pub(crate) enum Thing {
    Workload(Workload),
    Service(Service),
    Object(Value),
}

/// A cluster with kube-proxy on every node and nothing else.
pub(crate) fn cluster() -> Cluster {
    Cluster { nodes: Vec::new(), things: vec![daemon_set("kube-proxy").into()], aws: None }
}

impl Cluster {
    /// A node group with one node for each letter: `"aab"` is two in zone a and one in zone b.
    pub(crate) fn nodes(self, group: &str, zones: &str) -> Cluster {
        self.small_nodes(group, zones, 1_930)
    }

    /// The same with so much CPU on each node.
    pub(crate) fn small_nodes(mut self, group: &str, zones: &str, cpu_milli: u64) -> Cluster {
        for zone in zones.chars() {
            let number = self.nodes.len() + 10;
            let name = format!("ip-10-0-{}-{number}.ec2.internal", zone as u32 - 'a' as u32 + 1);
            self.nodes.push(Node {
                name,
                group: group.into(),
                zone,
                cpu_milli,
                ready: true,
                has_provider_id: true,
            });
        }
        self
    }

    /// The last node that was added is not Ready, and carries no taint for it.
    pub(crate) fn last_not_ready(mut self) -> Cluster {
        self.nodes.last_mut().expect("a node was added").ready = false;
        self
    }

    /// The export of no node says which instance it is.
    pub(crate) fn without_provider_ids(mut self) -> Cluster {
        self.nodes.iter_mut().for_each(|node| node.has_provider_id = false);
        self
    }

    pub(crate) fn with(mut self, thing: impl Into<Thing>) -> Cluster {
        self.things.push(thing.into());
        self
    }

    /// The bounds of a group, which are otherwise the number of its nodes.
    pub(crate) fn bounds(mut self, group: &str, min: usize, max: usize) -> Cluster {
        let desired = self.nodes.iter().filter(|node| node.group == group).count();
        self.aws =
            Some(json!({"nodegroup": {"nodegroupName": group, "clusterName": "cluster", "status": "ACTIVE",
            "scalingConfig": {"minSize": min, "maxSize": max, "desiredSize": desired}}}));
        self
    }

    /// What nodes a group has stands in a launch template of the user's.
    #[cfg(feature = "live")]
    pub(crate) fn launched_from_template(mut self, group: &str) -> Cluster {
        let nodes = self.nodes.iter().filter(|node| node.group == group).count();
        self.aws = Some(json!({
            "nodegroup": {"nodegroupName": group, "clusterName": "cluster", "status": "ACTIVE", "instanceTypes": [],
                "scalingConfig": {"minSize": nodes, "maxSize": nodes, "desiredSize": nodes},
                "launchTemplate": {"id": "lt-0123456789abcdef0", "name": "own", "version": "1"}},
            "LaunchTemplateVersions": [{"LaunchTemplateId": "lt-0123456789abcdef0", "LaunchTemplateName": "own",
                "VersionNumber": 1, "DefaultVersion": true, "LaunchTemplateData": {"InstanceType": "m5.large"}}]}));
        self
    }

    /// An object of a kind that is only counted.
    #[cfg(feature = "live")]
    pub(crate) fn with_one(self, api_version: &str, kind: &str) -> Cluster {
        self.with(Thing::Object(json!({"apiVersion": api_version, "kind": kind,
            "metadata": {"namespace": SHOP, "name": "one", "uid": uid(kind, 92, 0), "resourceVersion": "10",
                "creationTimestamp": ago(DAY)},
            "spec": {}})))
    }

    /// The world of this cluster at the moment of its export.
    pub(crate) fn world(&self, parameters: Parameters) -> World {
        let text = json!({"apiVersion": "v1", "kind": "List", "items": self.objects()}).to_string();
        let exported =
            import::parse_cluster("story", text.as_bytes()).expect("a story's cluster can be read");
        let mut parameters = parameters;
        parameters.import_age = 0;
        world_of(&exported, self.aws.as_ref(), parameters)
    }

    fn objects(&self) -> Vec<Value> {
        let mut objects = vec![json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": SHOP, "creationTimestamp": EXPORTED_AT}})];
        objects.extend(self.nodes.iter().enumerate().map(|(index, node)| node.object(index)));
        for (index, thing) in self.things.iter().enumerate() {
            match thing {
                Thing::Workload(workload) => workload.objects(index, &self.nodes, &mut objects),
                Thing::Service(service) => objects.push(service.object(index)),
                Thing::Object(object) => objects.push(object.clone()),
            }
        }
        objects
    }
}

/// A world as the command line would make it: what AWS is not asked for comes from the parameters.
pub(crate) fn world_of(exported: &import::Cluster, aws: Option<&Value>, parameters: Parameters) -> World {
    let millis = std::time::Duration::from_millis;
    let defaults = LoadBalancerDefaults {
        tcp_idle: millis(parameters.nlb_tcp_idle),
        deregistration_delay: millis(parameters.nlb_dereg_delay),
        deregistration_cut: parameters.nlb_dereg_cut,
        unhealthy_cut: parameters.nlb_unhealthy_cut,
        unhealthy_interval: millis(parameters.nlb_unhealthy_interval),
        cross_zone: parameters.is_set("nlb.cross_zone").then_some(parameters.nlb_cross_zone),
    };
    let file = aws.map(|aws| {
        import::aws::parse_aws("story", aws.to_string().as_bytes()).expect("what AWS says can be read")
    });
    let (aws, _assumed) = import::aws::complete(file, exported, &defaults).expect("AWS would accept it");
    World::new(exported, &aws, parameters, Seed(0)).expect("every selector can be read")
}

impl Node {
    fn object(&self, index: usize) -> Value {
        let zone = format!("us-east-1{}", self.zone);
        json!({"apiVersion": "v1", "kind": "Node",
            "metadata": {
                "name": self.name, "uid": uid("node", index, 0), "resourceVersion": "10",
                "creationTimestamp": ago(DAY),
                "labels": {
                    "eks.amazonaws.com/capacityType": "ON_DEMAND",
                    "eks.amazonaws.com/nodegroup": self.group,
                    "kubernetes.io/hostname": self.name,
                    "kubernetes.io/os": "linux",
                    "node.kubernetes.io/instance-type": "m5.large",
                    "topology.kubernetes.io/region": "us-east-1",
                    "topology.kubernetes.io/zone": zone,
                },
            },
            "spec": if self.has_provider_id {
                json!({"providerID": format!("aws:///{zone}/i-{index:017x}")})
            } else {
                json!({})
            },
            "status": {
                "addresses": [
                    {"type": "InternalIP", "address": format!("10.0.{}.{}", self.zone as u32 - 'a' as u32 + 1, index + 10)},
                    {"type": "Hostname", "address": self.name},
                ],
                "allocatable": {"cpu": format!("{}m", self.cpu_milli), "memory": "7220Mi", "pods": "29"},
                "conditions": [{"type": "Ready", "status": if self.ready { "True" } else { "False" },
                    "reason": "KubeletReady", "message": "",
                    "lastHeartbeatTime": ago(10), "lastTransitionTime": ago(DAY)}],
                "nodeInfo": {"architecture": "amd64", "bootID": "", "containerRuntimeVersion": "", "kernelVersion": "",
                    "kubeProxyVersion": "", "kubeletVersion": "v1.36.2-eks", "machineID": "", "operatingSystem": "linux",
                    "osImage": "", "systemUUID": ""},
            },
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Deployment,
    StatefulSet,
    DaemonSet,
}

/// A workload whose pods all run and are Ready.
#[derive(Debug, Clone)]
pub(crate) struct Workload {
    kind: Kind,
    namespace: &'static str,
    name: String,
    replicas: usize,
    grace_period: u64,
    cpu_milli: u64,
    ready_for: u64,
    on: Vec<usize>,
    one_per_node: bool,
    spread_by: Option<&'static str>,
    tolerates_everything: bool,
    unready: usize,
    annotation: Option<(&'static str, &'static str)>,
}

pub(crate) fn deployment(name: &str) -> Workload {
    Workload {
        kind: Kind::Deployment,
        namespace: SHOP,
        name: name.into(),
        replicas: 1,
        grace_period: 30,
        cpu_milli: 100,
        ready_for: DAY,
        on: Vec::new(),
        one_per_node: false,
        spread_by: None,
        tolerates_everything: false,
        unready: 0,
        annotation: None,
    }
}

pub(crate) fn stateful_set(name: &str) -> Workload {
    Workload { kind: Kind::StatefulSet, ..deployment(name) }
}

/// A DaemonSet of the system, with a pod on every node.
pub(crate) fn daemon_set(name: &str) -> Workload {
    Workload { kind: Kind::DaemonSet, namespace: SYSTEM, ..deployment(name) }
}

/// The AWS Load Balancer Controller, two replicas of which one leads.
pub(crate) fn load_balancer_controller() -> Workload {
    Workload { namespace: SYSTEM, ..deployment("aws-load-balancer-controller") }.replicas(2)
}

/// A cluster autoscaler of one replica.
pub(crate) fn cluster_autoscaler() -> Workload {
    Workload { namespace: SYSTEM, ..deployment("cluster-autoscaler") }
}

impl Workload {
    pub(crate) fn replicas(self, replicas: usize) -> Workload {
        Workload { replicas, ..self }
    }

    /// In seconds.
    pub(crate) fn grace_period(self, grace_period: u64) -> Workload {
        Workload { grace_period, ..self }
    }

    /// CPU that each pod requests, in thousandths of a core.
    pub(crate) fn cpu_milli(self, cpu_milli: u64) -> Workload {
        Workload { cpu_milli, ..self }
    }

    /// Since how many seconds its first pod has been Ready; each further one is two seconds older.
    pub(crate) fn ready_for(self, ready_for: u64) -> Workload {
        Workload { ready_for, ..self }
    }

    /// The nodes of its pods, counted in the order in which they were added; all in turn otherwise.
    pub(crate) fn on(self, nodes: &[usize]) -> Workload {
        Workload { on: nodes.to_vec(), ..self }
    }

    /// Two of its pods may not share a node.
    pub(crate) fn one_per_node(self) -> Workload {
        Workload { one_per_node: true, ..self }
    }

    /// By the values of this node label its pods may be at most one apart.
    pub(crate) fn spread_by(self, label: &'static str) -> Workload {
        Workload { spread_by: Some(label), ..self }
    }

    /// It has a toleration without a key.
    pub(crate) fn tolerating_everything(self) -> Workload {
        Workload { tolerates_everything: true, ..self }
    }

    /// So many of its pods, the last ones, run and never become Ready.
    pub(crate) fn unready(self, unready: usize) -> Workload {
        Workload { unready, ..self }
    }

    /// An annotation of its own that, if it is a Deployment, its ReplicaSet does not have yet.
    pub(crate) fn annotated(self, key: &'static str, value: &'static str) -> Workload {
        Workload { annotation: Some((key, value)), ..self }
    }

    pub(crate) fn of_the_system(self) -> Workload {
        Workload { namespace: SYSTEM, ..self }
    }

    fn template(&self) -> Value {
        let mut spec = json!({
            "terminationGracePeriodSeconds": self.grace_period,
            "containers": [{"name": "server", "image": format!("{}:1", self.name),
                "resources": {"requests": {"cpu": format!("{}m", self.cpu_milli), "memory": "64Mi"}},
                "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 5}}],
        });
        if let Some(label) = self.spread_by {
            spec["topologySpreadConstraints"] = json!([{"topologyKey": label, "maxSkew": 1,
                "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"app": self.name}}}]);
        }
        if self.tolerates_everything {
            spec["tolerations"] = json!([{"operator": "Exists"}]);
        }
        if self.kind == Kind::DaemonSet {
            spec["hostNetwork"] = json!(true);
            spec["tolerations"] = json!([{"operator": "Exists"}]);
        }
        if self.one_per_node {
            spec["affinity"] = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
                {"labelSelector": {"matchLabels": {"app": self.name}}, "topologyKey": "kubernetes.io/hostname"}]}});
        }
        json!({"metadata": {"labels": {"app": self.name}}, "spec": spec})
    }

    fn meta(&self, index: usize, part: usize, name: &str) -> Value {
        json!({"namespace": self.namespace, "name": name, "uid": uid(&self.name, index, part), "resourceVersion": "10",
            "generation": 1, "creationTimestamp": ago(self.ready_for + 30 + 2 * part as u64)})
    }

    fn objects(&self, index: usize, nodes: &[Node], into: &mut Vec<Value>) {
        let pods: Vec<usize> = match (self.kind, self.on.is_empty()) {
            (Kind::DaemonSet, _) => (0..nodes.len()).collect(),
            (_, true) => (0..self.replicas).map(|pod| pod % nodes.len()).collect(),
            (_, false) => (0..self.replicas).map(|pod| self.on[pod % self.on.len()]).collect(),
        };
        let selector = json!({"matchLabels": {"app": self.name}});
        let ready = self.replicas - self.unready;
        let status = json!({"observedGeneration": 1, "replicas": self.replicas, "readyReplicas": ready,
            "availableReplicas": ready, "updatedReplicas": self.replicas});
        let hash = "5d9c7b8f66";
        let mut owner = (format!("{:?}", self.kind), self.name.clone(), uid(&self.name, index, 0));
        let mut labels = BTreeMap::from([("app", self.name.clone())]);
        let mut metadata = self.meta(index, 0, &self.name);
        metadata["annotations"] = json!(self.annotation.into_iter().collect::<BTreeMap<_, _>>());
        let mut object = json!({"apiVersion": "apps/v1", "kind": owner.0, "metadata": metadata, "spec": {
            "selector": selector, "template": self.template()}, "status": status});
        match self.kind {
            Kind::Deployment => {
                object["spec"]["replicas"] = json!(self.replicas);
                into.push(object);
                let name = format!("{}-{hash}", self.name);
                labels.insert("pod-template-hash", hash.into());
                let mut metadata = self.meta(index, 1, &name);
                metadata["labels"] = json!(labels);
                metadata["annotations"] = json!({"deployment.kubernetes.io/revision": "1",
                    "deployment.kubernetes.io/desired-replicas": self.replicas.to_string(),
                    "deployment.kubernetes.io/max-replicas": (self.replicas + self.replicas.div_ceil(4)).to_string()});
                metadata["ownerReferences"] = owners(&owner);
                let mut template = self.template();
                template["metadata"]["labels"] = json!(labels);
                owner = ("ReplicaSet".into(), name, uid(&self.name, index, 1));
                into.push(
                    json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": {
                    "replicas": self.replicas, "selector": {"matchLabels": labels}, "template": template},
                    "status": status}),
                );
            }
            Kind::StatefulSet => {
                object["spec"]["replicas"] = json!(self.replicas);
                object["spec"]["serviceName"] = json!(self.name);
                into.push(object);
            }
            Kind::DaemonSet => {
                object["status"] = json!({"currentNumberScheduled": pods.len(), "desiredNumberScheduled": pods.len(),
                    "numberMisscheduled": 0, "numberReady": pods.len()});
                into.push(object);
            }
        }
        let never_ready = pods.len() - self.unready..;
        for (ordinal, node) in pods.into_iter().enumerate() {
            let name = match self.kind {
                Kind::StatefulSet => format!("{}-{ordinal}", self.name),
                _ => format!("{}-old{ordinal}", owner.1),
            };
            let mut metadata = self.meta(index, ordinal + 2, &name);
            metadata["labels"] = json!(labels);
            metadata["ownerReferences"] = owners(&owner);
            let mut spec = self.template()["spec"].take();
            spec["nodeName"] = json!(nodes[node].name);
            // No two in the same second: ages are compared before UIDs are.
            let ready_at = ago(self.ready_for + 2 * ordinal as u64);
            into.push(
                json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": {
                "phase": "Running", "podIP": format!("10.1.{index}.{}", ordinal + 10), "startTime": ready_at,
                "conditions": [{"type": "Ready", "status": if never_ready.contains(&ordinal) { "False" } else { "True" },
                    "lastTransitionTime": ready_at}]}}),
            );
        }
    }
}

/// A Service of type LoadBalancer behind the workload of the same name.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    name: String,
    policy: &'static str,
    ip_targets: bool,
    annotations: BTreeMap<String, String>,
}

pub(crate) fn service(name: &str) -> Service {
    let nlb = ("service.beta.kubernetes.io/aws-load-balancer-type".to_owned(), "nlb".to_owned());
    Service { name: name.into(), policy: "Cluster", ip_targets: false, annotations: BTreeMap::from([nlb]) }
}

impl Service {
    /// externalTrafficPolicy Local.
    pub(crate) fn local(self) -> Service {
        Service { policy: "Local", ..self }
    }

    /// Its targets are pods, kept by the AWS Load Balancer Controller.
    pub(crate) fn ip_targets(mut self) -> Service {
        self.ip_targets = true;
        self.annotations.clear();
        self.annotated("type", "external").annotated("nlb-target-type", "ip")
    }

    pub(crate) fn annotated(mut self, key: &str, value: &str) -> Service {
        let key = format!("service.beta.kubernetes.io/aws-load-balancer-{key}");
        self.annotations.insert(key, value.to_owned());
        self
    }

    fn object(&self, index: usize) -> Value {
        let mut spec = json!({"type": "LoadBalancer", "clusterIP": format!("10.96.0.{}", index + 10),
            "externalTrafficPolicy": self.policy, "selector": {"app": self.name},
            "ports": [{"name": "tls", "port": 443, "targetPort": 8080, "protocol": "TCP", "nodePort": 31_000 + index}]});
        if self.policy == "Local" {
            spec["healthCheckNodePort"] = json!(32_000 + index);
        }
        json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"namespace": SHOP, "name": self.name, "uid": uid(&self.name, index, 0), "resourceVersion": "10",
                "creationTimestamp": ago(DAY), "annotations": self.annotations},
            "spec": spec,
            "status": {"loadBalancer": {"ingress": [{"hostname": format!("{}.elb.us-east-1.amazonaws.com", self.name)}]}}})
    }
}

/// A PodDisruptionBudget on the workload of the same name; `demand` is `minAvailable` or `maxUnavailable`.
pub(crate) fn budget(name: &str, demand: &str, value: impl Into<Value>) -> Thing {
    Thing::Object(json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": {"namespace": SHOP, "name": name, "uid": uid(name, 90, 0), "resourceVersion": "10", "creationTimestamp": ago(DAY)},
        "spec": {demand: value.into(), "selector": {"matchLabels": {"app": name}}}}))
}

/// A HorizontalPodAutoscaler, without metrics, of the Deployment of the same name.
pub(crate) fn autoscaler(name: &str, min: u32, max: u32) -> Thing {
    Thing::Object(json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"namespace": SHOP, "name": name, "uid": uid(name, 91, 0), "resourceVersion": "10", "creationTimestamp": ago(DAY)},
        "spec": {"minReplicas": min, "maxReplicas": max,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}}}))
}

impl From<Workload> for Thing {
    fn from(workload: Workload) -> Thing {
        Thing::Workload(workload)
    }
}

impl From<Service> for Thing {
    fn from(service: Service) -> Thing {
        Thing::Service(service)
    }
}

fn owners((kind, name, uid): &(String, String, String)) -> Value {
    json!([{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": true}])
}

/// Looks random, as uids do: they break ties among equal pods.
fn uid(name: &str, index: usize, part: usize) -> String {
    let letters = name.bytes().fold(0, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let a = Seed(letters).hash(&[index as u64, part as u64]);
    let b = Seed(a).hash(&[1]);
    format!("{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}", a >> 32, a >> 16 & 0xffff, a & 0xfff, b & 0xfff, b >> 16)
}

/// A time so many seconds before the export.
fn ago(seconds: u64) -> String {
    let at: Timestamp = EXPORTED_AT.parse().expect("it is a timestamp");
    let before = at - SignedDuration::from_secs(seconds.cast_signed());
    before.to_string()
}
