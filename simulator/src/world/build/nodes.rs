//! Nodes, their instances, and which group they belong to.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::api::core::v1 as core;

use super::{
    super::{
        cloud::{Instance, InstanceState},
        endpoints::Proxy,
        ids::{GroupId, InstanceId},
        log::START,
        nodes::NodeState,
        objects::{Node, ReadyCondition},
        spec::{bytes, cpu_milli},
    },
    Builder,
};
use crate::import::{Object, aws::assumed_instance};

impl Builder {
    pub(super) fn node(&mut self, object: &Object, node: &core::Node) {
        let meta = self.meta(&node.metadata, object);
        let spec = node.spec.clone().unwrap_or_default();
        let status = node.status.as_ref();
        let allocatable = |name: &str| {
            status
                .and_then(|status| status.allocatable.as_ref().or(status.capacity.as_ref()))
                .and_then(|resources| resources.get(name))
        };
        let zone_name = zone_of(node.metadata.labels.as_ref());
        let zone = self.zone(&zone_name);
        let ready = status
            .and_then(|status| status.conditions.as_ref())
            .and_then(|conditions| conditions.iter().find(|condition| condition.type_ == "Ready"))
            .map_or(ReadyCondition::Unknown, |condition| match condition.status.as_str() {
                "True" => ReadyCondition::True,
                "False" => ReadyCondition::False,
                _ => ReadyCondition::Unknown,
            });
        let ip = status
            .and_then(|status| status.addresses.as_ref())
            .and_then(|addresses| addresses.iter().find(|address| address.type_ == "InternalIP"))
            .and_then(|address| address.address.parse::<std::net::Ipv4Addr>().ok())
            .map_or(0, u32::from);
        let kubelet_version: Arc<str> = status
            .and_then(|status| status.node_info.as_ref())
            .map_or("", |info| info.kubelet_version.as_str())
            .into();
        if !kubelet_version.is_empty() {
            self.world.kubelet_version = kubelet_version.clone();
        }
        let group_name: Option<Arc<str>> =
            meta.labels.get("eks.amazonaws.com/nodegroup").map(|name| name.as_str().into());
        let provider_id = spec.provider_id.or_else(|| {
            let assumed = group_name.is_some().then(|| assumed_instance(&meta.name))?;
            Some(format!("aws:///{zone_name}/{assumed}"))
        });
        let provider_id: Option<Arc<str>> = provider_id.map(Arc::from);
        let instance_name = provider_id
            .as_deref()
            .filter(|id| id.starts_with("aws:///"))
            .and_then(|id| id.rsplit('/').next())
            .filter(|id| id.starts_with("i-"))
            .map(Arc::<str>::from);
        let instance_type: Arc<str> =
            meta.labels.get("node.kubernetes.io/instance-type").map_or("", String::as_str).into();
        let state = Node {
            instance: instance_name.as_ref().map(|_| InstanceId::from(self.world.instances.len())),
            provider_id,
            taints: Arc::new(taints_kept_by_the_controller(spec.taints.unwrap_or_default(), ready)),
            unschedulable: spec.unschedulable.unwrap_or(false),
            ready,
            zone: zone_name,
            node_group: group_name.clone(),
            cpu_milli: allocatable("cpu").and_then(|quantity| cpu_milli(&quantity.0)).unwrap_or(0),
            memory: allocatable("memory").and_then(|quantity| bytes(&quantity.0)).unwrap_or(0),
            pods: allocatable("pods").and_then(|quantity| bytes(&quantity.0)).unwrap_or(110),
            kubelet_version,
            meta,
        };
        let name = state.meta.name.clone();
        let id = self.world.nodes.insert(&"".into(), &name, state);
        let mut node_state = NodeState::new(zone, ip);
        node_state.proxy = Proxy { since: Some(0), stopped_at: None };
        // Nothing has been heard of it for so long that its host must be taken to be gone.
        node_state.up = ready != ReadyCondition::Unknown;
        let group = group_name.and_then(|name| {
            self.world.groups.iter().position(|group| group.name == name).map(GroupId::from)
        });
        node_state.group = group;
        self.world.node_states.push(node_state);
        self.world.after_node_change(id, START);
        // Hosts that join later in this zone get addresses of their own.
        let hosts = &mut self.world.zone_hosts[zone.index()];
        *hosts = (*hosts).max(if ip & 0xffff_0000 == *hosts & 0xffff_0000 { ip } else { 0 });
        if let Some(instance) = instance_name {
            let instance_id = InstanceId::from(self.world.instances.len());
            self.world.instances.push(Instance {
                id: instance,
                zone,
                group,
                state: InstanceState::InService,
                node: Some(id),
                ip,
                instance_type,
                entry: START,
            });
            if let Some(group) = group {
                self.world.groups[group.index()].instances.push(instance_id);
            }
        }
    }
}

/// A node's taints with the one that the node lifecycle controller would have put on one that is not Ready.
fn taints_kept_by_the_controller(mut taints: Vec<core::Taint>, ready: ReadyCondition) -> Vec<core::Taint> {
    let key = match ready {
        ReadyCondition::True => return taints,
        ReadyCondition::False => "node.kubernetes.io/not-ready",
        ReadyCondition::Unknown => "node.kubernetes.io/unreachable",
    };
    if !taints.iter().any(|taint| taint.key == key && taint.effect == "NoSchedule") {
        let effect = "NoSchedule".to_owned();
        taints.push(core::Taint { key: key.to_owned(), effect, ..Default::default() });
    }
    taints
}

pub(super) fn zone_of(labels: Option<&BTreeMap<String, String>>) -> Arc<str> {
    labels
        .and_then(|labels| labels.get("topology.kubernetes.io/zone"))
        .map_or("us-east-1a", String::as_str)
        .into()
}
