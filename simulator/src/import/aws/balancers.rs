//! Load balancers and target groups: joins those of the file with the Services that they are for, and adds what is missing.

use super::super::{Cluster, ImportError, Typed};
use super::attributes::{apply_attributes, cross_zone, idle_timeout};
use super::file::AwsFile;
use super::services::{Surroundings, Wanted, hostname, wanted};
use super::state::{Controller, Drift, Listener, LoadBalancer, TargetGroup};

/// Load balancers and target groups: those of the file, and what the Services still lack.
pub(super) fn balancers(
    file: &AwsFile,
    cluster: &Cluster,
    at: &Surroundings<'_>,
    notes: &mut Vec<String>,
) -> Result<(Vec<LoadBalancer>, Vec<TargetGroup>), ImportError> {
    let mut balancers = file.load_balancers.clone();
    let mut groups = file.target_groups.clone();
    for group in &mut groups {
        group.attributes = at.defaults.attributes(group.target_type, group.protocol);
    }
    for balancer in &mut balancers {
        balancer.cross_zone = at.defaults.cross_zone.unwrap_or(false);
        let own = file.listeners.iter().filter(|(arn, _)| arn == &balancer.arn);
        balancer.listeners = own
            .map(|(_, listener)| Listener {
                idle_timeout: at.defaults.idle_timeout(listener.protocol),
                ..listener.clone()
            })
            .collect();
    }
    let mut assumed = 0;
    let mut expectations = Vec::new();
    for object in &cluster.objects {
        let Typed::Service(service) = &object.typed else { continue };
        let Some(wanted) = wanted(service, at, notes) else { continue };
        let address = hostname(service).unwrap_or_default().to_ascii_lowercase();
        let described = balancers
            .iter_mut()
            .find(|one| !one.dns_name.is_empty() && one.dns_name.to_ascii_lowercase() == address);
        match described {
            Some(balancer) => {
                expectations.push((balancer.arn.clone(), wanted.clone()));
                assumed += usize::from(adopt(balancer, &mut groups, wanted));
            }
            None => {
                assumed += 1;
                balancers.push(wanted.load_balancer);
                groups.extend(wanted.target_groups);
            }
        }
    }
    if assumed > 0 {
        notes.push(format!(
            "{assumed} load balancer(s): listeners, target groups or both taken from Services, annotations and defaults"
        ));
    }
    bind(cluster, &mut groups);
    let silent = apply_file(file, &mut balancers, &mut groups)?;
    for (arn, wanted) in &expectations {
        if let Some(balancer) = balancers.iter().find(|balancer| balancer.arn == *arn) {
            note_drift(balancer, &mut groups, wanted);
        }
    }
    if silent > 0 && !file.target_groups.is_empty() {
        notes.push(format!(
            "{silent} target group(s) of the file without attributes: annotations and defaults taken"
        ));
    }
    Ok((balancers, groups))
}

/// Joins a load balancer of the file with the Service it is for. Says whether the file left something out.
fn adopt(balancer: &mut LoadBalancer, groups: &mut Vec<TargetGroup>, wanted: Wanted) -> bool {
    let Wanted { load_balancer: expected, target_groups: mut expected_groups } = wanted;
    balancer.controller = expected.controller;
    balancer.service.clone_from(&expected.service);
    balancer.cross_zone = expected.cross_zone;
    if balancer.zones.is_empty() {
        balancer.zones = expected.zones;
    }
    if balancer.listeners.is_empty() {
        balancer.listeners = expected.listeners;
        groups.extend(expected_groups);
        return true;
    }
    let mut incomplete = false;
    for listener in &mut balancer.listeners {
        let Some(index) = expected.listeners.iter().position(|one| one.port == listener.port) else {
            continue;
        };
        listener.idle_timeout = expected.listeners[index].idle_timeout;
        let Some(wanted) = expected_groups.get_mut(index) else { continue };
        let arn = listener.target_group.get_or_insert_with(|| wanted.arn.clone());
        match groups.iter_mut().find(|group| &group.arn == arn) {
            Some(group) => {
                group.service.clone_from(&wanted.service);
                group.node_labels.clone_from(&wanted.node_labels);
                group.attributes = wanted.attributes.clone();
            }
            None => {
                wanted.arn.clone_from(arn);
                groups.push(wanted.clone());
                incomplete = true;
            }
        }
    }
    incomplete
}

