//! The attributes of load balancers, listeners and target groups, as the API and the annotations write them: texts by name.

use std::collections::BTreeMap;
use std::time::Duration;

use super::state::{MinimumHealthy, Protocol, TargetGroupAttributes, TargetType};

/// What AWS sets when nobody says otherwise. Source: Elastic Load Balancing API, `TargetGroupAttribute`.
pub(super) fn plain_attributes(target_type: TargetType, protocol: Protocol) -> TargetGroupAttributes {
    let datagrams = matches!(protocol, Protocol::Udp | Protocol::TcpUdp | Protocol::Quic);
    TargetGroupAttributes {
        deregistration_delay: Duration::from_secs(300),
        deregistration_connection_termination: datagrams,
        unhealthy_connection_termination: true,
        unhealthy_draining_interval: Duration::ZERO,
        cross_zone: None,
        preserve_client_ip: target_type == TargetType::Instance || datagrams,
        dns_failover_minimum: MinimumHealthy { count: Some(1), percentage: None },
        routing_minimum: MinimumHealthy { count: Some(1), percentage: None },
    }
}

/// Whether a flag may have the third word that target groups use for "as the load balancer".
const STRICT: bool = false;
const LOOSE: bool = true;

fn flag(attributes: &BTreeMap<String, String>, key: &str, loose: bool) -> Result<Option<bool>, String> {
    match attributes.get(key).map(String::as_str) {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some("use_load_balancer_configuration") if loose => Ok(None),
        Some(other) => Err(format!("{key}: {other:?} is neither true nor false")),
    }
}

fn number(
    attributes: &BTreeMap<String, String>,
    key: &str,
    min: u32,
    max: u32,
) -> Result<Option<u32>, String> {
    let Some(text) = attributes.get(key) else { return Ok(None) };
    match text.parse() {
        Ok(number) if (min..=max).contains(&number) => Ok(Some(number)),
        _ => Err(format!("{key}: {text:?} is no number between {min} and {max}")),
    }
}

/// A number that may be switched off: outer none is not said, inner none is off.
fn minimum(
    attributes: &BTreeMap<String, String>,
    key: &str,
    max: u32,
) -> Result<Option<Option<u32>>, String> {
    match attributes.get(key).map(String::as_str) {
        Some("off") => Ok(Some(None)),
        _ => Ok(number(attributes, key, 1, max)?.map(Some)),
    }
}

/// Changes what is named among `said`; other keys are not ours.
pub(super) fn apply_attributes(
    attributes: &mut TargetGroupAttributes,
    said: &BTreeMap<String, String>,
) -> Result<(), String> {
    if let Some(seconds) = number(said, "deregistration_delay.timeout_seconds", 0, 3600)? {
        attributes.deregistration_delay = Duration::from_secs(seconds.into());
    }
    if let Some(cut) = flag(said, "deregistration_delay.connection_termination.enabled", STRICT)? {
        attributes.deregistration_connection_termination = cut;
    }
    if let Some(cut) = flag(said, "target_health_state.unhealthy.connection_termination.enabled", STRICT)? {
        attributes.unhealthy_connection_termination = cut;
    }
    if let Some(seconds) =
        number(said, "target_health_state.unhealthy.draining_interval_seconds", 0, 360_000)?
    {
        attributes.unhealthy_draining_interval = Duration::from_secs(seconds.into());
    }
    if said.contains_key("load_balancing.cross_zone.enabled") {
        attributes.cross_zone = flag(said, "load_balancing.cross_zone.enabled", LOOSE)?;
    }
    if let Some(preserve) = flag(said, "preserve_client_ip.enabled", STRICT)? {
        attributes.preserve_client_ip = preserve;
    }
    for (minimum_healthy, prefix) in [
        (&mut attributes.dns_failover_minimum, "target_group_health.dns_failover"),
        (&mut attributes.routing_minimum, "target_group_health.unhealthy_state_routing"),
    ] {
        if let Some(count) = minimum(said, &format!("{prefix}.minimum_healthy_targets.count"), 5000)? {
            minimum_healthy.count = count;
        }
        if let Some(share) = minimum(said, &format!("{prefix}.minimum_healthy_targets.percentage"), 100)? {
            minimum_healthy.percentage = share;
        }
    }
    Ok(())
}

/// `tcp.idle_timeout.seconds`, if it is said.
pub(super) fn idle_timeout(said: &BTreeMap<String, String>) -> Result<Option<Duration>, String> {
    let seconds = number(said, "tcp.idle_timeout.seconds", 60, 6000)?;
    Ok(seconds.map(|seconds| Duration::from_secs(seconds.into())))
}

/// `load_balancing.cross_zone.enabled` of a load balancer, if it is said.
pub(super) fn cross_zone(said: &BTreeMap<String, String>) -> Result<Option<bool>, String> {
    flag(said, "load_balancing.cross_zone.enabled", STRICT)
}
