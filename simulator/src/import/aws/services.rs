//! Which load balancer a Service gets, from its annotations, when no file shows it: as the cloud controller manager or
//! the AWS Load Balancer Controller would make it.
//!
//! Sources: cloud-provider-aws, `aws_loadbalancer.go` and `docs/service_controller.md`; aws-load-balancer-controller,
//! `pkg/service/model_builder.go` and `docs/guide/service/annotations.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::attributes::{apply_attributes, cross_zone, idle_timeout, plain_attributes};
use super::file::protocol_named;
use super::state::{
    Controller, HealthCheck, HealthCheckPort, Listener, LoadBalancer, LoadBalancerKind, Protocol, Scheme,
    TargetGroup, TargetGroupAttributes, TargetType,
};

/// What load balancers do where neither a file nor an annotation says it. Each is a parameter of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadBalancerDefaults {
    /// `nlb.tcp_idle`: how long a silent TCP connection is remembered. 60 to 6000 s.
    pub tcp_idle: Duration,
    /// `nlb.dereg_delay`: how long a target drains. 0 to 3600 s.
    pub deregistration_delay: Duration,
    /// Whether connections are cut at the end of that delay.
    pub deregistration_cut: bool,
    /// `nlb.unhealthy_cut`: whether connections are cut when a target turns unhealthy.
    pub unhealthy_cut: bool,
    /// How long an unhealthy target drains if they are not cut. 0 to 360000 s.
    pub unhealthy_interval: Duration,
    /// `nlb.cross_zone`: whether targets of all zones are used. None is what the controllers do: no.
    pub cross_zone: Option<bool>,
}

impl Default for LoadBalancerDefaults {
    /// What AWS itself sets. Source: Elastic Load Balancing API, `TargetGroupAttribute` and `ListenerAttribute`.
    fn default() -> LoadBalancerDefaults {
        LoadBalancerDefaults {
            tcp_idle: Duration::from_secs(350),
            deregistration_delay: Duration::from_secs(300),
            deregistration_cut: false,
            unhealthy_cut: true,
            unhealthy_interval: Duration::ZERO,
            cross_zone: None,
        }
    }
}

impl LoadBalancerDefaults {
    /// Attributes of a target group that nobody has changed.
    pub(super) fn attributes(&self, target_type: TargetType, protocol: Protocol) -> TargetGroupAttributes {
        let plain = plain_attributes(target_type, protocol);
        TargetGroupAttributes {
            deregistration_delay: self.deregistration_delay,
            // Datagrams have no end of their own, so AWS always cuts them.
            deregistration_connection_termination: plain.deregistration_connection_termination
                || self.deregistration_cut,
            unhealthy_connection_termination: self.unhealthy_cut,
            unhealthy_draining_interval: self.unhealthy_interval,
            ..plain
        }
    }

    /// Idle timeout of a listener that nobody has changed. Only that of TCP can be.
    pub(super) fn idle_timeout(&self, protocol: Protocol) -> Duration {
        match protocol {
            Protocol::Tcp | Protocol::TcpUdp => self.tcp_idle,
            Protocol::Tls => Duration::from_secs(350),
            Protocol::Udp | Protocol::Quic => Duration::from_secs(120),
            // Of an Application Load Balancer.
            Protocol::Http | Protocol::Https => Duration::from_secs(60),
        }
    }
}

/// Where a load balancer is made.
pub(super) struct Surroundings<'a> {
    pub(super) region: &'a str,
    pub(super) account: &'a str,
    /// Zones of all nodes.
    pub(super) zones: &'a [String],
    pub(super) defaults: &'a LoadBalancerDefaults,
}

/// What a Service gets.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) load_balancer: LoadBalancer,
    /// One for each port of the Service, in its order; none if classic.
    pub(super) target_groups: Vec<TargetGroup>,
}

const PREFIX: &str = "service.beta.kubernetes.io/aws-load-balancer-";

