//! Small clusters as `kubectl get -o json` and the `aws` command line print them: written down here, read by the real
//! importer.
//!
//! Group `blue` has a node in each zone that is named; everything lies in namespace `shop`. A pod's grace period of
//! 605 s makes a contract of 600 s.

use std::time::Duration;

use loadgen::{chance::Seed, traffic_file::TrafficFile};
use migrator::request::Request;
use scenarios::{
    drive::Intervention,
    scenario::{Run, Scenario, drawn, run_with},
};
use serde_json::{Value, json};
use simulator::{
    import::{self, aws::LoadBalancerDefaults},
    parameters::Parameters,
    world::World,
};

const MADE_AT: &str = "2026-01-01T00:00:00Z";
const PREFIX: &str = "service.beta.kubernetes.io/aws-load-balancer-";

/// Something that another client does during the run, every so often.
#[derive(Clone, Copy)]
pub(crate) struct Meddling {
    pub(crate) every: Duration,
    pub(crate) happens: fn(&mut World),
}

/// A cluster, its AWS side, and what is asked of its migration.
pub(crate) struct Given {
    objects: Vec<Value>,
    aws: Vec<Value>,
    nodes: Vec<String>,
    addresses: u32,
    pub(crate) request: Request,
    pub(crate) traffic: Option<&'static str>,
    pub(crate) meddling: Option<Meddling>,
}

/// A cluster whose group `blue` has a node in each of these zones (`a` is `us-east-1a`): `blue-0`, `blue-1`, ...
pub(crate) fn blue_in(zones: &[&str]) -> Given {
    let mut given = Given {
        objects: Vec::new(),
        aws: Vec::new(),
        nodes: Vec::new(),
        addresses: 0,
        request: Request::new("blue", "green"),
        traffic: None,
        meddling: None,
    };
    for (index, zone) in zones.iter().enumerate() {
        given.add_node(&format!("blue-{index}"), Some("blue"), zone);
    }
    given
}

impl Given {
    pub(crate) fn add_node(&mut self, name: &str, group: Option<&str>, zone: &str) {
        let number = self.nodes.len() + 10;
        let mut labels = json!({
            "kubernetes.io/arch": "amd64",
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            "node.kubernetes.io/instance-type": "m5.large",
            "topology.kubernetes.io/region": "us-east-1",
            "topology.kubernetes.io/zone": format!("us-east-1{zone}"),
        });
        if let Some(group) = group {
            labels["eks.amazonaws.com/nodegroup"] = group.into();
            labels["eks.amazonaws.com/capacityType"] = "ON_DEMAND".into();
        }
        let metadata = json!({ "name": name, "uid": format!("uid-{name}"), "creationTimestamp": MADE_AT, "labels": labels });
        self.objects.push(json!({
            "apiVersion": "v1", "kind": "Node", "metadata": metadata,
            "spec": { "providerID": format!("aws:///us-east-1{zone}/i-{number:017x}") },
            "status": {
                "addresses": [{ "type": "InternalIP", "address": format!("10.0.0.{number}") }],
                "allocatable": { "cpu": "1930m", "memory": "7220Mi", "pods": "29" },
                "conditions": [{ "type": "Ready", "status": "True", "lastTransitionTime": MADE_AT }],
                "nodeInfo": { "kubeletVersion": "v1.36.2-eks", "architecture": "amd64", "operatingSystem": "linux",
                    "bootID": "", "containerRuntimeVersion": "", "kernelVersion": "", "kubeProxyVersion": "",
                    "machineID": "", "osImage": "", "systemUUID": "" },
            },
        }));
        self.nodes.push(name.to_owned());
    }

    /// Any other object.
    pub(crate) fn object(mut self, object: Value) -> Given {
        self.objects.push(object);
        self
    }

    /// What the AWS command line prints of something.
    pub(crate) fn aws(mut self, document: Value) -> Given {
        self.aws.push(document);
        self
    }

    /// Asks for something else.
    pub(crate) fn asking(mut self, change: impl FnOnce(&mut Request)) -> Given {
        change(&mut self.request);
        self
    }