/// Notes what the cloud controller manager would change of a load balancer's target groups at its next sync. The other
/// controller leaves alone what no annotation lists.
/// Source: cloud-provider-aws, `ensureLoadBalancerv2` and `reconcileLBAttributes`.
fn note_drift(balancer: &LoadBalancer, groups: &mut [TargetGroup], wanted: &Wanted) {
    let expected = &wanted.load_balancer;
    if expected.controller != Some(Controller::CloudControllerManager) {
        return;
    }
    for listener in &balancer.listeners {
        let index = expected.listeners.iter().position(|one| one.port == listener.port);
        let Some(wanted) = index.and_then(|index| wanted.target_groups.get(index)) else { continue };
        let Some(group) = groups.iter_mut().find(|group| listener.target_group.as_ref() == Some(&group.arn))
        else {
            continue;
        };
        let (is, should) = (&group.health_check, &wanted.health_check);
        let replaced =
            (group.protocol, is.protocol, is.interval) != (wanted.protocol, should.protocol, should.interval);
        // The load balancer's own attribute; one of the target group is not touched.
        let cross_zone = group.attributes.cross_zone.unwrap_or(expected.cross_zone);
        let rewritten = cross_zone != group.attributes.cross_zone.unwrap_or(balancer.cross_zone);
        group.drift =
            (replaced || rewritten).then(|| Drift { replaced, health_check: should.clone(), cross_zone });
    }
}

/// Gives target groups to the Services that a TargetGroupBinding names, where no load balancer of a Service did.
fn bind(cluster: &Cluster, groups: &mut [TargetGroup]) {
    for object in cluster.objects.iter().filter(|object| object.kind() == "TargetGroupBinding") {
        let binding = object.raw.value();
        let text = |pointer: &str| binding.pointer(pointer).and_then(|value| value.as_str());
        let (Some(arn), Some(service), Some(namespace)) =
            (text("/spec/targetGroupARN"), text("/spec/serviceRef/name"), object.namespace())
        else {
            continue;
        };
        if let Some(group) = groups.iter_mut().find(|group| group.arn == arn && group.service.is_none()) {
            group.service = Some((namespace.to_owned(), service.to_owned()));
        }
    }
}

/// Applies the attributes of the file, which win over everything else. Returns for how many of its target groups it has
/// none.
fn apply_file(
    file: &AwsFile,
    balancers: &mut [LoadBalancer],
    groups: &mut [TargetGroup],
) -> Result<usize, ImportError> {
    for balancer in balancers {
        if let Some(said) = file.attributes.get(&balancer.arn) {
            let said = cross_zone(said).map_err(|what| file.bad_attribute(&balancer.arn, &what))?;
            balancer.cross_zone = said.unwrap_or(balancer.cross_zone);
        }
        for listener in &mut balancer.listeners {
            if let Some(said) = file.attributes.get(&listener.arn) {
                let said = idle_timeout(said).map_err(|what| file.bad_attribute(&listener.arn, &what))?;
                listener.idle_timeout = said.unwrap_or(listener.idle_timeout);
            }
        }
    }
    let mut silent = 0;
    for group in groups {
        match file.attributes.get(&group.arn) {
            Some(said) => apply_attributes(&mut group.attributes, said)
                .map_err(|what| file.bad_attribute(&group.arn, &what))?,
            None => silent += usize::from(file.target_groups.iter().any(|one| one.arn == group.arn)),
        }
    }
    Ok(silent)
}