/// The load balancer of a Service, or none if it is for none of the two controllers. What cannot be followed is noted.
pub(super) fn wanted(
    service: &core::Service,
    at: &Surroundings<'_>,
    notes: &mut Vec<String>,
) -> Option<Wanted> {
    let spec = service.spec.as_ref().filter(|spec| spec.type_.as_deref() == Some("LoadBalancer"))?;
    let metadata = &service.metadata;
    let (namespace, name) = (metadata.namespace.clone()?, metadata.name.clone()?);
    let none = BTreeMap::new();
    let annotations = Annotations {
        all: metadata.annotations.as_ref().unwrap_or(&none),
        service: format!("Service {namespace}/{name}"),
    };
    let sort = Sort::of(spec, &annotations, notes)?;
    let uid = metadata.uid.clone().unwrap_or_else(|| format!("{namespace}/{name}"));
    let dns_name = hostname(service).map_or_else(
        || {
            notes.push(format!("{}: has no address yet: one is made up", annotations.service));
            format!("{}-{}.elb.{}.amazonaws.com", made_up_name(&uid), hex(&uid), at.region)
        },
        str::to_owned,
    );
    let (lb_name, lb_id) = dns_name
        .split('.')
        .next()
        .and_then(|label| label.rsplit_once('-'))
        .map_or_else(|| (made_up_name(&uid), hex(&uid)), |(name, id)| (name.to_owned(), id.to_owned()));
    let arn = match sort.kind {
        LoadBalancerKind::Classic => lb_name.clone(),
        _ => format!(
            "arn:aws:elasticloadbalancing:{}:{}:loadbalancer/net/{lb_name}/{lb_id}",
            at.region, at.account
        ),
    };

    let mut listeners = Vec::new();
    let mut target_groups = Vec::new();
    for port in spec.ports.iter().flatten() {
        let Ok(listener_port) = u16::try_from(port.port) else {
            notes.push(format!("{}: port {} is impossible and left out", annotations.service, port.port));
            continue;
        };
        let front = front_protocol(port, &annotations);
        let group = (sort.kind == LoadBalancerKind::Network)
            .then(|| target_group(spec, port, &sort, &annotations, (&namespace, &name, &uid), at, notes));
        let port_and_protocol = format!("{listener_port}/{front:?}");
        listeners.push(Listener {
            arn: match sort.kind {
                LoadBalancerKind::Classic => String::new(),
                _ => {
                    format!("{}/{}", arn.replacen(":loadbalancer/", ":listener/", 1), hex(&port_and_protocol))
                }
            },
            port: listener_port,
            protocol: front,
            idle_timeout: listener_idle(front, listener_port, &sort, &annotations, at.defaults, notes),
            target_group: group.as_ref().map(|group| group.arn.clone()),
        });
        target_groups.extend(group);
    }
    Some(Wanted {
        load_balancer: LoadBalancer {
            arn,
            name: lb_name,
            dns_name,
            kind: sort.kind,
            scheme: scheme(&sort, &annotations),
            zones: at.zones.to_vec(),
            cross_zone: is_cross_zone(&sort, &annotations, at.defaults, notes),
            listeners,
            controller: Some(sort.controller),
            service: Some((namespace, name)),
        },
        target_groups,
    })
}

/// The address that the Service's status names.
pub(super) fn hostname(service: &core::Service) -> Option<&str> {
    let ingress = service.status.as_ref()?.load_balancer.as_ref()?.ingress.as_ref()?;
    ingress.iter().find_map(|one| one.hostname.as_deref())
}

/// Who makes the load balancer, and what sort it is.
struct Sort {
    controller: Controller,
    kind: LoadBalancerKind,
    target_type: TargetType,
}

impl Sort {
    fn of(spec: &core::ServiceSpec, annotations: &Annotations<'_>, notes: &mut Vec<String>) -> Option<Sort> {
        let by_controller = |target_type| Sort {
            controller: Controller::AwsLoadBalancerController,
            kind: LoadBalancerKind::Network,
            target_type,
        };
        let asked = annotations.get("type");
        // A class decides alone: the cloud controller manager ignores such Services, whatever their annotations say.
        match (spec.load_balancer_class.as_deref(), asked) {
            (Some("service.k8s.aws/nlb"), _) | (None, Some("external" | "nlb-ip")) => {
                let target = annotations.get("nlb-target-type");
                let ip =
                    matches!(target, Some("ip" | "nlb-ip")) || (target.is_none() && asked == Some("nlb-ip"));
                Some(by_controller(if ip { TargetType::Ip } else { TargetType::Instance }))
            }
            (Some(class), _) => {
                notes.push(format!("{}: class {class:?} is of no known controller", annotations.service));
                None
            }
            (None, asked) => Some(Sort {
                controller: Controller::CloudControllerManager,
                kind: if asked == Some("nlb") {
                    LoadBalancerKind::Network
                } else {
                    LoadBalancerKind::Classic
                },
                target_type: TargetType::Instance,
            }),
        }
    }

    fn is_cloud_controller(&self) -> bool {
        self.controller == Controller::CloudControllerManager
    }
}

/// The annotations of a Service that are about its load balancer.
struct Annotations<'a> {
    all: &'a BTreeMap<String, String>,
    /// What notes call the Service.
    service: String,
}

