//! Reads what `aws … describe-…` printed: any number of its JSON documents, one after the other or in one array, or one
//! object that holds the keys of several.
//!
//! The attributes of a load balancer, listener or target group, and the health of targets, are printed without saying
//! whose they are. `{ "TargetGroupArn": "…", "Attributes": […] }` says it; without, they are given to the only resource
//! they can belong to, and refused if there are several.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::error::plain;
use super::super::{ImportError, Place, read_file, text_of};
use super::attributes::{apply_attributes, idle_timeout, plain_attributes};
use super::records as printed;
use super::state::{
    AsgInstance, AutoScalingGroup, CapacityType, HealthCheck, HealthCheckPort, Instance, LaunchTemplate,
    LaunchTemplateVersion, Listener, LoadBalancer, LoadBalancerKind, NodeGroup, NodeGroupStatus, Protocol,
    Scheme, Subnet, Taint, Target, TargetGroup, TargetType,
};

/// Largest AWS file, in bytes: 32 MiB.
///
/// An NLB with all its targets prints less than 1 MiB; unlike an export, this file is held as a tree.
pub const AWS_FILE_BYTES_MAX: usize = 32 << 20;

/// Most instances of one group. Source: EC2 Auto Scaling quotas allow some thousands; beyond this it is a typing error.
const INSTANCES_MAX: u32 = 100_000;

/// What an AWS file says.
#[derive(Clone, Debug)]
pub struct AwsFile {
    /// The documents as they were read, so that an export can give them back.
    pub documents: Vec<Value>,
    /// What was noticed but does not stop a run, one sentence each.
    pub notes: Vec<String>,
    /// What error messages call the file.
    pub(super) name: String,
    pub(super) cluster: Option<printed::Cluster>,
    pub(super) clusters_named: Vec<String>,
    pub(super) arns: Vec<String>,
    pub(super) subnets: Vec<Subnet>,
    pub(super) node_groups: Vec<NodeGroup>,
    pub(super) auto_scaling_groups: Vec<AutoScalingGroup>,
    pub(super) instances: Vec<Instance>,
    pub(super) launch_templates: Vec<LaunchTemplateVersion>,
    pub(super) load_balancers: Vec<LoadBalancer>,
    /// ARN of the load balancer of each.
    pub(super) listeners: Vec<(String, Listener)>,
    pub(super) target_groups: Vec<TargetGroup>,
    /// By ARN of their owner.
    pub(super) attributes: BTreeMap<String, BTreeMap<String, String>>,
}

/// Reads the AWS file in `path`.
///
/// # Errors
///
/// If it cannot be read or is refused by [`parse_aws`].
pub fn read_aws(path: &Path) -> Result<AwsFile, ImportError> {
    parse_aws(&path.display().to_string(), &read_file(path)?)
}

/// Parses an AWS file. `name` is what error messages call it.
///
/// Not an error: keys that are not used (noted), a document that is missing altogether.
///
/// # Errors
///
/// If the text is no JSON, describes nothing, is larger than [`AWS_FILE_BYTES_MAX`], has a value of the wrong type or one that AWS would not
/// accept, describes something twice, or describes attributes of which it cannot be told whose they are.
pub fn parse_aws(name: &str, bytes: &[u8]) -> Result<AwsFile, ImportError> {
    if bytes.len() > AWS_FILE_BYTES_MAX {
        return Err(ImportError::FileTooLarge {
            file: name.to_owned(),
            bytes_max: AWS_FILE_BYTES_MAX as u64,
        });
    }
    let text = text_of(name, bytes)?;
    if text.trim().is_empty() {
        return Err(ImportError::NothingDescribed { file: name.to_owned() });
    }
    let mut documents = Vec::new();
    for document in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        match document {
            Ok(Value::Array(several)) => documents.extend(several),
            Ok(one) => documents.push(one),
            Err(error) => {
                let place = Place::line(name, error.line(), error.column());
                return Err(ImportError::Syntax { place, what: plain(&error) });
            }
        }
    }
    let mut reader = Reader { name, found: AwsFile::empty(name), waiting: Vec::new() };
    for (index, document) in documents.iter().enumerate() {
        reader.document(&Spot { name, document: index + 1, path: String::new() }, document)?;
    }
    if documents.iter().all(|document| document.as_object().is_some_and(serde_json::Map::is_empty)) {
        return Err(ImportError::NothingDescribed { file: name.to_owned() });
    }
    reader.assign_waiting()?;
    reader.check_unique()?;
    reader.check_attributes()?;
    Ok(AwsFile { documents, ..reader.found })
}

