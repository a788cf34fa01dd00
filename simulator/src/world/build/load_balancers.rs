//! Target groups, and Classic Load Balancers, which have none.

use std::collections::BTreeMap;

use super::{
    super::{
        Time,
        ids::{TargetGroupId, ZoneId},
        load_balancer::{Drift, TargetGroup},
        log::START,
    },
    Builder,
};
use crate::import::aws::{self, AwsState};

impl Builder {
    pub(super) fn target_groups(&mut self, aws: &AwsState) {
        for from in &aws.target_groups {
            let Some((namespace, name)) = &from.service else { continue };
            let Some(service) = self.world.services.find(namespace, name) else { continue };
            let balancer = aws.load_balancers.iter().find(|balancer| {
                balancer.listeners.iter().any(|listener| listener.target_group.as_ref() == Some(&from.arn))
            });
            let listener = balancer.and_then(|balancer| {
                balancer.listeners.iter().find(|listener| listener.target_group.as_ref() == Some(&from.arn))
            });
            let mut zones: Vec<ZoneId> =
                balancer.iter().flat_map(|balancer| &balancer.zones).map(|zone| self.zone(zone)).collect();
            if zones.is_empty() {
                zones = (0..self.world.zones.len()).map(ZoneId::from).collect();
            }
            zones.sort();
            zones.dedup();
            let attributes = &from.attributes;
            let id = TargetGroupId::from(self.world.target_groups.len());
            self.world.target_groups.push(TargetGroup {
                arn: from.arn.as_str().into(),
                service,
                controller: balancer
                    .and_then(|balancer| balancer.controller)
                    .unwrap_or(aws::Controller::CloudControllerManager),
                kind: balancer.map_or(aws::LoadBalancerKind::Network, |balancer| balancer.kind),
                ip_targets: from.target_type == aws::TargetType::Ip,
                cross_zone: attributes
                    .cross_zone
                    .unwrap_or_else(|| balancer.is_some_and(|balancer| balancer.cross_zone)),
                idle_timeout: listener
                    .map_or(self.world.parameters.nlb_tcp_idle, |listener| millis(listener.idle_timeout)),
                deregistration_delay: millis(attributes.deregistration_delay),
                deregistration_cuts: attributes.deregistration_connection_termination,
                unhealthy_cuts: attributes.unhealthy_connection_termination,
                unhealthy_draining_interval: millis(attributes.unhealthy_draining_interval),
                interval: millis(from.health_check.interval),
                healthy_threshold: from.health_check.healthy_threshold,
                unhealthy_threshold: from.health_check.unhealthy_threshold,
                targets: Vec::new(),
                node_labels: from.node_labels.clone(),
                drift: from.drift.as_ref().map(|drift| Drift {
                    replaced: drift.replaced,
                    cross_zone: drift.cross_zone,
                    interval: millis(drift.health_check.interval),
                    healthy_threshold: drift.health_check.healthy_threshold,
                    unhealthy_threshold: drift.health_check.unhealthy_threshold,
                }),
                version: 0,
                routes: vec![Default::default(); zones.len()],
                resolves: vec![(true, 0); zones.len()],
                lost_health: vec![START; zones.len()],
                healthy: false,
                lost_all_health: START,
                zones,
                entry: START,
            });
            self.world.service_states[service.index()].target_groups.push(id);
        }
        for balancer in aws.load_balancers.iter().filter(|one| one.kind == aws::LoadBalancerKind::Classic) {
            self.classic_load_balancer(balancer);
        }
    }

    /// A Classic Load Balancer as the cloud controller manager makes it. It stands between client and instance with a
    /// connection on either side, so that an instance that leaves it loses its connections: at once, or where draining
    /// is on at the end of its time.
    /// Source: cloud-provider-aws, `aws_loadbalancer.go` (health check 10 s, 2 ok / 6 fail; draining off by default).
    fn classic_load_balancer(&mut self, balancer: &aws::LoadBalancer) {
        let Some((namespace, name)) = &balancer.service else { return };
        let Some(service) = self.world.services.find(namespace, name) else { return };
        let annotations = self.world.services.last(service).meta.annotations.clone();
        let annotation =
            |name: &str| annotations.get(&format!("service.beta.kubernetes.io/aws-load-balancer-{name}"));
        let seconds = |name: &str, default: Time| {
            annotation(name).and_then(|text| text.parse::<Time>().ok()).unwrap_or(default) * 1_000
        };
        let drains = annotation("connection-draining-enabled").is_some_and(|text| text == "true");
        let mut zones: Vec<ZoneId> = balancer.zones.iter().map(|zone| self.zone(zone)).collect();
        zones.sort();
        zones.dedup();
        let id = TargetGroupId::from(self.world.target_groups.len());
        self.world.target_groups.push(TargetGroup {
            arn: balancer.arn.as_str().into(),
            service,
            controller: aws::Controller::CloudControllerManager,
            kind: balancer.kind,
            ip_targets: false,
            cross_zone: balancer.cross_zone,
            idle_timeout: seconds("connection-idle-timeout", 60),
            deregistration_delay: if drains { seconds("connection-draining-timeout", 300) } else { 0 },
            deregistration_cuts: true,
            unhealthy_cuts: false,
            unhealthy_draining_interval: 0,
            interval: 10_000,
            healthy_threshold: 2,
            unhealthy_threshold: 6,
            targets: Vec::new(),
            node_labels: BTreeMap::new(),
            drift: None,
            version: 0,
            routes: vec![Default::default(); zones.len()],
            resolves: vec![(true, 0); zones.len()],
            lost_health: vec![START; zones.len()],
            healthy: false,
            lost_all_health: START,
            zones,
            entry: START,
        });
        self.world.service_states[service.index()].target_groups.push(id);
    }
}

fn millis(span: std::time::Duration) -> Time {
    Time::try_from(span.as_millis()).unwrap_or(Time::MAX)
}
