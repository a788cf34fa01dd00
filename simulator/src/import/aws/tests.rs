use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{Cluster, parse_cluster, read_cluster};
use super::*;

fn boutique() -> Cluster {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/clusters/online-boutique.yaml");
    read_cluster(Path::new(path)).unwrap()
}

/// A cluster of one node and one Service of the given annotations and spec.
fn with_service(annotations: Value, mut spec: Value) -> Cluster {
    spec["type"] = "LoadBalancer".into();
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": [
        { "apiVersion": "v1", "kind": "Node",
          "metadata": { "name": "n", "labels": { "eks.amazonaws.com/nodegroup": "blue" } },
          "spec": { "providerID": "aws:///eu-west-1b/i-0a" } },
        { "apiVersion": "v1", "kind": "Service",
          "metadata": { "name": "web", "namespace": "shop", "uid": "5faa700d-ce71", "annotations": annotations },
          "spec": spec },
    ]});
    parse_cluster("test", list.to_string().as_bytes()).unwrap()
}

fn without_file(cluster: &Cluster) -> (AwsState, Vec<String>) {
    complete(None, cluster, &LoadBalancerDefaults::default()).unwrap()
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_cluster_without_a_file_gets_what_its_objects_show() {
    let (state, notes) = without_file(&boutique());
    let group = &state.node_groups[0];
    assert_eq!((group.name.as_str(), group.min, group.max, group.desired), ("blue", 4, 4, 4));
    assert_eq!(group.instance_types, ["m5.large"]);
    assert_eq!((group.version.as_str(), group.disk_size_gib), ("1.36", Some(50)));
    assert_eq!(group.labels.iter().collect::<Vec<_>>(), [(&"working-node".to_owned(), &"true".to_owned())]);
    assert_eq!(state.region, "us-east-1");
    let zones: Vec<&str> = state.subnets.iter().map(|subnet| subnet.zone.as_str()).collect();
    assert_eq!(zones, ["us-east-1a", "us-east-1b", "us-east-1c"]);
    assert_eq!(state.auto_scaling_groups.len(), 1);
    assert_eq!(state.auto_scaling_groups[0].name, group.asg_name);
    assert_eq!(state.auto_scaling_groups[0].instances.len(), 4);
    assert_eq!(state.instances.len(), 4);

    // ingress-nginx has two ports and asks for cross-zone; the others have one and do not.
    let seen: Vec<(&str, usize, bool)> = state
        .load_balancers
        .iter()
        .map(|one| (one.service.as_ref().unwrap().1.as_str(), one.listeners.len(), one.cross_zone))
        .collect();
    assert_eq!(
        seen,
        [
            ("frontend-external", 1, false),
            ("profile-gateway", 1, false),
            ("ingress-nginx-controller", 2, true)
        ]
    );
    assert!(state.load_balancers.iter().all(|one| one.kind == LoadBalancerKind::Network));
    assert_eq!(state.load_balancers[1].name, "c1b2c3d4e5f60718293a4b5c6d7e8f90");
    let ports: Vec<u16> = state.target_groups.iter().map(|one| one.port).collect();
    assert_eq!(ports, [32118, 31951, 31757, 30937]);
    assert_eq!(
        notes,
        [
            "account 111122223333 assumed",
            "EKS cluster \"cluster\" of version 1.36 assumed",
            "one subnet with 4091 free addresses assumed in each of: us-east-1a, us-east-1b, us-east-1c",
            "node group blue: bounds taken from its nodes (min = max = desired = 4)",
            "3 load balancer(s): listeners, target groups or both taken from Services, annotations and defaults",
        ]
    );
}

#[test]
fn the_cloud_controller_checks_node_ports_or_the_health_check_port() {
    let annotations = json!({ "service.beta.kubernetes.io/aws-load-balancer-type": "nlb" });
    let ports = json!([{ "port": 80, "nodePort": 30080 }]);
    let (state, _) = without_file(&with_service(annotations.clone(), json!({ "ports": ports })));
    let check = &state.target_groups[0].health_check;
    assert_eq!((check.protocol, check.port), (Protocol::Tcp, HealthCheckPort::Traffic));
    assert_eq!(
        (check.interval, check.timeout, check.healthy_threshold, check.unhealthy_threshold),
        (secs(30), secs(10), 3, 3)
    );
    assert_eq!(state.load_balancers[0].scheme, Scheme::InternetFacing);

    let local = json!({ "ports": ports, "externalTrafficPolicy": "Local", "healthCheckNodePort": 31000 });
    let (state, _) = without_file(&with_service(annotations, local));
    let check = &state.target_groups[0].health_check;
    assert_eq!(
        (check.protocol, check.port, check.path.as_str()),
        (Protocol::Http, HealthCheckPort::Port(31000), "/healthz")
    );
    assert_eq!(
        (check.interval, check.timeout, check.healthy_threshold, check.unhealthy_threshold),
        (secs(10), secs(6), 2, 2)
    );
}

#[test]
fn the_load_balancer_controller_follows_its_annotations() {
    let prefix = "service.beta.kubernetes.io/aws-load-balancer-";
    let annotations = json!({
        format!("{prefix}type"): "external",
        format!("{prefix}nlb-target-type"): "ip",
        format!("{prefix}scheme"): "internet-facing",
        format!("{prefix}attributes"): "load_balancing.cross_zone.enabled=true",
        format!("{prefix}target-group-attributes"):
            "deregistration_delay.timeout_seconds=60, deregistration_delay.connection_termination.enabled=true",
        format!("{prefix}listener-attributes.TCP-443"): "tcp.idle_timeout.seconds=4000",
        format!("{prefix}healthcheck-interval"): "7",
        format!("{prefix}healthcheck-timeout"): "soon",
    });
    let spec = json!({ "ports": [{ "port": 443, "targetPort": 8443, "nodePort": 30443 }] });
    let (state, notes) = without_file(&with_service(annotations, spec));
    let (balancer, group) = (&state.load_balancers[0], &state.target_groups[0]);
    assert_eq!(balancer.controller, Some(Controller::AwsLoadBalancerController));
    assert_eq!((balancer.scheme, balancer.cross_zone), (Scheme::InternetFacing, true));
    assert_eq!(balancer.listeners[0].idle_timeout, secs(4000));
    assert_eq!((group.target_type, group.port), (TargetType::Ip, 8443));
    assert_eq!((group.health_check.interval, group.health_check.timeout), (secs(7), secs(10)));
    assert_eq!(group.attributes.deregistration_delay, secs(60));
    assert!(group.attributes.deregistration_connection_termination);
    assert!(!group.attributes.preserve_client_ip);
    assert!(
        notes.iter().any(|note| note.contains("healthcheck-timeout") && note.contains("\"soon\"")),
        "{notes:?}"
    );
}

#[test]
fn without_annotations_a_load_balancer_is_classic() {
    let (state, _) =
        without_file(&with_service(json!({}), json!({ "ports": [{ "port": 80, "nodePort": 30080 }] })));
    assert_eq!(state.load_balancers[0].kind, LoadBalancerKind::Classic);
    assert!(state.target_groups.is_empty());
}

const LB: &str = "arn:aws:elasticloadbalancing:us-east-1:222233334444:loadbalancer/net/c1b2/0123456789abcded";
const TG: &str = "arn:aws:elasticloadbalancing:us-east-1:222233334444:targetgroup/gateway/0123456789abcdef";
const LISTENER: &str =
    "arn:aws:elasticloadbalancing:us-east-1:222233334444:listener/net/c1b2/0123456789abcded/1";

/// What the commands print for a node group and the load balancer of `profile-gateway`.
fn documents() -> Vec<Value> {
    vec![
        json!({ "nodegroup": {
            "nodegroupName": "blue", "nodegroupArn": "arn:aws:eks:us-east-1:222233334444:nodegroup/prod/blue/1",
            "clusterName": "prod", "version": "1.36", "releaseVersion": "1.36.2-20261101", "createdAt": 1.5,
            "status": "ACTIVE", "capacityType": "ON_DEMAND", "amiType": "AL2023_x86_64_STANDARD", "diskSize": 50,
            "scalingConfig": { "minSize": 2, "maxSize": 6, "desiredSize": 4 }, "instanceTypes": ["m5.large"],
            "subnets": ["subnet-1"], "nodeRole": "arn:aws:iam::222233334444:role/nodes", "labels": { "a": "b" },
            "taints": [{ "key": "k", "value": "v", "effect": "NO_SCHEDULE" }], "health": { "issues": [] },
            "resources": { "autoScalingGroups": [{ "name": "eks-blue-1" }] }, "nodeRepairConfig": { "enabled": true },
        }}),
        json!({ "AutoScalingGroups": [{
            "AutoScalingGroupName": "eks-blue-1", "MinSize": 2, "MaxSize": 6, "DesiredCapacity": 4,
            "AvailabilityZones": ["us-east-1a"], "VPCZoneIdentifier": "subnet-1,subnet-2",
            "SuspendedProcesses": [{ "ProcessName": "AZRebalance", "SuspensionReason": "" }],
            "Instances": [{ "InstanceId": "i-0101dcd386c3af65a", "AvailabilityZone": "us-east-1a",
                            "LifecycleState": "InService", "ProtectedFromScaleIn": true }],
        }]}),
        json!({ "Subnets": [{ "SubnetId": "subnet-1", "AvailabilityZone": "us-east-1a", "AvailableIpAddressCount": 7 }] }),
        json!({ "LoadBalancers": [{
            "LoadBalancerArn": LB, "LoadBalancerName": "c1b2", "Type": "network", "Scheme": "internal",
            "DNSName": "C1B2c3d4e5f60718293a4b5c6d7e8f90-0123456789abcded.elb.us-east-1.amazonaws.com",
            "AvailabilityZones": [{ "ZoneName": "us-east-1a", "SubnetId": "subnet-1" }],
        }]}),
        json!({ "Listeners": [{ "ListenerArn": LISTENER, "LoadBalancerArn": LB, "Port": 443, "Protocol": "TCP",
            "DefaultActions": [{ "Type": "forward", "TargetGroupArn": TG }] }] }),
        json!({ "TargetGroups": [{
            "TargetGroupArn": TG, "TargetGroupName": "gateway", "Protocol": "TCP", "Port": 31951, "TargetType": "instance",
            "LoadBalancerArns": [LB], "HealthCheckProtocol": "HTTP", "HealthCheckPort": "31219",
            "HealthCheckPath": "/healthz", "HealthCheckIntervalSeconds": 12, "HealthCheckTimeoutSeconds": 6,
            "HealthyThresholdCount": 2, "UnhealthyThresholdCount": 4,
        }]}),
        json!({ "Attributes": [
            { "Key": "deregistration_delay.timeout_seconds", "Value": "900" },
            { "Key": "load_balancing.cross_zone.enabled", "Value": "use_load_balancer_configuration" },
            { "Key": "target_group_health.dns_failover.minimum_healthy_targets.count", "Value": "off" },
            { "Key": "target_group_health.dns_failover.minimum_healthy_targets.percentage", "Value": "50" },
        ]}),
        json!({ "ListenerArn": LISTENER, "Attributes": [{ "Key": "tcp.idle_timeout.seconds", "Value": "4000" }] }),
        json!({ "LoadBalancerArn": LB, "Attributes": [{ "Key": "load_balancing.cross_zone.enabled", "Value": "true" }] }),
        json!({ "TargetHealthDescriptions": [
            { "Target": { "Id": "i-0101dcd386c3af65a", "Port": 31951 }, "HealthCheckPort": "31219",
              "TargetHealth": { "State": "draining", "Reason": "Target.DeregistrationInProgress" } },
        ]}),
    ]
}

#[test]
fn what_the_file_says_wins() {
    let text: String = documents().iter().map(|document| format!("{document:#}\n")).collect();
    let file = parse_aws("aws.json", text.as_bytes()).unwrap();
    assert_eq!(file.notes, Vec::<String>::new());
    let (state, notes) = complete(Some(file), &boutique(), &LoadBalancerDefaults::default()).unwrap();

    assert_eq!((state.account.as_str(), state.cluster.name.as_str()), ("222233334444", "prod"));
    let group = &state.node_groups[0];
    assert_eq!((group.min, group.max, group.desired, group.repair_enabled), (2, 6, 4, true));
    assert_eq!(group.taints[0].effect, "NoSchedule");
    let asg = &state.auto_scaling_groups[0];
    assert_eq!(asg.suspended_processes, ["AZRebalance"]);
    assert_eq!(asg.subnets, ["subnet-1", "subnet-2"]);
    // One as the file lists it, three that only the nodes show.
    assert_eq!(
        asg.instances.iter().map(|one| one.protected).collect::<Vec<_>>(),
        [true, false, false, false]
    );
    assert_eq!(state.subnets[0].available_addresses, 7);

    let balancer = &state.load_balancers[0];
    assert_eq!(balancer.service.as_ref().unwrap().1, "profile-gateway");
    assert_eq!((balancer.scheme, balancer.cross_zone), (Scheme::Internal, true));
    assert_eq!(balancer.listeners[0].idle_timeout, secs(4000));
    let group = state.target_groups.iter().find(|group| group.arn == TG).unwrap();
    assert_eq!(group.service.as_ref().unwrap().1, "profile-gateway");
    assert_eq!((group.health_check.interval, group.health_check.unhealthy_threshold), (secs(12), 4));
    assert_eq!(group.attributes.deregistration_delay, secs(900));
    assert_eq!(group.attributes.dns_failover_minimum, MinimumHealthy { count: None, percentage: Some(50) });
    assert_eq!(group.attributes.cross_zone, None);
    assert_eq!(group.targets[0].state, "draining");
    assert_eq!(state.load_balancers.len(), 3);
    assert!(notes.iter().any(|note| note.starts_with("2 load balancer(s)")), "{notes:?}");
}

#[test]
fn all_three_forms_say_the_same() {
    let one_by_one: String = documents().iter().map(Value::to_string).collect();
    let array = Value::from(documents()).to_string();
    let mut merged = serde_json::Map::new();
    for document in documents() {
        let Value::Object(fields) = document else { unreachable!("every document is an object") };
        let (arn, key) = match fields.keys().next().unwrap().as_str() {
            "ListenerArn" => (None, "ListenerAttributes"),
            "LoadBalancerArn" => (None, "LoadBalancerAttributes"),
            "Attributes" => (Some(TG), "TargetGroupAttributes"),
            _ => {
                merged.extend(fields);
                continue;
            }
        };
        let mut fields = fields;
        fields.extend(arn.map(|arn| ("TargetGroupArn".to_owned(), arn.into())));
        merged.insert(key.to_owned(), json!([fields]));
    }
    let read = |text: &str| {
        let file = parse_aws("aws.json", text.as_bytes()).unwrap();
        complete(Some(file), &boutique(), &LoadBalancerDefaults::default()).unwrap()
    };
    let expected = read(&one_by_one);
    assert_eq!(read(&array), expected);
    assert_eq!(read(&Value::from(merged).to_string()), expected);
}

#[test]
fn documents_can_be_written_and_read_again() {
    let text = Value::from(documents()).to_string();
    let file = parse_aws("aws.json", text.as_bytes()).unwrap();
    assert_eq!(Value::from(file.documents).to_string(), text);
}

#[test]
fn defaults_hold_where_nobody_says_otherwise() {
    let annotations = json!({ "service.beta.kubernetes.io/aws-load-balancer-type": "nlb" });
    let cluster = with_service(annotations, json!({ "ports": [{ "port": 80, "nodePort": 30080 }] }));
    let defaults = LoadBalancerDefaults {
        tcp_idle: secs(60),
        deregistration_delay: secs(1),
        deregistration_cut: true,
        unhealthy_cut: false,
        unhealthy_interval: secs(2),
        cross_zone: Some(true),
    };
    let (state, _) = complete(None, &cluster, &defaults).unwrap();
    let attributes = &state.target_groups[0].attributes;
    assert_eq!(
        (state.load_balancers[0].listeners[0].idle_timeout, attributes.deregistration_delay),
        (secs(60), secs(1))
    );
    assert!(attributes.deregistration_connection_termination && !attributes.unhealthy_connection_termination);
    assert_eq!(attributes.unhealthy_draining_interval, secs(2));
    assert!(state.load_balancers[0].cross_zone);
}

/// The message for a bad file, or for a good one that does not fit.
#[track_caller]
fn check_refused(text: &str, expected: &str) {
    let outcome = parse_aws("aws.json", text.as_bytes())
        .and_then(|file| complete(Some(file), &boutique(), &LoadBalancerDefaults::default()));
    assert_eq!(outcome.unwrap_err().to_string(), expected);
}

#[test]
fn bad_files_are_refused_with_place_and_remedy() {
    const PRINTED: &str = "give the JSON as the aws command printed it";
    for nothing in ["", " \n", "[]", "{}", "[{}]\n{}"] {
        check_refused(
            nothing,
            "aws.json: describes nothing: give what `aws eks describe-nodegroup` and the like printed, and check that aws \
             succeeds",
        );
    }
    check_refused(
        "{\n  \"Subnets\": [,\n",
        "aws.json:2:15: expected value: correct this place, or export the file again if it was cut off",
    );
    check_refused("3", &format!("aws.json: document 1: not an object: {PRINTED}"));
    check_refused(
        r#"{} {"AutoScalingGroups": [{"AutoScalingGroupName": "a", "MinSize": -1, "MaxSize": 1, "DesiredCapacity": 1}]}"#,
        &format!(
            "aws.json: document 2: AutoScalingGroups[0].MinSize: invalid value: integer `-1`, expected u32: {PRINTED}"
        ),
    );
    check_refused(
        r#"{"AutoScalingGroups": [{"AutoScalingGroupName": "a", "MinSize": 3, "MaxSize": 1, "DesiredCapacity": 1}]}"#,
        &format!(
            "aws.json: document 1: AutoScalingGroups[0]: minimum 3, desired 1, maximum 1 are not in order: {PRINTED}"
        ),
    );
    check_refused(
        r#"{"nodegroup": {"nodegroupName": "a", "scalingConfig": {"minSize": 1, "maxSize": 4000000000, "desiredSize": 2}}}"#,
        &format!(
            "aws.json: document 1: nodegroup.scalingConfig.maxSize: 4000000000 is not between 0 and 100000: {PRINTED}"
        ),
    );
    check_refused(
        r#"{"nodegroup": {"nodegroupName": "a", "status": "FINE"}}"#,
        &format!(
            "aws.json: document 1: nodegroup.status: \"FINE\" is none of the words that AWS uses here: {PRINTED}"
        ),
    );
    check_refused(
        r#"{"Attributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "1"}]}"#,
        "aws.json: document 1: Attributes: nothing in the file has these: \
         add the output of the describe command that lists it",
    );
    check_refused(
        r#"{"Attributes": []}"#,
        "aws.json: document 1: Attributes: it cannot be told whose attributes these are: add its \"TargetGroupArn\", \
         \"ListenerArn\" or \"LoadBalancerArn\" beside \"Attributes\" or \"TargetHealthDescriptions\"",
    );
    check_refused(
        r#"{"TargetGroupArn": "arn:x", "Attributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "3601"}]}"#,
        &format!(
            "aws.json: arn:x: deregistration_delay.timeout_seconds: \"3601\" is no number between 0 and 3600: {PRINTED}"
        ),
    );
    check_refused(
        r#"{"TargetGroupArn": "arn:x", "TargetHealthDescriptions": []}"#,
        "aws.json: document 1: TargetHealthDescriptions: target group arn:x is not described: \
         add the output of the describe command that lists it",
    );
    let twice = r#"{"Subnets": [{"SubnetId": "s", "AvailabilityZone": "z", "AvailableIpAddressCount": 1}]}"#;
    check_refused(&twice.repeat(2), "aws.json: subnet s for the second time: keep one of the two");
}

#[test]
fn two_owners_are_one_too_many() {
    let mut all = documents();
    let Value::Object(groups) = &mut all[5] else { unreachable!("it is an object") };
    let mut second = groups["TargetGroups"][0].clone();
    second["TargetGroupArn"] = "arn:other".into();
    groups["TargetGroups"].as_array_mut().unwrap().push(second);
    check_refused(
        &Value::from(all).to_string(),
        "aws.json: document 7: Attributes: it cannot be told which of 2 has these: add its \"TargetGroupArn\", \
         \"ListenerArn\" or \"LoadBalancerArn\" beside \"Attributes\" or \"TargetHealthDescriptions\"",
    );
}

#[test]
fn what_is_not_used_is_noted() {
    let file = parse_aws("aws.json", br#"{"Vpcs": [], "NextToken": "x", "nodegroups": ["blue"]}"#).unwrap();
    assert_eq!(
        file.notes,
        [
            "AWS file: document 1: \"Vpcs\" is not known and left out",
            "AWS file: document 1 is one page of several: give all"
        ]
    );
}

/// Values that such files hold, and some that they should not.
fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0_u32..20).prop_map(Value::from),
        "[a-z.:/0-9-]{0,12}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(
            json!([{ "Key": "load_balancing.cross_zone.enabled", "Value": "use_load_balancer_configuration" }])
        ),
        Just(json!(LB)),
        Just(json!(TG)),
    ]
}

