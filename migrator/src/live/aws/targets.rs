//! Target groups of the cluster's Network Load Balancers, with their attributes and the health of their targets.
//!
//! A load balancer is a Service's by the name that the Service's status shows, whichever controller made it. One that this
//! API does not know is a Classic Load Balancer.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use aws_sdk_elasticloadbalancingv2::types::{
    Listener, LoadBalancerTypeEnum, TargetGroup as Described, TargetHealthDescription, TargetHealthStateEnum,
    TargetTypeEnum,
};

use super::{
    Aws, answered,
    poll::{Balancer, Known},
};
use crate::{
    live::errors::Failed,
    view::{AwsView, ClusterView, Service, Target, TargetGroup, TargetId, TargetState},
};

/// Annotations of Services. Source: cloud-provider-aws `aws.go`, aws-load-balancer-controller `annotations.md`.
const ANNOTATIONS: &str = "service.beta.kubernetes.io/aws-load-balancer-";

type Attributes = BTreeMap<String, String>;

pub(super) async fn describe(
    aws: &Aws,
    known: &mut Known,
    cluster: &ClusterView,
    view: &mut AwsView,
) -> Result<(), Failed> {
    let services: BTreeMap<String, &Service> = cluster
        .services
        .values()
        .filter(|service| service.load_balancer)
        .filter_map(|service| Some((host(service.hostname.as_deref()?), &**service)))
        .collect();
    if services.is_empty() {
        return Ok(());
    }
    // A Service that came since the last look has a load balancer that was not seen then.
    if services.keys().any(|name| !known.balancers.contains_key(name)) {
        known.balancers = balancers(aws, &services).await?;
    }
    let found = known.balancers.clone();
    for (name, service) in services {
        match found.get(&name).and_then(Option::as_ref) {
            None => drop(view.target_groups.insert(name.as_str().into(), Arc::new(classic(&name, service)))),
            Some(balancer) if balancer.itself.r#type() == Some(&LoadBalancerTypeEnum::Network) => {
                network(aws, known, balancer, service, view).await?;
            }
            // An Application Load Balancer is not gated on.
            Some(_) => {}
        }
    }
    Ok(())
}

/// The load balancers of Services, by name.
async fn balancers(
    aws: &Aws,
    services: &BTreeMap<String, &Service>,
) -> Result<BTreeMap<String, Option<Balancer>>, Failed> {
    let mut found: BTreeMap<String, Option<Balancer>> =
        services.keys().map(|name| (name.clone(), None)).collect();
    let mut pages = aws.elb.describe_load_balancers().into_paginator().items().send();
    while let Some(balancer) = pages.next().await {
        let itself = answered(balancer)?;
        if let Some(place) = found.get_mut(&host(itself.dns_name().unwrap_or_default())) {
            let mut groups = Vec::new();
            if itself.r#type() == Some(&LoadBalancerTypeEnum::Network) {
                let arn = itself.load_balancer_arn().unwrap_or_default();
                let asked = aws.elb.describe_target_groups().load_balancer_arn(arn);
                let mut pages = asked.into_paginator().items().send();
                while let Some(group) = pages.next().await {
                    groups.push(answered(group)?);
                }
            }
            *place = Some(Balancer { itself, groups });
        }
    }
    Ok(found)
}

/// A host name as names are compared.
fn host(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    name.strip_prefix("dualstack.").map(str::to_owned).unwrap_or(name)
}

async fn network(
    aws: &Aws,
    known: &mut Known,
    balancer: &Balancer,
    service: &Service,
    view: &mut AwsView,
) -> Result<(), Failed> {
    let arn = balancer.itself.load_balancer_arn().unwrap_or_default();
    let of_balancer = of_load_balancer(aws, known, arn).await?;
    let idle = idle_timeouts(aws, known, arn).await?;
    for group in &balancer.groups {
        let arn: Arc<str> = group.target_group_arn().unwrap_or_default().into();
        let attributes = of_target_group(aws, known, &arn).await?;
        let health = answered(aws.elb.describe_target_health().target_group_arn(&*arn).send().await)?;
        let targets = health.target_health_descriptions();
        let idle_timeout = idle.get(&*arn).copied().unwrap_or(IDLE_TIMEOUT);
        let facts = Facts { group, service, of_balancer: &of_balancer, attributes: &attributes };
        view.target_groups.insert(arn, Arc::new(facts.view(known, idle_timeout, targets)));
    }
    Ok(())
}

