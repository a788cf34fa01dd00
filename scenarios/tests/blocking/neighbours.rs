//! The other side: small clusters drawn at random, of which those without a blocking finding must keep every promise.

use std::fmt::Write as _;

use loadgen::chance::{Seed, Stream};
use serde_json::json;

use crate::given::{
    Given, Workload, autoscaler, blue_in, budget, by_address, daemon_set, deployment, local, spread_out,
    stateful_set, volume_claim,
};

/// A cluster, and in words what it consists of.
pub(crate) struct Drawn {
    pub(crate) given: Given,
    pub(crate) words: String,
}

/// Names of nodes and workloads, so that a draw is an index.
const BLUE: [&str; 6] = ["blue-0", "blue-1", "blue-2", "blue-3", "blue-4", "blue-5"];
const RED: [&str; 2] = ["red-0", "red-1"];
const ZONES: [&str; 3] = ["a", "b", "c"];
const APPS: [&str; 3] = ["web", "api", "db"];

/// The cluster of this number.
pub(crate) fn drawn(number: u64) -> Drawn {
    let mut stream = Seed(number).stream("cluster");
    let mut words = String::new();
    let zone_count = stream.between(1, 3) as usize;
    let count = stream.between(zone_count as u64, 6) as usize;
    let zones: Vec<&str> = (0..count)
        .map(|index| if index < zone_count { ZONES[index] } else { pick(&mut stream, &ZONES[..zone_count]) })
        .collect();
    write!(words, "blue in {zones:?}").expect("a String takes it");
    let mut given = blue_in(&zones);
    let mut nodes: Vec<&'static str> = BLUE[..count].to_vec();
    if stream.chance(1, 3) {
        let others = stream.between(1, 2) as usize;
        for name in &RED[..others] {
            let zone = pick(&mut stream, &ZONES[..zone_count]);
            write!(words, ", {name} in {zone}").expect("a String takes it");
            given.add_node(name, Some("red"), zone);
            nodes.push(name);
        }
    }
    let apps = stream.between(1, 3) as usize;
    for app in &APPS[..apps] {
        given = add_app(given, app, &nodes, &mut stream, &mut words);
    }
    if stream.chance(1, 4) {
        let desired = stream.between(1, 6) as u32;
        write!(words, "; asking for {desired} nodes").expect("a String takes it");
        given = given.asking(|request| {
            (request.min, request.max, request.desired) = (Some(desired), Some(desired), Some(desired));
        });
    }
    Drawn { given, words }
}

fn pick<T: Copy>(stream: &mut Stream, from: &[T]) -> T {
    from[stream.below(from.len() as u64) as usize]
}

