//! What the world knows of AWS at its start.

use std::collections::BTreeMap;
use std::time::Duration;

/// The AWS side of one cluster. Lists are ordered by name or as the file gives them, and names in them are unique.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsState {
    /// For example `us-east-1`.
    pub region: String,
    /// The account's twelve digits.
    pub account: String,
    /// The EKS cluster.
    pub cluster: EksCluster,
    /// Subnets that node groups may launch into.
    pub subnets: Vec<Subnet>,
    /// Managed node groups.
    pub node_groups: Vec<NodeGroup>,
    /// Auto Scaling groups, those of the node groups and others.
    pub auto_scaling_groups: Vec<AutoScalingGroup>,
    /// Instances that are nodes, or that the file describes.
    pub instances: Vec<Instance>,
    /// Versions of launch templates that the file describes.
    pub launch_templates: Vec<LaunchTemplateVersion>,
    /// Load balancers, those of Services and others.
    pub load_balancers: Vec<LoadBalancer>,
    /// Target groups of those load balancers and of target group bindings.
    pub target_groups: Vec<TargetGroup>,
}

/// An EKS cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EksCluster {
    /// Its name.
    pub name: String,
    /// Kubernetes version as EKS gives it, for example `1.36`.
    pub version: String,
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// For example `subnet-0123456789abcdef0`.
    pub id: String,
    /// Availability zone, for example `us-east-1a`.
    pub zone: String,
    /// Addresses that are still free. A launch fails without one.
    pub available_addresses: u32,
}

/// A managed node group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeGroup {
    /// Its name, the value of the node label `eks.amazonaws.com/nodegroup`.
    pub name: String,
    /// The Auto Scaling group behind it.
    pub asg_name: String,
    /// Fewest nodes.
    pub min: u32,
    /// Most nodes.
    pub max: u32,
    /// Wanted nodes.
    pub desired: u32,
    /// Instance types, in order of preference; empty if the launch template says it.
    pub instance_types: Vec<String>,
    /// For example `AL2023_x86_64_STANDARD`, or `CUSTOM` if the launch template names an image.
    pub ami_type: String,
    /// AMI release, for example `1.36.2-20261101`; the image id if custom; empty if unknown.
    pub release_version: String,
    /// Kubernetes version of its nodes, for example `1.36`.
    pub version: String,
    /// On demand, or spot.
    pub capacity_type: CapacityType,
    /// Ids of its subnets.
    pub subnets: Vec<String>,
    /// ARN of the role of its nodes; empty if unknown.
    pub node_role: String,
    /// Labels that EKS sets on its nodes, apart from its own.
    pub labels: BTreeMap<String, String>,
    /// Taints that EKS sets on its nodes.
    pub taints: Vec<Taint>,
    /// The launch template it was made with, if any. It can neither be added nor removed later.
    pub launch_template: Option<LaunchTemplate>,
    /// Size of the root disk, in GiB; none if the launch template says it.
    pub disk_size_gib: Option<u32>,
    /// What EKS is doing with it.
    pub status: NodeGroupStatus,
    /// Whether EKS replaces nodes that stay unhealthy. Off by default.
    pub repair_enabled: bool,
}

/// How instances are paid, which decides whether AWS may take them back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapacityType {
    /// Until we end them.
    OnDemand,
    /// Until AWS wants them back.
    Spot,
    /// From a reserved block.
    CapacityBlock,
}

/// State of a node group. Source: EKS API, `NodegroupStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the API's word that it is named for")]
pub enum NodeGroupStatus {
    Creating,
    Active,
    Updating,
    Deleting,
    CreateFailed,
    DeleteFailed,
    Degraded,
}

/// A taint as the EKS API has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value, which may be empty.
    pub value: String,
    /// In Kubernetes' words: `NoSchedule`, `NoExecute` or `PreferNoSchedule`.
    pub effect: &'static str,
}

/// Which launch template a node group uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchTemplate {
    /// For example `lt-0123456789abcdef0`.
    pub id: String,
    /// Its name; empty if unknown.
    pub name: String,
    /// Its version, a number or `$Latest` or `$Default`.
    pub version: String,
}

/// A version of a launch template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchTemplateVersion {
    /// For example `lt-0123456789abcdef0`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Counted from 1.
    pub version: u64,
    /// Whether this is the default version.
    pub default: bool,
    /// The image, if it names one.
    pub image: Option<String>,
    /// The instance type, if it names one.
    pub instance_type: Option<String>,
}

/// An Auto Scaling group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoScalingGroup {
    /// Its name.
    pub name: String,
    /// Fewest instances.
    pub min: u32,
    /// Most instances.
    pub max: u32,
    /// Wanted instances.
    pub desired: u32,
    /// Availability zones that it launches into.
    pub zones: Vec<String>,
    /// Ids of the subnets that it launches into.
    pub subnets: Vec<String>,
    /// Names of suspended processes, for example `AZRebalance`.
    pub suspended_processes: Vec<String>,
    /// Its instances.
    pub instances: Vec<AsgInstance>,
}

/// An instance of an Auto Scaling group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsgInstance {
    /// For example `i-0123456789abcdef0`.
    pub id: String,
    /// Availability zone.
    pub zone: String,
    /// In the words of the API, for example `InService` or `Terminating:Wait`.
    pub lifecycle_state: String,
    /// Whether scaling in spares it.
    pub protected: bool,
}

/// An EC2 instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// For example `i-0123456789abcdef0`.
    pub id: String,
    /// The node that it is, if the export has it.
    pub node: Option<String>,
    /// Availability zone.
    pub zone: String,
    /// For example `m5.large`; empty if unknown.
    pub instance_type: String,
    /// Private IPv4 address; empty if unknown.
    pub private_address: String,
    /// In the words of the API, for example `running`.
    pub state: String,
}