impl AwsFile {
    /// A file that says nothing.
    pub(super) fn empty(name: &str) -> AwsFile {
        AwsFile {
            name: name.to_owned(),
            documents: Vec::new(),
            notes: Vec::new(),
            cluster: None,
            clusters_named: Vec::new(),
            arns: Vec::new(),
            subnets: Vec::new(),
            node_groups: Vec::new(),
            auto_scaling_groups: Vec::new(),
            instances: Vec::new(),
            launch_templates: Vec::new(),
            load_balancers: Vec::new(),
            listeners: Vec::new(),
            target_groups: Vec::new(),
            attributes: BTreeMap::new(),
        }
    }

    /// Refuses an attribute of the resource `arn`.
    pub(super) fn bad_attribute(&self, arn: &str, what: &str) -> ImportError {
        let spot = Spot { name: &self.name, document: 0, path: String::new() };
        spot.refuse(format!("{arn}: {what}"), AS_PRINTED)
    }
}

/// Where in the file something stands.
#[derive(Clone)]
struct Spot<'a> {
    name: &'a str,
    document: usize,
    path: String,
}

impl Spot<'_> {
    fn field(&self, field: impl Display) -> Self {
        let path = if self.path.is_empty() { field.to_string() } else { format!("{}.{field}", self.path) };
        Spot { path, ..self.clone() }
    }

    fn at(&self, index: usize) -> Self {
        Spot { path: format!("{}[{index}]", self.path), ..self.clone() }
    }

    fn refuse(&self, what: impl Display, mend: &'static str) -> ImportError {
        let place = Place { file: self.name.to_owned(), document: self.document, ..Place::default() };
        let what = if self.path.is_empty() { what.to_string() } else { format!("{}: {what}", self.path) };
        ImportError::Shape { place: place.into(), what, mend }
    }

    fn record<T: DeserializeOwned>(&self, value: &Value) -> Result<T, ImportError> {
        serde_path_to_error::deserialize(value).map_err(|error| {
            let path = error.path().to_string();
            let spot = if path == "." { self.clone() } else { self.field(path) };
            spot.refuse(plain(error.inner()), AS_PRINTED)
        })
    }

    fn within(&self, field: &str, value: u32, min: u32, max: u32) -> Result<u32, ImportError> {
        if (min..=max).contains(&value) {
            return Ok(value);
        }
        Err(self.field(field).refuse(format!("{value} is not between {min} and {max}"), AS_PRINTED))
    }

    fn seconds(&self, field: &str, value: u32, min: u32, max: u32) -> Result<Duration, ImportError> {
        self.within(field, value, min, max).map(|seconds| Duration::from_secs(seconds.into()))
    }

    fn bounds(&self, fields: [&str; 3], [min, desired, max]: [u32; 3]) -> Result<(), ImportError> {
        for (field, value) in fields.into_iter().zip([min, desired, max]) {
            self.within(field, value, 0, INSTANCES_MAX)?;
        }
        if min <= desired && desired <= max {
            return Ok(());
        }
        let what = format!("minimum {min}, desired {desired}, maximum {max} are not in order");
        Err(self.refuse(what, AS_PRINTED))
    }
}

const AS_PRINTED: &str = "give the JSON as the aws command printed it";

/// What attributes without an owner can belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    LoadBalancer,
    Listener,
    TargetGroup,
}

impl Owner {
    /// The key that names the owner.
    fn key(self) -> &'static str {
        match self {
            Owner::LoadBalancer => "LoadBalancerArn",
            Owner::Listener => "ListenerArn",
            Owner::TargetGroup => "TargetGroupArn",
        }
    }
}