    /// Changes a node's object.
    pub(crate) fn node(mut self, name: &str, change: Value) -> Given {
        let node = self.objects.iter_mut().find(|it| it["kind"] == "Node" && it["metadata"]["name"] == name);
        merge(node.expect("a case changes a node that it has"), change);
        self
    }

    /// A load-balanced Service of the pods of this name.
    pub(crate) fn service(self, service: Service) -> Given {
        self.object(service.object())
    }

    /// A workload with its pods.
    pub(crate) fn workload(mut self, workload: Workload) -> Given {
        workload.add_to(&mut self);
        self
    }

    fn next_address(&mut self) -> String {
        self.addresses += 1;
        format!("10.200.0.{}", self.addresses)
    }

    /// Imports the cluster and migrates it under a seed, the class U parameters drawn from it.
    pub(crate) fn run(&self, seed: u64, accept: &[&str]) -> Run {
        let seed = Seed(seed);
        let parameters = drawn(&Parameters::default(), seed, true);
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": self.objects });
        let cluster = import::parse_cluster("the cluster", list.to_string().as_bytes())
            .unwrap_or_else(|error| panic!("{error}"));
        let file = (!self.aws.is_empty()).then(|| {
            let text = Value::from(self.aws.clone()).to_string();
            import::aws::parse_aws("the AWS file", text.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
        });
        let (aws, _) = import::aws::complete(file, &cluster, &defaults(&parameters))
            .unwrap_or_else(|error| panic!("{error}"));
        let world = World::new(&cluster, &aws, parameters, seed).unwrap_or_else(|error| panic!("{error}"));
        let traffic = self.traffic.map(|text| {
            serde_saphyr::from_str::<TrafficFile>(text).expect("a case's traffic is a traffic file")
        });
        let mut request = self.request.clone();
        request.accept = accept.iter().map(|&code| code.to_owned()).collect();
        let mut interventions = Vec::new();
        if let Some(Meddling { every, happens }) = self.meddling.filter(|_| !accept.is_empty()) {
            let every = u64::try_from(every.as_millis()).expect("a meddling is frequent");
            // Five hours: longer than any of these small migrations may take.
            let times = (0..5 * 3_600_000 / every).map(|nth| nth * every);
            interventions.extend(times.map(|at| Intervention {
                at,
                in_twin: false,
                happens: Box::new(happens),
            }));
        }
        run_with(&world, &Scenario { request, connections: 100, traffic, seed }, &mut interventions)
            .unwrap_or_else(|error| panic!("{error}"))
    }
}

fn defaults(parameters: &Parameters) -> LoadBalancerDefaults {
    LoadBalancerDefaults {
        tcp_idle: Duration::from_millis(parameters.nlb_tcp_idle),
        deregistration_delay: Duration::from_millis(parameters.nlb_dereg_delay),
        deregistration_cut: parameters.nlb_dereg_cut,
        unhealthy_cut: parameters.nlb_unhealthy_cut,
        unhealthy_interval: Duration::from_millis(parameters.nlb_unhealthy_interval),
        cross_zone: None,
    }
}

/// A Service of type LoadBalancer.
pub(crate) struct Service {
    name: &'static str,
    annotations: Value,
    spec: Value,
}

/// A Service behind a Network Load Balancer of the cloud controller, with externalTrafficPolicy Local.
pub(crate) fn local(name: &'static str) -> Service {
    Service {
        name,
        annotations: json!({ format!("{PREFIX}type"): "nlb" }),
        spec: json!({ "externalTrafficPolicy": "Local", "healthCheckNodePort": 31000 }),
    }
}

/// The same with externalTrafficPolicy Cluster.
pub(crate) fn spread_out(name: &'static str) -> Service {
    Service { spec: json!({ "externalTrafficPolicy": "Cluster" }), ..local(name) }
}

/// A Service whose targets are pods, kept by the AWS Load Balancer Controller.
pub(crate) fn by_address(name: &'static str) -> Service {
    let annotations =
        json!({ format!("{PREFIX}type"): "external", format!("{PREFIX}nlb-target-type"): "ip" });
    Service { annotations, ..spread_out(name) }
}

impl Service {
    /// Sets an annotation of the load balancer.
    pub(crate) fn annotated(mut self, name: &str, value: &str) -> Service {
        self.annotations[format!("{PREFIX}{name}")] = value.into();
        self
    }