/// Of an NLB's TCP listener where nothing else is set. Source: aws.md section 1.
const IDLE_TIMEOUT: Duration = Duration::from_secs(350);

/// What is known of one target group.
struct Facts<'a> {
    group: &'a Described,
    service: &'a Service,
    of_balancer: &'a Attributes,
    attributes: &'a Attributes,
}

impl Facts<'_> {
    fn view(
        &self,
        known: &Known,
        idle_timeout: Duration,
        targets: &[TargetHealthDescription],
    ) -> TargetGroup {
        let ip_targets = self.group.target_type() == Some(&TargetTypeEnum::Ip);
        let on = |key: &str| self.attributes.get(key).is_some_and(|value| value == "true");
        let seconds = |key: &str, default: u64| {
            let said = self.attributes.get(key).and_then(|value| value.parse().ok());
            Duration::from_secs(said.unwrap_or(default))
        };
        let load_balancer_controller = is_of_controller(self.service);
        let of_balancer =
            self.of_balancer.get("load_balancing.cross_zone.enabled").is_some_and(|v| v == "true");
        let cross_zone = match self.attributes.get("load_balancing.cross_zone.enabled").map(String::as_str) {
            Some("true") => true,
            Some("false") => false,
            _ => of_balancer,
        };
        TargetGroup {
            arn: self.group.target_group_arn().unwrap_or_default().into(),
            service: self.service.meta.name.clone(),
            classic: false,
            ip_targets,
            load_balancer_controller,
            cross_zone,
            idle_timeout,
            deregistration_delay: seconds("deregistration_delay.timeout_seconds", 300),
            deregistration_cuts: on("deregistration_delay.connection_termination.enabled"),
            // On unless it is said to be off. Source: Elastic Load Balancing API, `TargetGroupAttribute`.
            unhealthy_cuts: self
                .attributes
                .get("target_health_state.unhealthy.connection_termination.enabled")
                .is_none_or(|value| value != "false"),
            unhealthy_draining_interval: seconds(
                "target_health_state.unhealthy.draining_interval_seconds",
                0,
            ),
            target_node_labels: annotation(self.service, "target-node-labels").map(Arc::from),
            drifted: !load_balancer_controller
                && of_balancer != annotated_cross_zone(self.service)
                && !matches!(
                    self.attributes.get("load_balancing.cross_zone.enabled").map(String::as_str),
                    Some("true" | "false")
                ),
            targets: targets.iter().filter_map(|target| target_view(known, ip_targets, target)).collect(),
        }
    }
}

/// Whether the AWS Load Balancer Controller owns a Service's load balancer, rather than the cloud controller manager.
fn is_of_controller(service: &Service) -> bool {
    service.load_balancer_class.as_deref() == Some("service.k8s.aws/nlb")
        || matches!(annotation(service, "type"), Some("external" | "nlb-ip"))
}

/// What the cloud controller manager writes at its next sync. Source: cloud-provider-aws `aws_loadbalancer.go`.
fn annotated_cross_zone(service: &Service) -> bool {
    annotation(service, "cross-zone-load-balancing-enabled") == Some("true")
}

fn annotation<'a>(service: &'a Service, name: &str) -> Option<&'a str> {
    service.meta.annotations.get(&format!("{ANNOTATIONS}{name}")).map(String::as_str)
}

fn target_view(known: &Known, ip_targets: bool, from: &TargetHealthDescription) -> Option<Target> {
    let target = from.target()?;
    let id: Arc<str> = target.id()?.into();
    let state = match from.target_health()?.state()? {
        TargetHealthStateEnum::Initial => TargetState::Initial,
        TargetHealthStateEnum::Healthy => TargetState::Healthy,
        TargetHealthStateEnum::Unhealthy => TargetState::Unhealthy,
        TargetHealthStateEnum::UnhealthyDraining => TargetState::UnhealthyDraining,
        TargetHealthStateEnum::Draining => TargetState::Draining,
        // As good as absent.
        TargetHealthStateEnum::Unused => return None,
        _ => TargetState::Unavailable,
    };
    let zones = if ip_targets { &known.address_zones } else { &known.zones };
    let zone = zones.get(&id).cloned().or_else(|| target.availability_zone().map(Arc::from));
    Some(Target {
        zone: zone.unwrap_or_default(),
        id: if ip_targets { TargetId::Ip(id) } else { TargetId::Instance(id) },
        state,
    })
}