/// What waits until the whole file is known: its owner may be described further down, or is not named.
enum Waiting {
    Attributes(Owner, BTreeMap<String, String>),
    Targets { group: Option<String>, targets: Vec<Target> },
}

struct Reader<'a> {
    name: &'a str,
    found: AwsFile,
    waiting: Vec<(Spot<'a>, Waiting)>,
}

impl<'a> Reader<'a> {
    fn document(&mut self, spot: &Spot<'a>, document: &Value) -> Result<(), ImportError> {
        let Value::Object(fields) = document else {
            return Err(spot.refuse("not an object", AS_PRINTED));
        };
        for (key, value) in fields {
            let spot = &spot.field(key);
            match key.as_str() {
                "cluster" => {
                    let cluster: printed::Cluster = spot.record(value)?;
                    self.found.arns.extend(cluster.arn.clone());
                    if self.found.cluster.as_ref().is_some_and(|known| known.name != cluster.name) {
                        return Err(spot.refuse("a second cluster", "give the documents of one cluster"));
                    }
                    self.found.cluster = Some(cluster);
                }
                "nodegroup" => self.node_group(spot, value)?,
                "nodegroups" => {
                    for (index, one) in list(spot, value)?.iter().enumerate() {
                        // `list-nodegroups` prints names under the same key; they add nothing.
                        if !one.is_string() {
                            self.node_group(&spot.at(index), one)?;
                        }
                    }
                }
                "AutoScalingGroups" => self.each(spot, value, Self::auto_scaling_group)?,
                "Subnets" => self.each(spot, value, Self::subnet)?,
                "LaunchTemplateVersions" => self.each(spot, value, Self::launch_template_version)?,
                "Reservations" => self.each(spot, value, Self::reservation)?,
                "LoadBalancers" => self.each(spot, value, Self::load_balancer)?,
                "Listeners" => self.each(spot, value, Self::listener)?,
                "TargetGroups" => self.each(spot, value, Self::target_group)?,
                "Attributes" => self.attributes(spot, fields, value)?,
                "TargetHealthDescriptions" => self.target_health(spot, fields, value)?,
                // Documents under a name, for files that hold everything in one object.
                "LoadBalancerAttributes"
                | "ListenerAttributes"
                | "TargetGroupAttributes"
                | "TargetHealth" => {
                    self.each(spot, value, Self::document)?;
                }
                // Tags say nothing that the Services do not.
                "LoadBalancerArn" | "ListenerArn" | "TargetGroupArn" | "TagDescriptions"
                | "ResponseMetadata" => {}
                "NextToken" | "nextToken" | "NextMarker" if value.is_null() => {}
                "NextToken" | "nextToken" | "NextMarker" => {
                    let document = spot.document;
                    self.found
                        .notes
                        .push(format!("AWS file: document {document} is one page of several: give all"));
                }
                _ => {
                    let document = spot.document;
                    self.found
                        .notes
                        .push(format!("AWS file: document {document}: {key:?} is not known and left out"));
                }
            }
        }
        Ok(())
    }

