//! One migration of a large cluster: 1,000 nodes, 10,000 pods, 1,000,000 connections. Run once, because once is long:
//! prints its time, its events and the most memory that the process has held.
//!
//! `cargo bench -p scenarios --bench large -- 100` makes it a tenth of that, with all its proportions, which shows what
//! grows faster than the cluster.

use std::time::Instant;

use loadgen::chance::Seed;
use migrator::request::Request;
use scenarios::scenario::{Scenario, outcome_words, run};
use serde_json::{Value, json};
use simulator::{import, parameters::Parameters, world::World};

#[path = "support/memory.rs"]
mod memory;
use memory::peak_memory;

const NODES: usize = 1_000;
const CONNECTIONS_PER_NODE: usize = 1_000;
const REPLICAS: usize = 20;
const SERVICES: usize = 20;

#[expect(clippy::disallowed_methods, reason = "a benchmark's own timing")]
#[expect(clippy::print_stdout, reason = "a benchmark reports")]
fn main() {
    let nodes = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(NODES);
    let connections = u32::try_from(nodes * CONNECTIONS_PER_NODE).expect("a cluster is smaller");
    let begun = Instant::now();
    let text = serde_json::to_vec(&json!({"apiVersion": "v1", "kind": "List", "items": objects(nodes)}))
        .expect("it is JSON");
    let cluster = import::parse_cluster("large", &text).expect("the generator makes valid objects");
    let (aws, _) = import::aws::complete(None, &cluster, &import::aws::LoadBalancerDefaults::default())
        .expect("nothing is odd");
    let pods = cluster.objects.iter().filter(|object| object.kind() == "Pod").count();
    let world =
        World::new(&cluster, &aws, Parameters::default(), Seed(1)).expect("its selectors can be read");
    drop(cluster);
    let built = begun.elapsed();
    let scenario =
        Scenario { request: Request::new("blue", "green"), connections, traffic: None, seed: Seed(1) };
    let begun = Instant::now();
    let run = run(&world, &scenario).expect("the request fits the cluster");
    println!(
        "{nodes} nodes, {pods} pods, {connections} clients: built in {built:.1?}, migrated in {:.1?}: {:?}, {}, {} events, \
         {} s of virtual time, most memory {}",
        begun.elapsed(),
        run.verdict,
        outcome_words(run.driven.as_ref().and_then(|driven| driven.outcome.as_ref())),
        run.world.events(),
        run.virtual_ms / 1_000,
        peak_memory().map_or_else(|| "unknown".to_owned(), |most| format!("{most} kB")),
    );
    for promise in run.promises.iter().filter(|promise| !promise.held) {
        println!("broken: {}: {}", promise.name, promise.detail);
    }
    for finding in run.findings.iter().take(10) {
        println!("{} {:?} {}: {}", finding.code.id(), finding.severity, finding.object, finding.reason);
    }
}