fn add_app(
    given: Given,
    app: &'static str,
    nodes: &[&'static str],
    stream: &mut Stream,
    words: &mut String,
) -> Given {
    let mut say = |text: String| write!(words, "{text}").expect("a String takes it");
    let replicas = stream.between(1, 4) as usize;
    // Dense on few nodes, or anywhere.
    let some = if stream.chance(1, 3) { &nodes[..nodes.len().min(2)] } else { nodes };
    let on: Vec<&'static str> = (0..replicas).map(|_| pick(stream, some)).collect();
    let kind = stream.below(8);
    let (mut workload, on): (Workload, Vec<&'static str>) = match kind {
        0 | 1 => (stateful_set(app, &on), on),
        2 => (daemon_set(app, nodes), nodes.to_vec()),
        _ => (deployment(app, &on), on),
    };
    let name = ["StatefulSet", "StatefulSet", "DaemonSet"].get(kind as usize).unwrap_or(&"Deployment");
    say(format!("; {name} {app} on {on:?}"));
    let by_ip = stream.chance(1, 3);
    let grace = match (stream.below(4), by_ip) {
        (0, true) => 420,
        (_, true) => 900,
        (0, false) => 65,
        (1, false) => 3605,
        (_, false) => 605,
    };
    say(format!(", grace {grace} s"));
    workload = workload.grace(grace);
    let cpu = pick(stream, &["50m", "100m", "250m", "600m"]);
    let mut container = json!({ "name": "app", "image": format!("{app}:1"),
        "resources": { "requests": { "cpu": cpu, "memory": "128Mi" } } });
    if stream.chance(1, 4) {
        say(", pre-stop 20 s".to_owned());
        container["lifecycle"] = json!({ "preStop": { "sleep": { "seconds": 20 } } });
    }
    if stream.chance(1, 3) {
        container["readinessProbe"] = json!({ "periodSeconds": 5, "tcpSocket": { "port": 8443 } });
    }
    say(format!(", {cpu}"));
    workload = workload.pod(json!({ "containers": [container] }));
    let mut given = given;
    let apart = |key: &str| json!({ "labelSelector": { "matchLabels": { "app": app } }, "topologyKey": key });
    let spread = |key: &str| {
        json!({ "maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": { "matchLabels": { "app": app } } })
    };
    let distinct = on.iter().enumerate().all(|(index, node)| !on[..index].contains(node));
    match stream.below(8) {
        0 if distinct => {
            say(", hostname anti-affinity".to_owned());
            let anti = json!({ "requiredDuringSchedulingIgnoredDuringExecution": [apart("kubernetes.io/hostname")] });
            workload = workload.pod(json!({ "affinity": { "podAntiAffinity": anti } }));
        }
        1 => {
            say(", zone spread".to_owned());
            workload =
                workload.pod(json!({ "topologySpreadConstraints": [spread("topology.kubernetes.io/zone")] }));
        }
        2 => {
            say(", hostname spread".to_owned());
            workload =
                workload.pod(json!({ "topologySpreadConstraints": [spread("kubernetes.io/hostname")] }));
        }
        3 => {
            say(", tolerates everything".to_owned());
            workload = workload.pod(json!({ "tolerations": [{ "operator": "Exists" }] }));
        }
        _ => {}
    }
    let is_deployment = *name == "Deployment";
    match stream.below(10) {
        0 if is_deployment => {
            say(", Recreate".to_owned());
            workload = workload.spec(json!({ "strategy": { "type": "Recreate" } }));
        }
        1 if is_deployment && replicas == 1 => {
            say(", a volume for one node".to_owned());
            let claim = format!("data-{app}");
            given = given.object(volume_claim(&claim));
            workload = workload.pod(json!({ "volumes": [
                { "name": "data", "persistentVolumeClaim": { "claimName": claim } },
            ] }));
        }
        2 | 3 if is_deployment => {
            let use_now = pick(stream, &[20, 50, 80]);
            say(format!(", HPA at {use_now} % of 50 %"));
            given = given.object(autoscaler(app, replicas, use_now));
        }
        _ => {}
    }
    match stream.below(6) {
        0 => {
            say(", maxUnavailable 1".to_owned());
            given = given.object(budget(app, app, json!({ "maxUnavailable": 1 })));
        }
        1 => {
            say(", minAvailable 50%".to_owned());
            given = given.object(budget(app, app, json!({ "minAvailable": "50%" })));
        }
        2 => {
            say(", minAvailable 1".to_owned());
            given = given.object(budget(app, app, json!({ "minAvailable": 1 })));
        }
        _ => {}
    }
    let service = match (stream.below(5), by_ip) {
        (0, _) => None,
        (_, true) => Some((by_address(app), "ip targets")),
        (1 | 2, false) => Some((spread_out(app), "Cluster")),
        (_, false) => Some((local(app), "Local")),
    };
    if let Some((mut service, kind)) = service {
        say(format!(", {kind}"));
        if stream.chance(1, 3) && kind != "ip targets" {
            say(" by the AWS controller".to_owned());
            service = service.annotated("type", "external").annotated("nlb-target-type", "instance");
        }
        if stream.chance(1, 2) {
            say(", cross-zone".to_owned());
            service = service.annotated("cross-zone-load-balancing-enabled", "true");
        }
        given = given.service(service);
    }
    given.workload(workload)
}

/// A value of the environment that says how far to explore, for more than the suite's share.
pub(crate) fn range(default: std::ops::Range<u64>) -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    number("CLUSTERS_FROM").unwrap_or(default.start)..number("CLUSTERS_TO").unwrap_or(default.end)
}