/// Sort of load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadBalancerKind {
    /// NLB.
    Network,
    /// ALB.
    Application,
    /// The first kind of all. Not modelled.
    Classic,
}

/// Which controller makes a load balancer, and keeps its targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controller {
    /// The service controller in the cloud controller manager.
    CloudControllerManager,
    /// The AWS Load Balancer Controller.
    AwsLoadBalancerController,
}

/// Who can reach a load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Anyone.
    InternetFacing,
    /// The network of the cluster.
    Internal,
}

/// A load balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadBalancer {
    /// Its ARN; a classic load balancer has none, its name stands here.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Its DNS name, which is what the Service's status carries.
    pub dns_name: String,
    /// Its sort.
    pub kind: LoadBalancerKind,
    /// Who can reach it.
    pub scheme: Scheme,
    /// Zones in which it has an address.
    pub zones: Vec<String>,
    /// Whether each of its nodes sends to targets of all zones. Target groups may say otherwise.
    pub cross_zone: bool,
    /// Its listeners.
    pub listeners: Vec<Listener>,
    /// Who made it; none if no Service of the export did.
    pub controller: Option<Controller>,
    /// Namespace and name of the Service that it is for.
    pub service: Option<(String, String)>,
}

/// Transport of a listener or target group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the API's word that it is named for")]
pub enum Protocol {
    Tcp,
    Udp,
    TcpUdp,
    Tls,
    Http,
    Https,
    Quic,
}

/// A listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its ARN; a classic load balancer's has none.
    pub arn: String,
    /// Port that clients connect to.
    pub port: u16,
    /// Its transport.
    pub protocol: Protocol,
    /// How long a silent connection is remembered. 60 to 6000 s for TCP, 350 s for TLS, 120 s for UDP.
    /// Source: Elastic Load Balancing API, `tcp.idle_timeout.seconds`.
    pub idle_timeout: Duration,
    /// ARN of the target group that it forwards to, if it does.
    pub target_group: Option<String>,
}

/// What a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetType {
    /// A node, reached through a node port.
    Instance,
    /// A pod.
    Ip,
}

/// A target group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetGroup {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// What its targets are.
    pub target_type: TargetType,
    /// Transport towards the targets.
    pub protocol: Protocol,
    /// Port of targets that do not say their own: the node port, or the container's.
    pub port: u16,
    /// How targets are judged.
    pub health_check: HealthCheck,
    /// What happens to targets that leave or turn unhealthy.
    pub attributes: TargetGroupAttributes,
    /// Namespace and name of the Service that it is for.
    pub service: Option<(String, String)>,
    /// Labels that a node must have to become a target; empty for no restriction.
    pub node_labels: BTreeMap<String, String>,
    /// Targets that the file names; empty if it names none, which says nothing.
    pub targets: Vec<Target>,
    /// What the cloud controller manager would change at its next sync; none where it is as the annotations say, or
    /// somebody else's.
    pub drift: Option<Drift>,
}

/// How a target group differs from what the annotations of its Service say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Protocol, or the health check's protocol or interval: the group is replaced.
    pub replaced: bool,
    /// The health check that it is to have.
    pub health_check: HealthCheck,
    /// Cross-zone load balancing as it is to be.
    pub cross_zone: bool,
}

/// How targets are judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// What is asked.
    pub protocol: Protocol,
    /// Where.
    pub port: HealthCheckPort,
    /// What is asked for over HTTP; empty over TCP.
    pub path: String,
    /// Time between checks, 5 to 300 s.
    pub interval: Duration,
    /// Time to wait for an answer, 2 to 120 s.
    pub timeout: Duration,
    /// Checks in a row that make a target healthy, 2 to 10.
    pub healthy_threshold: u32,
    /// Checks in a row that make a target unhealthy, 2 to 10.
    pub unhealthy_threshold: u32,
}

/// Where health is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthCheckPort {
    /// The port that traffic uses.
    Traffic,
    /// A port of its own, for example the Service's `healthCheckNodePort`.
    Port(u16),
}

/// What happens to targets that leave or turn unhealthy. Source: Elastic Load Balancing API, `TargetGroupAttribute`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetGroupAttributes {
    /// How long a target drains, 0 to 3600 s. By itself it closes nothing.
    pub deregistration_delay: Duration,
    /// Whether connections are cut at the end of that delay.
    pub deregistration_connection_termination: bool,
    /// Whether connections are cut when a target turns unhealthy.
    pub unhealthy_connection_termination: bool,
    /// How long an unhealthy target drains if they are not cut, 0 to 360000 s.
    pub unhealthy_draining_interval: Duration,
    /// Whether targets of all zones are used; none if the load balancer decides.
    pub cross_zone: Option<bool>,
    /// Whether targets see the client's address.
    pub preserve_client_ip: bool,
    /// Healthy targets below which a zone leaves DNS.
    pub dns_failover_minimum: MinimumHealthy,
    /// Healthy targets below which a zone sends to all targets.
    pub routing_minimum: MinimumHealthy,
}

/// How many targets must be healthy, as a count and as a share. What is absent is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinimumHealthy {
    /// At least so many.
    pub count: Option<u32>,
    /// At least so many of a hundred.
    pub percentage: Option<u32>,
}

/// A target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Instance id or address.
    pub id: String,
    /// Its port.
    pub port: u16,
    /// In the words of the API, for example `healthy` or `draining`.
    pub state: String,
    /// Reason for that state, for example `Target.DeregistrationInProgress`; empty if healthy.
    pub reason: String,
}