/// Puts `value` at the `at`th place of the tree, counted in depth-first order.
fn put(tree: &mut Value, at: &mut usize, value: &Value) {
    if *at == 0 {
        *tree = value.clone();
    }
    *at = at.wrapping_sub(1);
    match tree {
        Value::Array(list) => list.iter_mut().for_each(|one| put(one, at, value)),
        Value::Object(fields) => fields.values_mut().for_each(|one| put(one, at, value)),
        _ => {}
    }
}

proptest! {
    #[test]
    fn no_file_makes_it_panic(changes in proptest::collection::vec((0_usize..140, values()), 0..6)) {
        let mut all = Value::from(documents());
        for (mut at, value) in changes {
            put(&mut all, &mut at, &value);
        }
        if let Ok(file) = parse_aws("aws.json", all.to_string().as_bytes()) {
            let annotations = json!({ "service.beta.kubernetes.io/aws-load-balancer-type": "nlb" });
            let cluster = with_service(annotations, json!({ "ports": [{ "port": 443, "nodePort": 31951 }] }));
            drop(complete(Some(file), &cluster, &LoadBalancerDefaults::default()));
        }
    }

    #[test]
    fn no_service_makes_it_panic(
        annotation in "(type|scheme|attributes|ssl-ports|target-group-attributes|healthcheck-(port|interval|protocol))",
        text in any::<String>(),
        port in 0..=65_535,
        node_port in proptest::option::of(0..=65_535),
    ) {
        let annotations = json!({
            "service.beta.kubernetes.io/aws-load-balancer-type": "external",
            format!("service.beta.kubernetes.io/aws-load-balancer-{annotation}"): text,
        });
        let spec = json!({ "ports": [{ "port": port, "nodePort": node_port, "targetPort": port, "name": text }] });
        without_file(&with_service(annotations, spec));
    }
}