    /// Without annotations: what the cloud controller makes then is a Classic Load Balancer.
    pub(crate) fn classic(mut self) -> Service {
        self.annotations = json!({});
        self
    }

    fn object(self) -> Value {
        let Service { name, annotations, spec } = self;
        let mut object = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": { "name": name, "namespace": "shop", "uid": format!("uid-{name}-service"),
                "creationTimestamp": MADE_AT, "annotations": annotations },
            "spec": { "type": "LoadBalancer", "clusterIP": "172.20.0.10", "selector": { "app": name },
                "ports": [{ "port": 443, "targetPort": 8443, "nodePort": 30443, "protocol": "TCP" }] },
            "status": { "loadBalancer": { "ingress": [{ "hostname": host_name(name) }] } },
        });
        merge(&mut object, json!({ "spec": spec }));
        object
    }
}

/// The address of a Service's load balancer.
pub(crate) fn host_name(service: &str) -> String {
    format!("{service}-0123456789abcdef.elb.us-east-1.amazonaws.com")
}

/// Kinds of workloads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Deployment,
    StatefulSet,
    DaemonSet,
    Bare,
    /// Of a controller that nothing here runs.
    Foreign,
}

/// A workload and its pods.
pub(crate) struct Workload {
    kind: Kind,
    name: &'static str,
    on: Vec<&'static str>,
    unready: Vec<&'static str>,
    grace: u32,
    pod: Value,
    spec: Value,
    metadata: Value,
    /// Replicas of the ReplicaSet of an older template, which have pods as well.
    older: Vec<&'static str>,
}

fn workload(kind: Kind, name: &'static str, on: &[&'static str]) -> Workload {
    Workload {
        kind,
        name,
        on: on.to_vec(),
        unready: Vec::new(),
        grace: 605,
        pod: json!({}),
        spec: json!({}),
        metadata: json!({}),
        older: Vec::new(),
    }
}

/// A Deployment with a pod on each of these nodes, one on each mention.
pub(crate) fn deployment(name: &'static str, on: &[&'static str]) -> Workload {
    workload(Kind::Deployment, name, on)
}

/// A StatefulSet.
pub(crate) fn stateful_set(name: &'static str, on: &[&'static str]) -> Workload {
    workload(Kind::StatefulSet, name, on)
}

/// A DaemonSet.
pub(crate) fn daemon_set(name: &'static str, on: &[&'static str]) -> Workload {
    workload(Kind::DaemonSet, name, on)
}

/// Pods without a controller.
pub(crate) fn bare_pods(name: &'static str, on: &[&'static str]) -> Workload {
    workload(Kind::Bare, name, on)
}

/// Pods of a controller of some other kind.
pub(crate) fn foreign_pods(name: &'static str, on: &[&'static str]) -> Workload {
    workload(Kind::Foreign, name, on)
}

impl Workload {
    /// Sets `terminationGracePeriodSeconds`.
    pub(crate) fn grace(mut self, seconds: u32) -> Workload {
        self.grace = seconds;
        self
    }

    /// Adds to the pods' specification.
    pub(crate) fn pod(mut self, more: Value) -> Workload {
        merge(&mut self.pod, more);
        self
    }

    /// Adds to the workload's specification.
    pub(crate) fn spec(mut self, more: Value) -> Workload {
        merge(&mut self.spec, more);
        self
    }

    /// Adds to the workload's metadata.
    pub(crate) fn metadata(mut self, more: Value) -> Workload {
        merge(&mut self.metadata, more);
        self
    }