    fn each(
        &mut self,
        spot: &Spot<'a>,
        value: &Value,
        read: fn(&mut Self, &Spot<'a>, &Value) -> Result<(), ImportError>,
    ) -> Result<(), ImportError> {
        for (index, one) in list(spot, value)?.iter().enumerate() {
            read(self, &spot.at(index), one)?;
        }
        Ok(())
    }

    fn node_group(&mut self, spot: &Spot<'a>, value: &Value) -> Result<(), ImportError> {
        let record: printed::NodeGroup = spot.record(value)?;
        let scaling = record.scaling_config.as_ref();
        let (min, max, desired) = scaling.map_or((0, 0, 0), |s| (s.min_size, s.max_size, s.desired_size));
        let fields = ["minSize", "desiredSize", "maxSize"];
        spot.field("scalingConfig").bounds(fields, [min, desired, max])?;
        let mut taints = Vec::new();
        for (index, taint) in record.taints.into_iter().flatten().enumerate() {
            let spot = spot.field("taints").at(index).field("effect");
            let effect = match taint.effect.as_str() {
                "NO_SCHEDULE" => "NoSchedule",
                "NO_EXECUTE" => "NoExecute",
                "PREFER_NO_SCHEDULE" => "PreferNoSchedule",
                other => return Err(spot.refuse(format!("{other:?} is no effect"), AS_PRINTED)),
            };
            taints.push(Taint { key: taint.key, value: taint.value, effect });
        }
        self.found.arns.extend(record.nodegroup_arn);
        self.found.clusters_named.extend(record.cluster_name);
        let asg_name =
            record.resources.and_then(|resources| resources.auto_scaling_groups.into_iter().next());
        self.found.node_groups.push(NodeGroup {
            asg_name: asg_name.map(|named| named.name).unwrap_or_default(),
            min,
            max,
            desired,
            instance_types: record.instance_types.unwrap_or_default(),
            ami_type: record.ami_type.unwrap_or_default(),
            release_version: record.release_version.unwrap_or_default(),
            version: record.version.unwrap_or_default(),
            capacity_type: match record.capacity_type.as_deref() {
                None | Some("ON_DEMAND") => CapacityType::OnDemand,
                Some("SPOT") => CapacityType::Spot,
                Some("CAPACITY_BLOCK") => CapacityType::CapacityBlock,
                Some(other) => return Err(unknown(&spot.field("capacityType"), other)),
            },
            subnets: record.subnets.unwrap_or_default(),
            node_role: record.node_role.unwrap_or_default(),
            labels: record.labels.unwrap_or_default(),
            taints,
            launch_template: record.launch_template.map(|template| LaunchTemplate {
                id: template.id,
                name: template.name,
                version: template.version,
            }),
            disk_size_gib: match record.disk_size {
                // EBS volumes reach 64 TiB.
                Some(gib) => Some(spot.within("diskSize", gib, 1, 65_536)?),
                None => None,
            },
            status: match record.status.as_deref() {
                Some("CREATING") => NodeGroupStatus::Creating,
                None | Some("ACTIVE") => NodeGroupStatus::Active,
                Some("UPDATING") => NodeGroupStatus::Updating,
                Some("DELETING") => NodeGroupStatus::Deleting,
                Some("CREATE_FAILED") => NodeGroupStatus::CreateFailed,
                Some("DELETE_FAILED") => NodeGroupStatus::DeleteFailed,
                Some("DEGRADED") => NodeGroupStatus::Degraded,
                Some(other) => return Err(unknown(&spot.field("status"), other)),
            },
            repair_enabled: record.node_repair_config.is_some_and(|config| config.enabled),
            name: record.nodegroup_name,
        });
        Ok(())
    }

    fn auto_scaling_group(&mut self, spot: &Spot<'a>, value: &Value) -> Result<(), ImportError> {
        let record: printed::AutoScalingGroup = spot.record(value)?;
        // AWS itself keeps the desired size inside the bounds.
        let sizes = [record.min_size, record.desired_capacity, record.max_size];
        spot.bounds(["MinSize", "DesiredCapacity", "MaxSize"], sizes)?;
        let ids = record.vpc_zone_identifier.split(',').filter(|id| !id.is_empty());
        self.found.auto_scaling_groups.push(AutoScalingGroup {
            name: record.auto_scaling_group_name,
            min: record.min_size,
            max: record.max_size,
            desired: record.desired_capacity,
            zones: record.availability_zones,
            subnets: ids.map(str::to_owned).collect(),
            suspended_processes: record.suspended_processes.into_iter().map(|one| one.process_name).collect(),
            instances: record
                .instances
                .into_iter()
                .map(|instance| AsgInstance {
                    id: instance.instance_id,
                    zone: instance.availability_zone,
                    lifecycle_state: instance.lifecycle_state,
                    protected: instance.protected_from_scale_in,
                })
                .collect(),
        });
        Ok(())
    }

    fn subnet(&mut self, spot: &Spot<'a>, value: &Value) -> Result<(), ImportError> {
        let record: printed::Subnet = spot.record(value)?;
        // A subnet is a /16 at most.
        let available =
            spot.within("AvailableIpAddressCount", record.available_ip_address_count, 0, 65_536)?;
        self.found.subnets.push(Subnet {
            id: record.subnet_id,
            zone: record.availability_zone,
            available_addresses: available,
        });
        Ok(())
    }

    fn launch_template_version(&mut self, spot: &Spot<'a>, value: &Value) -> Result<(), ImportError> {
        let record: printed::LaunchTemplateVersion = spot.record(value)?;
        let (image, instance_type) =
            record.launch_template_data.map_or((None, None), |data| (data.image_id, data.instance_type));
        self.found.launch_templates.push(LaunchTemplateVersion {
            id: record.launch_template_id,
            name: record.launch_template_name,
            version: record.version_number,
            default: record.default_version,
            image,
            instance_type,
        });
        Ok(())
    }

    fn reservation(&mut self, spot: &Spot<'a>, value: &Value) -> Result<(), ImportError> {
        let record: printed::Reservation = spot.record(value)?;
        self.found.instances.extend(record.instances.into_iter().map(|instance| Instance {
            id: instance.instance_id,
            node: None,
            zone: instance.placement.map(|placement| placement.availability_zone).unwrap_or_default(),
            instance_type: instance.instance_type,
            private_address: instance.private_ip_address,
            state: instance.state.map_or_else(|| "running".to_owned(), |state| state.name),
        }));
        Ok(())
    }

    fn load_balancer(&mut self, spot: &Spot<'a>, value: &Value) -> Result<(), ImportError> {
        let record: printed::LoadBalancer = spot.record(value)?;
        if record.kind == "gateway" {
            // Appliances in the path: nothing of the cluster.
            return Ok(());
        }
        self.found.arns.push(record.load_balancer_arn.clone());
        self.found.load_balancers.push(LoadBalancer {
            arn: record.load_balancer_arn,
            name: record.load_balancer_name,
            dns_name: record.dns_name,
            kind: match record.kind.as_str() {
                "network" => LoadBalancerKind::Network,
                "application" => LoadBalancerKind::Application,
                other => return Err(unknown(&spot.field("Type"), other)),
            },
            scheme: match record.scheme.as_deref() {
                None | Some("internet-facing") => Scheme::InternetFacing,
                Some("internal") => Scheme::Internal,
                Some(other) => return Err(unknown(&spot.field("Scheme"), other)),
            },
            zones: record.availability_zones.into_iter().map(|zone| zone.zone_name).collect(),
            cross_zone: false,
            listeners: Vec::new(),
            controller: None,
            service: None,
        });
        Ok(())
    }

    fn listener(&mut self, spot: &Spot<'a>, value: &Value) -> Result<(), ImportError> {
        let record: printed::Listener = spot.record(value)?;
        let target_group = record.default_actions.into_iter().find_map(|action| {
            let weighted = action.forward_config.and_then(|config| config.target_groups.into_iter().next());
            action.target_group_arn.or(weighted.map(|target| target.target_group_arn))
        });
        let protocol = protocol(&spot.field("Protocol"), &record.protocol)?;
        let listener = Listener {
            arn: record.listener_arn,
            port: record.port,
            protocol,
            // Replaced when the listener is given to its load balancer.
            idle_timeout: Duration::ZERO,
            target_group,
        };
        self.found.listeners.push((record.load_balancer_arn, listener));
        Ok(())
    }

    fn target_group(&mut self, spot: &Spot<'a>, value: &Value) -> Result<(), ImportError> {
        let record: printed::TargetGroup = spot.record(value)?;
        let check_port = match record.health_check_port.as_str() {
            "traffic-port" => HealthCheckPort::Traffic,
            number => match number.parse() {
                Ok(port) => HealthCheckPort::Port(port),
                Err(_) => return Err(unknown(&spot.field("HealthCheckPort"), number)),
            },
        };
        let target_type = match record.target_type.as_str() {
            "instance" => TargetType::Instance,
            "ip" => TargetType::Ip,
            // Functions and other load balancers as targets: nothing of the cluster.
            "lambda" | "alb" => return Ok(()),
            other => return Err(unknown(&spot.field("TargetType"), other)),
        };
        let protocol_of_targets = protocol(&spot.field("Protocol"), &record.protocol)?;
        self.found.target_groups.push(TargetGroup {
            arn: record.target_group_arn,
            name: record.target_group_name,
            target_type,
            protocol: protocol_of_targets,
            port: record.port,
            health_check: HealthCheck {
                protocol: protocol(&spot.field("HealthCheckProtocol"), &record.health_check_protocol)?,
                port: check_port,
                path: record.health_check_path.unwrap_or_default(),
                interval: spot.seconds(
                    "HealthCheckIntervalSeconds",
                    record.health_check_interval_seconds,
                    5,
                    300,
                )?,
                timeout: spot.seconds(
                    "HealthCheckTimeoutSeconds",
                    record.health_check_timeout_seconds,
                    2,
                    120,
                )?,
                healthy_threshold: spot.within(
                    "HealthyThresholdCount",
                    record.healthy_threshold_count,
                    2,
                    10,
                )?,
                unhealthy_threshold: spot.within(
                    "UnhealthyThresholdCount",
                    record.unhealthy_threshold_count,
                    2,
                    10,
                )?,
            },
            // Replaced when the whole file is known.
            attributes: plain_attributes(target_type, protocol_of_targets),
            service: None,
            node_labels: BTreeMap::new(),
            targets: Vec::new(),
            drift: None,
        });
        Ok(())
    }

    fn attributes(
        &mut self,
        spot: &Spot<'a>,
        beside: &serde_json::Map<String, Value>,
        value: &Value,
    ) -> Result<(), ImportError> {
        let records: Vec<printed::Attribute> = spot.record(value)?;
        let attributes: BTreeMap<String, String> =
            records.into_iter().map(|attribute| (attribute.key, attribute.value)).collect();
        for owner in [Owner::TargetGroup, Owner::Listener, Owner::LoadBalancer] {
            if let Some(arn) = beside.get(owner.key()) {
                let arn: String = spot.record(arn)?;
                self.found.attributes.entry(arn).or_default().extend(attributes);
                return Ok(());
            }
        }
        let owner = if attributes.contains_key("deregistration_delay.timeout_seconds") {
            Owner::TargetGroup
        } else if attributes.contains_key("deletion_protection.enabled") {
            Owner::LoadBalancer
        } else if attributes.contains_key("tcp.idle_timeout.seconds") {
            Owner::Listener
        } else {
            return Err(spot.refuse("it cannot be told whose attributes these are", NAME_THE_OWNER));
        };
        self.waiting.push((spot.clone(), Waiting::Attributes(owner, attributes)));
        Ok(())
    }

    fn target_health(
        &mut self,
        spot: &Spot<'a>,
        beside: &serde_json::Map<String, Value>,
        value: &Value,
    ) -> Result<(), ImportError> {
        let records: Vec<printed::TargetHealthDescription> = spot.record(value)?;
        let targets = records
            .into_iter()
            .map(|record| {
                let (state, reason) = record
                    .target_health
                    .map_or_else(Default::default, |health| (health.state, health.reason));
                Target { id: record.target.id, port: record.target.port.unwrap_or(0), state, reason }
            })
            .collect();
        let group = match beside.get(Owner::TargetGroup.key()) {
            Some(arn) => Some(spot.record(arn)?),
            None => None,
        };
        self.waiting.push((spot.clone(), Waiting::Targets { group, targets }));
        Ok(())
    }

    /// Gives attributes and targets to the one resource that they can belong to.
    fn assign_waiting(&mut self) -> Result<(), ImportError> {
        for (spot, waiting) in std::mem::take(&mut self.waiting) {
            match waiting {
                Waiting::Attributes(owner, attributes) => {
                    let arn = self.only(owner, &spot)?;
                    self.found.attributes.entry(arn).or_default().extend(attributes);
                }
                Waiting::Targets { group, targets } => {
                    let arn = match group {
                        Some(arn) => arn,
                        None => self.only(Owner::TargetGroup, &spot)?,
                    };
                    let Some(index) = self.found.target_groups.iter().position(|group| group.arn == arn)
                    else {
                        return Err(spot.refuse(format!("target group {arn} is not described"), DESCRIBE_IT));
                    };
                    let group = &mut self.found.target_groups[index];
                    let port = group.port;
                    group.targets = targets
                        .into_iter()
                        .map(|target| Target {
                            port: if target.port == 0 { port } else { target.port },
                            ..target
                        })
                        .collect();
                }
            }
        }
        Ok(())
    }

    /// The only resource of its sort.
    fn only(&self, owner: Owner, spot: &Spot<'a>) -> Result<String, ImportError> {
        let mut arns: Vec<&String> = match owner {
            Owner::LoadBalancer => self.found.load_balancers.iter().map(|one| &one.arn).collect(),
            Owner::Listener => self.found.listeners.iter().map(|(_, one)| &one.arn).collect(),
            Owner::TargetGroup => self.found.target_groups.iter().map(|one| &one.arn).collect(),
        };
        match (arns.pop(), arns.len()) {
            (Some(arn), 0) => Ok(arn.clone()),
            (None, _) => Err(spot.refuse("nothing in the file has these", DESCRIBE_IT)),
            (Some(_), others) => {
                let what = format!("it cannot be told which of {} has these", others + 1);
                Err(spot.refuse(what, NAME_THE_OWNER))
            }
        }
    }

    fn check_unique(&self) -> Result<(), ImportError> {
        let found = &self.found;
        let names = [
            ("node group", found.node_groups.iter().map(|one| &one.name).collect::<Vec<_>>()),
            ("Auto Scaling group", found.auto_scaling_groups.iter().map(|one| &one.name).collect()),
            ("subnet", found.subnets.iter().map(|one| &one.id).collect()),
            ("instance", found.instances.iter().map(|one| &one.id).collect()),
            ("load balancer", found.load_balancers.iter().map(|one| &one.arn).collect()),
            ("listener", found.listeners.iter().map(|(_, one)| &one.arn).collect()),
            ("target group", found.target_groups.iter().map(|one| &one.arn).collect()),
        ];
        for (sort, mut names) in names {
            names.sort();
            if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(
                    self.refuse(format!("{sort} {} for the second time", pair[0]), "keep one of the two")
                );
            }
        }
        Ok(())
    }