fn objects(nodes: usize) -> Vec<Value> {
    let created = "2026-11-23T12:00:00Z";
    let mut all = Vec::new();
    for node in 0..nodes {
        let zone = ["us-east-1a", "us-east-1b", "us-east-1c"][node % 3];
        all.push(json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": format!("node-{node}"), "creationTimestamp": created, "labels": {
                "eks.amazonaws.com/nodegroup": "blue", "kubernetes.io/hostname": format!("node-{node}"),
                "node.kubernetes.io/instance-type": "m5.xlarge", "topology.kubernetes.io/zone": zone,
                "topology.kubernetes.io/region": "us-east-1", "kubernetes.io/os": "linux",
            }},
            "spec": {"providerID": format!("aws:///{zone}/i-{node:017x}")},
            "status": {
                "addresses": [{"type": "InternalIP", "address": format!("10.{}.{}.{}", node % 3, node / 250, node % 250)}],
                "allocatable": {"cpu": "3920m", "memory": "14Gi", "pods": "58"},
                "conditions": [{"type": "Ready", "status": "True"}],
                "nodeInfo": {"architecture": "amd64", "bootID": "", "containerRuntimeVersion": "", "kernelVersion": "",
                    "kubeProxyVersion": "", "kubeletVersion": "v1.36.0", "machineID": "", "operatingSystem": "linux",
                    "osImage": "", "systemUUID": ""},
            },
        }));
    }
    for daemon in ["kube-proxy", "aws-node"] {
        let spec = json!({"hostNetwork": true, "tolerations": [{"operator": "Exists"}],
            "containers": [{"name": daemon, "image": daemon, "resources": {"requests": {"cpu": "50m"}}}]});
        all.push(json!({"apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": {"name": daemon, "namespace": "kube-system", "creationTimestamp": created},
            "spec": {"selector": {"matchLabels": {"app": daemon}},
                "template": {"metadata": {"labels": {"app": daemon}}, "spec": spec}}}));
        for node in 0..nodes {
            all.push(pod(
                &format!("{daemon}-{node}"),
                "kube-system",
                daemon,
                "DaemonSet",
                daemon,
                node,
                spec.clone(),
            ));
        }
    }
    for number in 0..nodes * 2 / 5 {
        let name = format!("app-{number:03}");
        let set = format!("{name}-5d9c6b8f7");
        let spec = json!({"terminationGracePeriodSeconds": 600,
            "containers": [{"name": "server", "image": name, "ports": [{"containerPort": 8080}],
                "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 5},
                "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}}}]});
        let template = |labels: Value| json!({"metadata": {"labels": labels}, "spec": spec});
        all.push(json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": "shop", "creationTimestamp": created, "generation": 1},
            "spec": {"replicas": REPLICAS, "selector": {"matchLabels": {"app": name}},
                "template": template(json!({"app": name}))},
            "status": {"observedGeneration": 1, "replicas": REPLICAS, "readyReplicas": REPLICAS,
                "availableReplicas": REPLICAS, "updatedReplicas": REPLICAS}}));
        all.push(json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": set, "namespace": "shop", "creationTimestamp": created,
                "labels": {"app": name, "pod-template-hash": "5d9c6b8f7"},
                "annotations": {"deployment.kubernetes.io/desired-replicas": REPLICAS.to_string(),
                    "deployment.kubernetes.io/max-replicas": (REPLICAS + REPLICAS.div_ceil(4)).to_string(),
                    "deployment.kubernetes.io/revision": "1"},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": name,
                    "controller": true}]},
            "spec": {"replicas": REPLICAS, "selector": {"matchLabels": {"app": name}},
                "template": template(json!({"app": name, "pod-template-hash": "5d9c6b8f7"}))},
            "status": {"replicas": REPLICAS, "readyReplicas": REPLICAS, "availableReplicas": REPLICAS,
                "observedGeneration": 1}}));
        for replica in 0..REPLICAS {
            let node = (number * 7 + replica * (nodes / REPLICAS)) % nodes;
            let mut one =
                pod(&format!("{set}-{replica:05}"), "shop", &name, "ReplicaSet", &set, node, spec.clone());
            one["metadata"]["labels"]["pod-template-hash"] = json!("5d9c6b8f7");
            all.push(one);
        }
        if number < SERVICES {
            all.push(json!({"apiVersion": "v1", "kind": "Service",
                "metadata": {"name": name, "namespace": "shop", "creationTimestamp": created,
                    "annotations": {"service.beta.kubernetes.io/aws-load-balancer-type": "nlb"}},
                "spec": {"type": "LoadBalancer", "selector": {"app": name},
                    "externalTrafficPolicy": if number % 2 == 0 { "Local" } else { "Cluster" },
                    "ports": [{"port": 443, "targetPort": 8080, "nodePort": 30_000 + number}],
                    "healthCheckNodePort": 31_000 + number},
                "status": {"loadBalancer": {"ingress": [{"hostname": format!("{name}.elb.us-east-1.amazonaws.com")}]}}}));
        }
    }
    all
}

fn pod(
    name: &str,
    namespace: &str,
    app: &str,
    owner: &str,
    owner_name: &str,
    node: usize,
    mut spec: Value,
) -> Value {
    spec["nodeName"] = json!(format!("node-{node}"));
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": "2026-11-23T12:00:00Z", "uid": name,
            "labels": {"app": app},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": owner, "name": owner_name, "uid": owner_name,
                "controller": true}]},
        "spec": spec,
        "status": {"phase": "Running", "podIP": format!("10.{}.{}.{}", 100 + node / 250, node % 250, name.len() % 250),
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-23T12:01:00Z"}]}})
}