    /// More pods, on these nodes, that are not Ready.
    pub(crate) fn unready(mut self, on: &[&'static str]) -> Workload {
        self.unready = on.to_vec();
        self
    }

    /// More pods, on these nodes, of an older template.
    pub(crate) fn older(mut self, on: &[&'static str]) -> Workload {
        self.older = on.to_vec();
        self
    }

    fn pod_spec(&self, image: &str) -> Value {
        let mut spec = json!({
            "terminationGracePeriodSeconds": self.grace,
            "containers": [{ "name": "app", "image": image,
                "resources": { "requests": { "cpu": "100m", "memory": "128Mi" } } }],
        });
        merge(&mut spec, self.pod.clone());
        spec
    }

    fn add_to(self, given: &mut Given) {
        let name = self.name;
        let labels = json!({ "app": name });
        let ready = self.on.len();
        let pods = ready + self.unready.len() + self.older.len();
        let template = json!({ "metadata": { "labels": labels }, "spec": self.pod_spec("app:2") });
        let status = json!({ "observedGeneration": 1, "replicas": pods, "readyReplicas": ready + self.older.len(),
            "availableReplicas": ready + self.older.len(), "updatedReplicas": pods - self.older.len() });
        let (api_version, kind) = match self.kind {
            Kind::Deployment => ("apps/v1", "Deployment"),
            Kind::StatefulSet => ("apps/v1", "StatefulSet"),
            Kind::DaemonSet => ("apps/v1", "DaemonSet"),
            Kind::Bare | Kind::Foreign => ("", ""),
        };
        if !kind.is_empty() {
            let mut object = json!({
                "apiVersion": api_version, "kind": kind, "metadata": metadata(name, kind),
                "spec": { "selector": { "matchLabels": labels }, "template": template },
                "status": status,
            });
            match self.kind {
                Kind::DaemonSet => {
                    object["status"] = json!({ "currentNumberScheduled": pods, "desiredNumberScheduled": pods,
                        "numberMisscheduled": 0, "numberReady": ready });
                }
                Kind::StatefulSet => {
                    object["spec"]["replicas"] = pods.into();
                    object["spec"]["serviceName"] = name.into();
                }
                _ => object["spec"]["replicas"] = pods.into(),
            }
            merge(&mut object, json!({ "spec": self.spec, "metadata": self.metadata }));
            given.objects.push(object);
        }
        let sets = match self.kind {
            Kind::Deployment => vec![
                ("app:2", "b", [self.on.as_slice(), &self.unready].concat()),
                ("app:1", "a", self.older.clone()),
            ],
            _ => vec![("app:2", "", [self.on.as_slice(), &self.unready].concat())],
        };
        for (image, hash, on) in sets.into_iter().filter(|(_, hash, on)| *hash != "a" || !on.is_empty()) {
            let mut labels = labels.clone();
            let mut owner = match self.kind {
                Kind::Bare => json!([]),
                Kind::Foreign => json!([{ "apiVersion": "example.com/v1", "kind": "GameServer", "name": name,
                    "uid": format!("uid-{name}-GameServer"), "controller": true }]),
                _ => json!([{ "apiVersion": api_version, "kind": kind, "name": name,
                    "uid": format!("uid-{name}-{kind}"), "controller": true }]),
            };
            if self.kind == Kind::Deployment {
                labels["pod-template-hash"] = hash.into();
                let set = format!("{name}-{hash}");
                let mut meta = metadata(&set, "ReplicaSet");
                meta["ownerReferences"] = owner;
                meta["labels"] = labels.clone();
                meta["annotations"] = json!({
                    "deployment.kubernetes.io/revision": if hash == "b" { "2" } else { "1" },
                    "deployment.kubernetes.io/desired-replicas": pods.to_string(),
                    "deployment.kubernetes.io/max-replicas": (pods + pods.div_ceil(4)).to_string(),
                });
                let here = on.len();
                let here_ready = if hash == "b" { ready } else { here };
                given.objects.push(json!({
                    "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": meta,
                    "spec": { "replicas": here, "selector": { "matchLabels": labels },
                        "template": { "metadata": { "labels": labels }, "spec": self.pod_spec(image) } },
                    "status": { "observedGeneration": 1, "replicas": here, "readyReplicas": here_ready,
                        "availableReplicas": here_ready },
                }));
                owner = json!([{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": set,
                    "uid": format!("uid-{set}-ReplicaSet"), "controller": true }]);
            }
            for (index, node) in on.iter().enumerate() {
                let pod = match self.kind {
                    Kind::Deployment => format!("{name}-{hash}-{index}"),
                    _ => format!("{name}-{index}"),
                };
                let is_ready = hash == "a" || index < ready;
                let mut meta = metadata(&pod, "Pod");
                meta["labels"] = labels.clone();
                meta["ownerReferences"] = owner.clone();
                let mut spec = self.pod_spec(image);
                spec["nodeName"] = (*node).into();
                for claim in self.spec["volumeClaimTemplates"].as_array().into_iter().flatten() {
                    let template = claim["metadata"]["name"].as_str().expect("a claim template has a name");
                    let claim = json!({ "claimName": format!("{template}-{pod}") });
                    spec["volumes"] = json!([{ "name": template, "persistentVolumeClaim": claim }]);
                }
                let address = given.next_address();
                given.objects.push(json!({
                    "apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec,
                    "status": { "phase": "Running", "podIP": address, "startTime": MADE_AT,
                        "conditions": [{ "type": "Ready", "status": if is_ready { "True" } else { "False" },
                            "lastTransitionTime": MADE_AT }] },
                }));
            }
        }
    }
}

/// Metadata of an object in namespace `shop`.
pub(crate) fn metadata(name: &str, kind: &str) -> Value {
    json!({ "name": name, "namespace": "shop", "uid": format!("uid-{name}-{kind}"), "generation": 1,
        "creationTimestamp": MADE_AT })
}

/// A disruption budget over the pods of this name.
pub(crate) fn budget(name: &str, app: &str, spec: Value) -> Value {
    let mut object = json!({ "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": metadata(name, "PodDisruptionBudget"), "spec": { "selector": { "matchLabels": { "app": app } } } });
    merge(&mut object, json!({ "spec": spec }));
    object
}

/// A claim for a volume that one node may mount.
pub(crate) fn volume_claim(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata(name, "Claim"),
        "spec": { "accessModes": ["ReadWriteOnce"], "volumeName": format!("pv-{name}") } })
}

