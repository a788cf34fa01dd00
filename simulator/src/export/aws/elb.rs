//! Records of Elastic Load Balancing, version 2, with the names that the aws command prints.

use serde_json::{Value, json};

use crate::import::aws::{
    AwsState, Controller, HealthCheckPort, Listener, LoadBalancer, LoadBalancerKind, MinimumHealthy,
    Protocol, Scheme, Target, TargetGroup, TargetType,
};

/// Load balancers that this API knows: all but classic ones.
pub(crate) fn load_balancers(state: &AwsState) -> impl Iterator<Item = &LoadBalancer> {
    state.load_balancers.iter().filter(|one| one.kind != LoadBalancerKind::Classic)
}

/// `describe-load-balancers`.
pub(crate) fn load_balancer(balancer: &LoadBalancer) -> Value {
    let zones: Vec<Value> = balancer.zones.iter().map(|zone| json!({ "ZoneName": zone })).collect();
    json!({
        "LoadBalancerArn": balancer.arn,
        "DNSName": balancer.dns_name,
        "LoadBalancerName": balancer.name,
        "Scheme": match balancer.scheme {
            Scheme::InternetFacing => "internet-facing",
            Scheme::Internal => "internal",
        },
        "State": { "Code": "active" },
        "Type": match balancer.kind {
            LoadBalancerKind::Application => "application",
            LoadBalancerKind::Network | LoadBalancerKind::Classic => "network",
        },
        "AvailabilityZones": zones,
        "IpAddressType": "ipv4",
    })
}

/// `describe-load-balancer-attributes`.
pub(crate) fn load_balancer_attributes(balancer: &LoadBalancer) -> Value {
    attributes([
        ("deletion_protection.enabled", "false".to_owned()),
        ("load_balancing.cross_zone.enabled", balancer.cross_zone.to_string()),
    ])
}

/// `describe-listeners`.
pub(crate) fn listener(owner: &LoadBalancer, listener: &Listener) -> Value {
    let action = |arn: &String| {
        json!({
            "Type": "forward",
            "TargetGroupArn": arn,
            "ForwardConfig": { "TargetGroups": [{ "TargetGroupArn": arn }] },
        })
    };
    json!({
        "ListenerArn": listener.arn,
        "LoadBalancerArn": owner.arn,
        "Port": listener.port,
        "Protocol": protocol(listener.protocol),
        "DefaultActions": listener.target_group.iter().map(action).collect::<Vec<_>>(),
    })
}

/// `describe-listener-attributes`. Only TCP listeners have a timeout that can be set.
pub(crate) fn listener_attributes(listener: &Listener) -> Value {
    let timeout = (listener.protocol == Protocol::Tcp)
        .then(|| ("tcp.idle_timeout.seconds", listener.idle_timeout.as_secs().to_string()));
    attributes(timeout)
}

/// `describe-target-groups`.
pub(crate) fn target_group(state: &AwsState, group: &TargetGroup) -> Value {
    let check = &group.health_check;
    let fronts = |balancer: &&LoadBalancer| {
        balancer.listeners.iter().any(|listener| listener.target_group.as_ref() == Some(&group.arn))
    };
    let owners: Vec<&String> = load_balancers(state).filter(fronts).map(|balancer| &balancer.arn).collect();
    let mut record = json!({
        "TargetGroupArn": group.arn,
        "TargetGroupName": group.name,
        "Protocol": protocol(group.protocol),
        "Port": group.port,
        "HealthCheckProtocol": protocol(check.protocol),
        "HealthCheckPort": match check.port {
            HealthCheckPort::Traffic => "traffic-port".to_owned(),
            HealthCheckPort::Port(port) => port.to_string(),
        },
        "HealthCheckEnabled": true,
        "HealthCheckIntervalSeconds": check.interval.as_secs(),
        "HealthCheckTimeoutSeconds": check.timeout.as_secs(),
        "HealthyThresholdCount": check.healthy_threshold,
        "UnhealthyThresholdCount": check.unhealthy_threshold,
        "LoadBalancerArns": owners,
        "TargetType": match group.target_type {
            TargetType::Instance => "instance",
            TargetType::Ip => "ip",
        },
        "IpAddressType": "ipv4",
    });
    if let (false, Some(fields)) = (check.path.is_empty(), record.as_object_mut()) {
        fields.insert("HealthCheckPath".to_owned(), json!(check.path));
    }
    record
}