impl Annotations<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.all.get(&format!("{PREFIX}{name}")).map(|value| value.trim())
    }

    /// `key=value,key=value`
    fn pairs(&self, name: &str) -> BTreeMap<String, String> {
        let pairs = self.get(name).unwrap_or_default().split(',').filter_map(|pair| pair.split_once('='));
        pairs.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned())).collect()
    }

    fn number(&self, name: &str, min: u32, max: u32, notes: &mut Vec<String>) -> Option<u32> {
        let text = self.get(name)?;
        match text.parse() {
            Ok(number) if (min..=max).contains(&number) => Some(number),
            _ => {
                self.note(name, &format!("{text:?} is no number between {min} and {max}"), notes);
                None
            }
        }
    }

    fn note(&self, name: &str, what: &str, notes: &mut Vec<String>) {
        notes.push(format!("{}: annotation {PREFIX}{name}: {what}: not followed", self.service));
    }
}

fn scheme(sort: &Sort, annotations: &Annotations<'_>) -> Scheme {
    let legacy = annotations.get("internal").map(|value| value != "false");
    let internal = if sort.is_cloud_controller() {
        legacy.unwrap_or(false)
    } else {
        // Internal unless asked otherwise, since version 2.2.
        match annotations.get("scheme") {
            Some(scheme) => scheme != "internet-facing",
            None => legacy.unwrap_or(true),
        }
    };
    if internal { Scheme::Internal } else { Scheme::InternetFacing }
}

fn is_cross_zone(
    sort: &Sort,
    annotations: &Annotations<'_>,
    defaults: &LoadBalancerDefaults,
    notes: &mut Vec<String>,
) -> bool {
    if !sort.is_cloud_controller() {
        match cross_zone(&annotations.pairs("attributes")) {
            Ok(None) => {}
            Ok(Some(said)) => return said,
            Err(what) => annotations.note("attributes", &what, notes),
        }
    }
    match annotations.get("cross-zone-load-balancing-enabled") {
        Some(said) => said == "true",
        None => defaults.cross_zone.unwrap_or(false),
    }
}

/// TLS where a certificate is given for the port, else the port's own.
fn front_protocol(port: &core::ServicePort, annotations: &Annotations<'_>) -> Protocol {
    let own = protocol_named(port.protocol.as_deref().unwrap_or("TCP")).unwrap_or(Protocol::Tcp);
    let secured = annotations.get("ssl-cert").is_some()
        && annotations.get("ssl-ports").is_none_or(|ports| {
            let number = port.port.to_string();
            ports.split(',').map(str::trim).any(|one| {
                one == "*" || one == number || port.name.as_deref().is_some_and(|name| name == one)
            })
        });
    if secured && own == Protocol::Tcp { Protocol::Tls } else { own }
}

fn listener_idle(
    protocol: Protocol,
    port: u16,
    sort: &Sort,
    annotations: &Annotations<'_>,
    defaults: &LoadBalancerDefaults,
    notes: &mut Vec<String>,
) -> Duration {
    if protocol == Protocol::Tcp && !sort.is_cloud_controller() {
        let name = format!("listener-attributes.TCP-{port}");
        match idle_timeout(&annotations.pairs(&name)) {
            Ok(None) => {}
            Ok(Some(said)) => return said,
            Err(what) => annotations.note(&name, &what, notes),
        }
    }
    defaults.idle_timeout(protocol)
}

fn target_group(
    spec: &core::ServiceSpec,
    port: &core::ServicePort,
    sort: &Sort,
    annotations: &Annotations<'_>,
    (namespace, service, uid): (&str, &str, &str),
    at: &Surroundings<'_>,
    notes: &mut Vec<String>,
) -> TargetGroup {
    let protocol = match (
        protocol_named(port.protocol.as_deref().unwrap_or("TCP")),
        annotations.get("backend-protocol"),
    ) {
        (Some(Protocol::Tcp) | None, Some("ssl" | "tls" | "https")) => Protocol::Tls,
        (own, _) => own.unwrap_or(Protocol::Tcp),
    };
    let target_port = match (sort.target_type, &port.target_port) {
        (TargetType::Instance, _) => port.node_port,
        (TargetType::Ip, Some(IntOrString::Int(number))) => Some(*number),
        // A named port may differ from pod to pod; the controller registers each with its own and writes 1 here.
        (TargetType::Ip, Some(IntOrString::String(_))) => Some(1),
        (TargetType::Ip, None) => Some(port.port),
    };
    let target_port = target_port.and_then(|number| u16::try_from(number).ok()).unwrap_or_else(|| {
        notes.push(format!(
            "{}: port {} has no node port: nothing can reach it",
            annotations.service, port.port
        ));
        1
    });

    let mut attributes = at.defaults.attributes(sort.target_type, protocol);
    let mut said = annotations.pairs("target-group-attributes");
    if sort.is_cloud_controller() {
        // The only one among those modelled that this controller knows.
        said.retain(|key, _| key == "preserve_client_ip.enabled");
    }
    if let Err(what) = apply_attributes(&mut attributes, &said) {
        annotations.note("target-group-attributes", &what, notes);
    }

    let id = hex(&format!("{uid}:{}", port.port));
    let short = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).take(8).collect::<String>();
    let name = format!("k8s-{}-{}-{}", short(namespace), short(service), &id[..10]);
    TargetGroup {
        arn: format!("arn:aws:elasticloadbalancing:{}:{}:targetgroup/{name}/{id}", at.region, at.account),
        name,
        target_type: sort.target_type,
        protocol,
        port: target_port,
        health_check: health_check(spec, sort, annotations, notes),
        attributes,
        service: Some((namespace.to_owned(), service.to_owned())),
        node_labels: annotations.pairs("target-node-labels"),
        targets: Vec::new(),
        drift: None,
    }
}