/// The documents with one thing changed, beside the export of the boutique: what is said of them.
#[track_caller]
fn check_contradiction(change: impl FnOnce(&mut Vec<Value>), expected: &str) {
    let mut all = documents();
    change(&mut all);
    let expected = format!("aws.json: {expected}: give both of one cluster, from the same time");
    check_refused(&Value::from(all).to_string(), &expected);
}

#[test]
fn a_file_that_cannot_be_of_the_export_is_refused_with_both_places() {
    check_contradiction(
        |all| all.push(json!({ "cluster": { "name": "test", "version": "1.36" } })),
        "it describes cluster test and a node group of cluster prod",
    );
    check_contradiction(
        |all| all[1]["AutoScalingGroups"][0]["Instances"][0]["InstanceId"] = json!("i-0ffffffffffffffff"),
        "Auto Scaling group eks-blue-1 of node group blue has i-0ffffffffffffffff, but the nodes of blue in the export are \
         i-0101dcd386c3af65a, i-02d1024b0ec8dcbea, i-0550dcda5d25346e8, i-0e6e4314fd8ba13fc",
    );
    check_contradiction(
        |all| all[1]["AutoScalingGroups"][0]["Instances"][0]["AvailabilityZone"] = json!("us-east-1c"),
        "instance i-0101dcd386c3af65a is in zone us-east-1c, but Node ip-10-0-1-10.ec2.internal of the export is in \
         us-east-1a",
    );
    check_contradiction(
        |all| all[0]["nodegroup"]["nodegroupName"] = json!("green"),
        "instance i-0101dcd386c3af65a is of node group green, but Node ip-10-0-1-10.ec2.internal of the export is of blue",
    );
    check_contradiction(
        |all| {
            all[0]["nodegroup"]["nodegroupArn"] =
                json!("arn:aws:eks:eu-west-1:222233334444:nodegroup/prod/blue/1")
        },
        "it has arn:aws:eks:eu-west-1:222233334444:nodegroup/prod/blue/1, but Node ip-10-0-1-10.ec2.internal of the export \
         is in us-east-1a",
    );
    check_contradiction(
        |all| {
            let instance = json!({ "InstanceId": "i-0101dcd386c3af65a", "InstanceType": "t3.nano" });
            all.push(json!({ "Reservations": [{ "Instances": [instance] }] }));
        },
        "instance i-0101dcd386c3af65a is of type t3.nano, but Node ip-10-0-1-10.ec2.internal of the export is of type \
         m5.large",
    );
    let node = r#"{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "labels": {"alpha.eksctl.io/cluster-name": "shop"}}}"#;
    let cluster = parse_cluster("test", node.as_bytes()).unwrap();
    let file = parse_aws("aws.json", br#"{"cluster": {"name": "prod", "version": "1.36"}}"#).unwrap();
    let refused = complete(Some(file), &cluster, &LoadBalancerDefaults::default()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "aws.json: it describes cluster prod, but Node n of the export is of cluster shop: give both of one cluster, from \
         the same time"
    );
}

#[test]
fn what_a_few_minutes_explain_or_the_cluster_has_no_use_for_is_told() {
    let mut all = documents();
    all[0]["nodegroup"]["scalingConfig"]["desiredSize"] = json!(5);
    all[0]["nodegroup"]["subnets"] = json!(["subnet-1", "subnet-8", "subnet-9"]);
    all[1]["AutoScalingGroups"][0]["AvailabilityZones"] = json!(["us-east-1b", "us-east-1c"]);
    let mut other = all[3]["LoadBalancers"][0].clone();
    (other["LoadBalancerArn"], other["LoadBalancerName"], other["DNSName"]) =
        (json!("arn:other"), json!("shop"), json!("shop.example.com"));
    all[3]["LoadBalancers"].as_array_mut().unwrap().push(other);
    let file = parse_aws("aws.json", Value::from(all).to_string().as_bytes()).unwrap();
    let (state, notes) = complete(Some(file), &boutique(), &LoadBalancerDefaults::default()).unwrap();
    for expected in [
        "node group blue: 5 nodes are wanted and the export has 4; it scales at once",
        "node group blue: subnets not described, assumed subnet-8 in us-east-1b, subnet-9 in us-east-1c",
        "AWS file: load balancer shop: unused, for no Service of the export",
    ] {
        assert!(notes.iter().any(|note| note == expected), "{expected}: {notes:#?}");
    }
    let zones: Vec<&str> = state.subnets.iter().map(|subnet| subnet.zone.as_str()).collect();
    assert_eq!(zones, ["us-east-1a", "us-east-1b", "us-east-1c"]);
}