/// `describe-target-group-attributes`.
pub(crate) fn target_group_attributes(group: &TargetGroup) -> Value {
    let of = &group.attributes;
    let or_off = |limit: Option<u32>| limit.map_or_else(|| "off".to_owned(), |limit| limit.to_string());
    let minimum = |of: &MinimumHealthy| (or_off(of.count), or_off(of.percentage));
    let (dns, routing) = (minimum(&of.dns_failover_minimum), minimum(&of.routing_minimum));
    let cross_zone =
        of.cross_zone.map_or_else(|| "use_load_balancer_configuration".to_owned(), |on| on.to_string());
    attributes([
        ("deregistration_delay.timeout_seconds", of.deregistration_delay.as_secs().to_string()),
        (
            "deregistration_delay.connection_termination.enabled",
            of.deregistration_connection_termination.to_string(),
        ),
        ("load_balancing.cross_zone.enabled", cross_zone),
        ("preserve_client_ip.enabled", of.preserve_client_ip.to_string()),
        ("target_group_health.dns_failover.minimum_healthy_targets.count", dns.0),
        ("target_group_health.dns_failover.minimum_healthy_targets.percentage", dns.1),
        ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", routing.0),
        ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", routing.1),
        (
            "target_health_state.unhealthy.connection_termination.enabled",
            of.unhealthy_connection_termination.to_string(),
        ),
        (
            "target_health_state.unhealthy.draining_interval_seconds",
            of.unhealthy_draining_interval.as_secs().to_string(),
        ),
    ])
}

/// `describe-target-health`, one target.
pub(crate) fn target_health(target: &Target) -> Value {
    let mut health = json!({ "State": target.state });
    if let (false, Some(fields)) = (target.reason.is_empty(), health.as_object_mut()) {
        fields.insert("Reason".to_owned(), json!(target.reason));
    }
    json!({
        "Target": { "Id": target.id, "Port": target.port },
        "HealthCheckPort": target.port.to_string(),
        "TargetHealth": health,
    })
}

/// `describe-tags`: what the controllers write on what they make.
///
/// Source: cloud-provider-aws, `aws_loadbalancer.go`; aws-load-balancer-controller, `pkg/deploy/tracking/provider.go`.
pub(crate) fn tag_descriptions(state: &AwsState) -> Vec<Value> {
    let describe = |arn: &String, service: &Option<(String, String)>, controller: Option<Controller>| {
        let tags: Vec<Value> = match (service, controller) {
            (Some((namespace, name)), Some(controller)) => {
                tags_of(state, &format!("{namespace}/{name}"), controller)
                    .into_iter()
                    .map(|(key, value)| json!({ "Key": key, "Value": value }))
                    .collect()
            }
            _ => Vec::new(),
        };
        json!({ "ResourceArn": arn, "Tags": tags })
    };
    let balancers = load_balancers(state).map(|one| describe(&one.arn, &one.service, one.controller));
    let groups = state.target_groups.iter().map(|group| {
        let owner = load_balancers(state).find(|balancer| {
            balancer.listeners.iter().any(|listener| listener.target_group.as_ref() == Some(&group.arn))
        });
        describe(&group.arn, &group.service, owner.and_then(|owner| owner.controller))
    });
    balancers.chain(groups).collect()
}

fn tags_of(state: &AwsState, service: &str, controller: Controller) -> [(String, String); 2] {
    let cluster = &state.cluster.name;
    match controller {
        Controller::CloudControllerManager => [
            (format!("kubernetes.io/cluster/{cluster}"), "owned".to_owned()),
            ("kubernetes.io/service-name".to_owned(), service.to_owned()),
        ],
        Controller::AwsLoadBalancerController => [
            ("elbv2.k8s.aws/cluster".to_owned(), cluster.clone()),
            ("service.k8s.aws/stack".to_owned(), service.to_owned()),
        ],
    }
}

fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "TCP",
        Protocol::Udp => "UDP",
        Protocol::TcpUdp => "TCP_UDP",
        Protocol::Tls => "TLS",
        Protocol::Http => "HTTP",
        Protocol::Https => "HTTPS",
        Protocol::Quic => "QUIC",
    }
}

fn attributes(all: impl IntoIterator<Item = (&'static str, String)>) -> Value {
    all.into_iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}
