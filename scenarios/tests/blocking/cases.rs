//! The cases: for each blocking code a cluster that has this finding alone, and the promise that breaks where the
//! finding is accepted.

use std::time::Duration;

use migrator::{findings::Code, names};
use serde_json::{Value, json};
use simulator::world::{World, requests};

use crate::given::{
    Given, Meddling, Workload, bare_pods, blue_in, budget, by_address, daemon_set, deployment,
    described_blue, foreign_pods, local, metadata, spread_out, stateful_set, subnets, volume_claim,
};

/// One code's case.
pub(crate) struct Case {
    pub(crate) code: Code,
    /// The promise that breaks.
    pub(crate) breaks: &'static str,
    pub(crate) given: fn() -> Given,
}

const fn case(code: Code, breaks: &'static str, given: fn() -> Given) -> Case {
    Case { code, breaks, given }
}

const DROPPED: &str = "no_connection_dropped";
const LEFT: &str = "nothing_left_behind";
const FINISHES: &str = "finishes";

pub(crate) const CASES: &[Case] = &[
    case(Code::LockHeld, FINISHES, || {
        let mut given = shop().object(lease("somebody"));
        given.meddling = Some(Meddling { every: Duration::from_secs(20), happens: renew });
        given
    }),
    case(Code::JournalOpen, FINISHES, || shop().object(journal("plan-7"))),
    case(Code::MarksLeft, LEFT, || {
        // What is there is taken for an earlier migration's surge.
        blue_in(&["a", "b"]).workload(web().metadata(json!({
            "annotations": { "nodeferry.io/was": r#"{"plan":"plan-7","replicas":{"was":1,"set":2}}"# },
        })))
    }),
    case(Code::GroupNotActive, FINISHES, || {
        shop().aws(subnets()).aws(described_blue(2, json!({ "status": "CREATE_FAILED" })))
    }),
    case(Code::CustomImage, FINISHES, || {
        shop().aws(subnets()).aws(described_blue(2, json!({ "amiType": "CUSTOM" })))
    }),
    case(Code::OldNodeNotReady, FINISHES, || {
        let conditions = json!({ "status": { "conditions": [{ "type": "Ready", "status": "Unknown" }] } });
        blue_in(&["a", "b", "b"])
            .service(local("web"))
            .workload(web())
            .workload(bare_pods("report", &["blue-2"]).grace(30))
            .node("blue-2", conditions)
    }),
    case(Code::CutAtEndOfDelay, DROPPED, || {
        let attributes = "deregistration_delay.timeout_seconds=60,deregistration_delay.connection_termination.enabled=true";
        let service = local("web")
            .annotated("type", "external")
            .annotated("nlb-target-type", "instance")
            .annotated("target-group-attributes", attributes);
        blue_in(&["a", "b"]).service(service).workload(web())
    }),
    case(Code::CutAtEndOfDelay, DROPPED, || {
        // Longer than any connection lives, but one may arrive five minutes after the deregistration.
        let attributes = "deregistration_delay.timeout_seconds=620,deregistration_delay.connection_termination.enabled=true";
        let service = local("web")
            .annotated("type", "external")
            .annotated("nlb-target-type", "instance")
            .annotated("target-group-attributes", attributes);
        blue_in(&["a", "b"]).service(service).workload(web())
    }),
    case(Code::IpGraceTooShort, DROPPED, || {
        blue_in(&["a", "b"]).service(by_address("web")).workload(web().grace(60))
    }),
    case(Code::ClosesAtSigterm, DROPPED, || {
        let mut given = shop();
        given.traffic = Some(
            "[{ service: shop/web, clients: 100, lifetime: { shortest: 1s, longest: 10m }, at_sigterm: close }]",
        );
        given
    }),
    case(Code::ZoneWithoutTarget, FINISHES, || {
        shop().aws(subnets()).asking(|request| request.subnets = vec!["subnet-a".into()])
    }),
    case(Code::ZoneMayStayEmpty, FINISHES, || shop().asking(one_node)),
    case(Code::TargetGroupDrifted, DROPPED, || {
        blue_in(&["a", "b"]).service(local("web")).workload(web()).aws(checked_every(60))
    }),
    case(Code::TargetLabelsMissing, FINISHES, || {
        let edge = json!({ "metadata": { "labels": { "example.com/edge": "yes" } } });
        blue_in(&["a", "b", "b"])
            .service(local("web").annotated("target-node-labels", "example.com/edge=yes"))
            .workload(web())
            .node("blue-0", edge.clone())
            .node("blue-1", edge)
    }),
    case(Code::ClassicLoadBalancer, DROPPED, || {
        blue_in(&["a", "b"]).service(local("web").classic()).workload(web())
    }),
    case(Code::DaemonSetServesToTheEnd, DROPPED, || {
        blue_in(&["a", "b"]).service(spread_out("web")).workload(daemon_set("web", &["blue-0", "blue-1"]))
    }),
    case(Code::StatefulSetAloneInZone, DROPPED, || {
        blue_in(&["a", "b"]).service(local("web")).workload(stateful_set("web", &["blue-0", "blue-1"]))
    }),
    case(Code::StatefulSetAloneInZone, DROPPED, || {
        // Four in zone b, replaced in the others first, until one is left there.
        blue_in(&["b", "a", "c", "a", "b", "c"])
            .service(by_address("web"))
            .workload(stateful_set("web", &["blue-0", "blue-0", "blue-0", "blue-0"]).grace(420))
    }),
    case(Code::FewerDaemonSetPods, FINISHES, || {
        blue_in(&["a", "a"])
            .service(local("web"))
            .workload(daemon_set("web", &["blue-0", "blue-1"]))
            .asking(one_node)
    }),
    case(Code::NoMatchingNode, FINISHES, || {
        blue_in(&["a", "b"])
            .workload(web().pod(json!({ "nodeSelector": { "example.com/disk": "fast" } })))
            .node("blue-0", json!({ "metadata": { "labels": { "example.com/disk": "fast" } } }))
    }),
    case(Code::VolumeZone, FINISHES, || {
        let claim = json!({ "metadata": { "name": "data" }, "spec": { "accessModes": ["ReadWriteOnce"] } });
        blue_in(&["a", "b"])
            .workload(
                stateful_set("db", &["blue-0", "blue-1"]).spec(json!({ "volumeClaimTemplates": [claim] })),
            )
            .object(volume_claim("data-db-0"))
            .object(volume("data-db-0", "us-east-1a"))
            .object(volume_claim("data-db-1"))
            .object(volume("data-db-1", "us-east-1b"))
            .aws(subnets())
            .asking(|request| request.subnets = vec!["subnet-a".into()])
    }),
    case(Code::AntiAffinity, FINISHES, || {
        let term = json!({ "labelSelector": { "matchLabels": { "app": "web" } },
            "topologyKey": "kubernetes.io/hostname" });
        let anti = json!({ "requiredDuringSchedulingIgnoredDuringExecution": [term] });
        blue_in(&["a", "b"])
            .workload(web().pod(json!({ "affinity": { "podAntiAffinity": anti } })))
            .asking(one_node)
    }),
    case(Code::Spread, FINISHES, || {
        let constraint = json!({ "maxSkew": 1, "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "DoNotSchedule", "labelSelector": { "matchLabels": { "app": "web" } } });
        blue_in(&["a", "b"])
            .workload(
                deployment("web", &["blue-0", "blue-0", "blue-1", "blue-1"])
                    .pod(json!({ "topologySpreadConstraints": [constraint] })),
            )
            .asking(one_node)
    }),
    case(Code::HostPort, FINISHES, || {
        let container =
            json!({ "name": "app", "image": "app:2", "ports": [{ "containerPort": 80, "hostPort": 80 }] });
        blue_in(&["a", "b"]).workload(web().pod(json!({ "containers": [container] }))).asking(one_node)
    }),
    case(Code::ComesBack, FINISHES, || {
        // What else there is has moved when the StatefulSet's pod goes: the empty old node is the better place for it.
        blue_in(&["a"]).workload(deployment("web", &["blue-0", "blue-0"])).workload(
            stateful_set("db", &["blue-0"]).pod(json!({ "tolerations": [{ "operator": "Exists" }] })),
        )
    }),
    case(Code::ServingDaemonSetStaysBehind, FINISHES, || {
        let edge = json!({ "metadata": { "labels": { "example.com/edge": "yes" } } });
        blue_in(&["a", "a"])
            .service(local("web"))
            .workload(
                daemon_set("web", &["blue-0"]).pod(json!({ "nodeSelector": { "example.com/edge": "yes" } })),
            )
            .node("blue-0", edge)
    }),
    case(Code::NotSteered, FINISHES, || {
        blue_in(&["a", "b", "c"]).service(local("web")).workload(
            deployment("web", &["blue-0", "blue-1"])
                .pod(json!({ "tolerations": [{ "operator": "Exists" }] })),
        )
    }),
    case(Code::NotConverged, FINISHES, || {
        blue_in(&["a", "b"])
            .service(local("web"))
            .workload(deployment("web", &["blue-0"]).older(&["blue-1"]).spec(json!({ "paused": true })))
    }),
    case(Code::NotReady, FINISHES, || {
        blue_in(&["a", "b"]).workload(deployment("web", &[]).unready(&["blue-0", "blue-1"]))
    }),
    case(Code::NotReady, FINISHES, || {
        let mut given = blue_in(&["a", "b"]);
        given.add_node("red-0", Some("red"), "a");
        given.workload(web().unready(&["red-0"]))
    }),
    case(Code::LonelyStatefulSet, DROPPED, || {
        blue_in(&["a"]).service(local("web")).workload(stateful_set("web", &["blue-0"]))
    }),
    case(Code::BudgetAllowsNothing, FINISHES, || {
        blue_in(&["a", "b"]).workload(stateful_set("db", &["blue-0", "blue-1"])).object(budget(
            "db",
            "db",
            json!({ "minAvailable": 2 }),
        ))
    }),
    case(Code::BudgetAboveScale, FINISHES, || {
        shop().object(budget("web", "web", json!({ "minAvailable": 3 })))
    }),
    case(Code::TwoBudgets, FINISHES, || {
        blue_in(&["a", "b"])
            .workload(stateful_set("db", &["blue-0", "blue-1"]))
            .object(budget("one", "db", json!({ "maxUnavailable": 1 })))
            .object(budget("two", "db", json!({ "maxUnavailable": 1 })))
    }),
    case(Code::EvictedDeploymentServes, DROPPED, || {
        blue_in(&["a", "b"])
            .service(local("web"))
            .workload(web().spec(json!({ "strategy": { "type": "Recreate" } })))
    }),
    case(Code::BarePodServes, DROPPED, || {
        blue_in(&["a"]).service(local("web")).workload(bare_pods("web", &["blue-0"]))
    }),
    case(Code::UnknownControllerServes, DROPPED, || {
        blue_in(&["a"]).service(local("web")).workload(foreign_pods("web", &["blue-0"]))
    }),
    case(Code::QuotaTooSmall, FINISHES, || {
        shop().object(json!({
            "apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata("all", "ResourceQuota"),
            "spec": { "hard": { "pods": "3" } }, "status": { "hard": { "pods": "3" }, "used": { "pods": "2" } },
        }))
    }),
    case(Code::CapacityTooSmall, FINISHES, || {
        let container =
            json!({ "name": "app", "image": "app:2", "resources": { "requests": { "cpu": "1200m" } } });
        blue_in(&["a", "b"]).workload(web().pod(json!({ "containers": [container] }))).asking(one_node)
    }),
    // Three pods of 1.2 cores: the two new nodes have room in sum, and each takes one.
    case(Code::CapacityTight, FINISHES, || {
        let container =
            json!({ "name": "app", "image": "app:2", "resources": { "requests": { "cpu": "1200m" } } });
        let web = deployment("web", &["blue-0", "blue-1", "blue-2"]);
        let web = web.pod(json!({ "containers": [container] }));
        blue_in(&["a", "b", "b"]).workload(web).asking(two_nodes)
    }),
];

/// Two pods of a Deployment in two zones.
fn web() -> Workload {
    deployment("web", &["blue-0", "blue-1"])
}

/// The cluster that has no finding of its own: a Deployment behind a Service with externalTrafficPolicy Local.
pub(crate) fn shop() -> Given {
    blue_in(&["a", "b"]).service(local("web")).workload(web())
}

fn one_node(request: &mut migrator::request::Request) {
    (request.min, request.max, request.desired) = (Some(1), Some(1), Some(1));
}

fn two_nodes(request: &mut migrator::request::Request) {
    (request.min, request.max, request.desired) = (Some(2), Some(2), Some(2));
}

fn lease(holder: &str) -> Value {
    json!({ "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": { "name": names::LEASE, "namespace": names::NAMESPACE, "uid": "uid-lease" },
        "spec": { "holderIdentity": holder, "leaseDurationSeconds": 60 } })
}

/// The other holder is alive.
fn renew(world: &mut World) {
    let Some(id) = world.leases().find(names::NAMESPACE, names::LEASE) else { return };
    let lease = world.leases().last(id);
    if &*lease.holder != "somebody" {
        return;
    }
    let renewal = requests::Request::Lease {
        name: (names::NAMESPACE.into(), names::LEASE.into()),
        holder: lease.holder.clone(),
        duration: lease.duration,
        resource_version: Some(lease.meta.resource_version),
    };
    world.submit(2, "renew", renewal);
}

fn journal(plan: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": names::JOURNAL, "namespace": names::NAMESPACE, "uid": "uid-journal" },
        "data": {
            "plan-id": plan, "strategy": "\"SingleMove\"", "status": r#"{"state":"running","course":"forward"}"#,
            "marks": "{}", "done": "[]", "groups": "{}", "notes": "[]",
        } })
}

fn volume(name: &str, zone: &str) -> Value {
    let zoned = json!({ "key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone] });
    json!({ "apiVersion": "v1", "kind": "PersistentVolume", "metadata": { "name": format!("pv-{name}") },
        "spec": { "nodeAffinity": { "required": { "nodeSelectorTerms": [{ "matchExpressions": [zoned] }] } } } })
}

/// What the AWS command line prints of the load balancer of `web`, its targets checked every so many seconds.
fn checked_every(seconds: u32) -> Value {
    let arn = |what: &str| {
        format!("arn:aws:elasticloadbalancing:us-east-1:111122223333:{what}/web/0123456789abcdef")
    };
    json!({
        "LoadBalancers": [{ "LoadBalancerArn": arn("loadbalancer"), "LoadBalancerName": "web", "Type": "network",
            "Scheme": "internet-facing", "DNSName": crate::given::host_name("web"),
            "AvailabilityZones": [{ "ZoneName": "us-east-1a" }, { "ZoneName": "us-east-1b" }] }],
        "Listeners": [{ "ListenerArn": arn("listener"), "LoadBalancerArn": arn("loadbalancer"), "Port": 443,
            "Protocol": "TCP", "DefaultActions": [{ "Type": "forward", "TargetGroupArn": arn("targetgroup") }] }],
        "TargetGroups": [{ "TargetGroupArn": arn("targetgroup"), "TargetGroupName": "web", "Protocol": "TCP",
            "Port": 30443, "TargetType": "instance", "HealthCheckProtocol": "HTTP", "HealthCheckPort": "31000",
            "HealthCheckPath": "/healthz", "HealthCheckIntervalSeconds": seconds, "HealthCheckTimeoutSeconds": 6,
            "HealthyThresholdCount": 2, "UnhealthyThresholdCount": 2 }],
    })
}