/// How the two controllers have targets judged, unless annotations say otherwise.
fn health_check(
    spec: &core::ServiceSpec,
    sort: &Sort,
    annotations: &Annotations<'_>,
    notes: &mut Vec<String>,
) -> HealthCheck {
    let local =
        spec.external_traffic_policy.as_deref() == Some("Local") && sort.target_type == TargetType::Instance;
    let local_port = spec.health_check_node_port.filter(|_| local).and_then(|port| u16::try_from(port).ok());
    // Interval and threshold: by the node port 10 s and 2; otherwise 3, and 30 s or, by the newer controller, 10 s.
    let (interval, threshold) = match (local_port, sort.is_cloud_controller()) {
        (Some(_), _) => (10, 2),
        (None, true) => (30, 3),
        (None, false) => (10, 3),
    };
    let usual = if local_port.is_some() { Protocol::Http } else { Protocol::Tcp };
    let protocol = match annotations.get("healthcheck-protocol") {
        None => usual,
        Some(word) => match protocol_named(word) {
            Some(protocol @ (Protocol::Tcp | Protocol::Http | Protocol::Https)) => protocol,
            _ => {
                annotations.note(
                    "healthcheck-protocol",
                    &format!("{word:?} is no protocol for checks"),
                    notes,
                );
                usual
            }
        },
    };
    let usual_port = local_port.map_or(HealthCheckPort::Traffic, HealthCheckPort::Port);
    let port = match annotations.get("healthcheck-port") {
        None => usual_port,
        Some("traffic-port") => HealthCheckPort::Traffic,
        Some(number) => number.parse().map_or_else(
            |_| {
                annotations.note("healthcheck-port", &format!("{number:?} is no port"), notes);
                usual_port
            },
            HealthCheckPort::Port,
        ),
    };
    let usual_path = if local_port.is_some() { "/healthz" } else { "/" };
    // Over HTTP an answer is awaited for 6 s, otherwise 10 s.
    let usual_timeout = if protocol == Protocol::Http { 6 } else { 10 };
    let seconds = |seconds: Option<u32>, usual: u32| Duration::from_secs(seconds.unwrap_or(usual).into());
    HealthCheck {
        protocol,
        port,
        path: match protocol {
            Protocol::Tcp => String::new(),
            _ => annotations.get("healthcheck-path").unwrap_or(usual_path).to_owned(),
        },
        interval: seconds(annotations.number("healthcheck-interval", 5, 300, notes), interval),
        timeout: seconds(annotations.number("healthcheck-timeout", 2, 120, notes), usual_timeout),
        healthy_threshold: annotations
            .number("healthcheck-healthy-threshold", 2, 10, notes)
            .unwrap_or(threshold),
        unhealthy_threshold: annotations
            .number("healthcheck-unhealthy-threshold", 2, 10, notes)
            .unwrap_or(threshold),
    }
}

/// Name of the load balancer of a Service, as the cloud controller manager makes it from the Service's uid.
fn made_up_name(uid: &str) -> String {
    let name: String = format!("a{uid}").chars().filter(char::is_ascii_alphanumeric).take(32).collect();
    name
}

/// Sixteen hexadecimal digits that stand for the text: identifiers must be the same in every run.
pub(crate) fn hex(text: &str) -> String {
    // FNV-1a, 64 bits.
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// Zones of these, in order, each once.
pub(super) fn zones<'a>(all: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let zones: BTreeSet<&str> = all.into_iter().filter(|zone| !zone.is_empty()).collect();
    zones.into_iter().map(str::to_owned).collect()
}