/// An autoscaler of a Deployment, from its replicas to two more, whose pods are to use 50 % of their CPU request.
pub(crate) fn autoscaler(name: &str, replicas: usize, use_now: u32) -> Value {
    json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(name, "HorizontalPodAutoscaler"),
        "spec": {
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": name },
            "minReplicas": replicas, "maxReplicas": replicas + 2,
            "metrics": [{ "type": "Resource", "resource": { "name": "cpu",
                "target": { "type": "Utilization", "averageUtilization": 50 } } }],
        },
        "status": {
            "currentReplicas": replicas, "desiredReplicas": replicas,
            "conditions": [{ "type": "ScalingActive", "status": "True" }],
            "currentMetrics": [{ "type": "Resource", "resource": { "name": "cpu",
                "current": { "averageUtilization": use_now } } }],
        },
    })
}

/// What `aws eks describe-nodegroup` prints of group `blue`, with a change.
pub(crate) fn described_blue(nodes: u32, change: Value) -> Value {
    let mut group = json!({
        "nodegroupName": "blue", "clusterName": "prod", "version": "1.36", "status": "ACTIVE",
        "capacityType": "ON_DEMAND", "amiType": "AL2023_x86_64_STANDARD", "instanceTypes": ["m5.large"],
        "scalingConfig": { "minSize": nodes, "maxSize": nodes, "desiredSize": nodes },
        "subnets": ["subnet-a", "subnet-b"], "nodeRole": "arn:aws:iam::111122223333:role/nodes",
        "resources": { "autoScalingGroups": [{ "name": "eks-blue-1" }] },
    });
    merge(&mut group, change);
    json!({ "nodegroup": group })
}

/// What `aws ec2 describe-subnets` prints of a subnet in zone `a` and one in zone `b`.
pub(crate) fn subnets() -> Value {
    json!({ "Subnets": [
        { "SubnetId": "subnet-a", "AvailabilityZone": "us-east-1a", "AvailableIpAddressCount": 4000 },
        { "SubnetId": "subnet-b", "AvailabilityZone": "us-east-1b", "AvailableIpAddressCount": 4000 },
    ] })
}

/// Lays a change over a tree: objects are merged, everything else is replaced.
fn merge(into: &mut Value, change: Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (key, value) in change {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, change) => *into = change,
    }
}