    /// Reads every attribute once, so that a bad value is reported even where it would not be used.
    fn check_attributes(&self) -> Result<(), ImportError> {
        for (arn, attributes) in &self.found.attributes {
            let mut scratch = plain_attributes(TargetType::Instance, Protocol::Tcp);
            apply_attributes(&mut scratch, attributes)
                .and_then(|()| idle_timeout(attributes).map(drop))
                .map_err(|what| self.found.bad_attribute(arn, &what))?;
        }
        Ok(())
    }

    fn refuse(&self, what: String, mend: &'static str) -> ImportError {
        Spot { name: self.name, document: 0, path: String::new() }.refuse(what, mend)
    }
}

const NAME_THE_OWNER: &str = "add its \"TargetGroupArn\", \"ListenerArn\" or \"LoadBalancerArn\" beside \"Attributes\" or \"TargetHealthDescriptions\"";
const DESCRIBE_IT: &str = "add the output of the describe command that lists it";

fn list<'v>(spot: &Spot<'_>, value: &'v Value) -> Result<&'v [Value], ImportError> {
    match value {
        Value::Array(list) => Ok(list),
        _ => Err(spot.refuse("not a list", AS_PRINTED)),
    }
}

fn unknown(spot: &Spot<'_>, word: &str) -> ImportError {
    spot.refuse(format!("{word:?} is none of the words that AWS uses here"), AS_PRINTED)
}

fn protocol(spot: &Spot<'_>, word: &str) -> Result<Protocol, ImportError> {
    protocol_named(word).ok_or_else(|| unknown(spot, word))
}

/// The protocol of that name, in any case: annotations are written by hand.
pub(super) fn protocol_named(word: &str) -> Option<Protocol> {
    Some(match word.to_ascii_uppercase().as_str() {
        "TCP" => Protocol::Tcp,
        "UDP" => Protocol::Udp,
        "TCP_UDP" => Protocol::TcpUdp,
        "TLS" | "SSL" => Protocol::Tls,
        "HTTP" => Protocol::Http,
        "HTTPS" => Protocol::Https,
        "QUIC" | "TCP_QUIC" => Protocol::Quic,
        _ => return None,
    })
}