/// A load balancer of the first generation has no target groups and is only a finding.
fn classic(name: &str, service: &Service) -> TargetGroup {
    TargetGroup {
        arn: name.into(),
        service: service.meta.name.clone(),
        classic: true,
        ip_targets: false,
        load_balancer_controller: false,
        cross_zone: annotated_cross_zone(service),
        // Source: Elastic Load Balancing, Classic Load Balancers, idle timeout and connection draining.
        idle_timeout: Duration::from_secs(60),
        deregistration_delay: Duration::from_secs(300),
        deregistration_cuts: false,
        unhealthy_cuts: false,
        unhealthy_draining_interval: Duration::ZERO,
        target_node_labels: annotation(service, "target-node-labels").map(Arc::from),
        drifted: false,
        targets: Vec::new(),
    }
}

async fn of_load_balancer(aws: &Aws, known: &mut Known, arn: &str) -> Result<Attributes, Failed> {
    if let Some(attributes) = known.attributes.get(arn) {
        return Ok(attributes.clone());
    }
    let asked = aws.elb.describe_load_balancer_attributes().load_balancer_arn(arn);
    let described = answered(asked.send().await)?;
    let pairs = described.attributes().iter().filter_map(|one| Some((one.key()?, one.value()?)));
    Ok(keep(known, arn, pairs))
}

async fn of_target_group(aws: &Aws, known: &mut Known, arn: &str) -> Result<Attributes, Failed> {
    if let Some(attributes) = known.attributes.get(arn) {
        return Ok(attributes.clone());
    }
    let asked = aws.elb.describe_target_group_attributes().target_group_arn(arn);
    let described = answered(asked.send().await)?;
    let pairs = described.attributes().iter().filter_map(|one| Some((one.key()?, one.value()?)));
    Ok(keep(known, arn, pairs))
}

/// Idle timeouts by the target group that a listener forwards to.
async fn idle_timeouts(
    aws: &Aws,
    known: &mut Known,
    arn: &str,
) -> Result<BTreeMap<String, Duration>, Failed> {
    let listed = format!("{arn}#listeners");
    if !known.attributes.contains_key(&listed) {
        let mut kept = Attributes::new();
        let mut pages = aws.elb.describe_listeners().load_balancer_arn(arn).into_paginator().items().send();
        while let Some(listener) = pages.next().await {
            note_idle_timeout(aws, &answered(listener)?, &mut kept).await?;
        }
        known.attributes.insert(listed.clone(), kept);
    }
    let seconds = |text: &String| text.parse().map(Duration::from_secs).unwrap_or(IDLE_TIMEOUT);
    let kept = known.attributes.get(&listed).into_iter().flatten();
    Ok(kept.map(|(group, text)| (group.clone(), seconds(text))).collect())
}

/// Notes a listener's idle timeout under each target group that it forwards to.
async fn note_idle_timeout(aws: &Aws, listener: &Listener, kept: &mut Attributes) -> Result<(), Failed> {
    let arn = listener.listener_arn().unwrap_or_default();
    let described = answered(aws.elb.describe_listener_attributes().listener_arn(arn).send().await)?;
    let idle = described.attributes().iter().find(|one| one.key() == Some("tcp.idle_timeout.seconds"));
    let Some(idle) = idle.and_then(|one| one.value()) else { return Ok(()) };
    for action in listener.default_actions() {
        let weighted = action.forward_config().map(|forward| forward.target_groups()).unwrap_or_default();
        let weighted = weighted.iter().filter_map(|one| one.target_group_arn());
        for group in weighted.chain(action.target_group_arn()) {
            kept.insert(group.to_owned(), idle.to_owned());
        }
    }
    Ok(())
}

fn keep<'a>(known: &mut Known, arn: &str, pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Attributes {
    let attributes: Attributes = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    known.attributes.insert(arn.to_owned(), attributes.clone());
    attributes
}
