//! Nodes in the API's form.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::put_condition;
use crate::world::{
    Instant, World,
    ids::NodeId,
    objects::{Body, ReadyCondition},
    render::{at, put},
};

impl World {
    pub(super) fn node_document(&self, id: NodeId) -> Value {
        let node = self.nodes.last(id);
        let mut value = self.body(&node.meta, "v1", "Node", false);
        let spec = at(&mut value, "spec");
        put(spec, "providerID", node.provider_id.as_ref().map(|id| json!(id)));
        put(spec, "taints", (!node.taints.is_empty()).then(|| json!(*node.taints)));
        put(spec, "unschedulable", node.unschedulable.then_some(json!(true)));
        let made = matches!(node.meta.body, Body::Made) || value.pointer("/status/nodeInfo").is_none();
        if made && node.instance.is_some() {
            self.put_made_status(&mut value, id);
        }
        let (ready, reason, message) = match node.ready {
            ReadyCondition::True => ("True", "KubeletReady", "kubelet is posting ready status"),
            ReadyCondition::False => ("False", "KubeletNotReady", "container runtime network not ready"),
            ReadyCondition::Unknown => {
                ("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
            }
        };
        let now = self.timestamp(self.now as Instant);
        let status = at(&mut value, "status");
        if status.get("conditions").is_some() || node.instance.is_some() {
            put_condition(status, "Ready", ready, Some(reason), message, &now);
        }
        value
    }

    /// What a kubelet that joined during the run reports of its machine.
    fn put_made_status(&self, value: &mut Value, id: NodeId) {
        let node = self.nodes.last(id);
        let cpu = format!("{}m", node.cpu_milli);
        let memory = format!("{}Ki", node.memory >> 10);
        let ip = Ipv4Addr::from(self.node_states[id.index()].ip).to_string();
        let resources = json!({"cpu": cpu, "memory": memory, "pods": node.pods.to_string(),
            "ephemeral-storage": "18242267924"});
        let mut capacity = resources.clone();
        capacity["cpu"] = json!(((node.cpu_milli + 999) / 1_000).to_string());
        let version = node.kubelet_version.as_ref();
        let status = at(value, "status");
        put(status, "capacity", Some(capacity));
        put(status, "allocatable", Some(resources));
        let addresses = json!([
            {"type": "InternalIP", "address": ip}, {"type": "InternalDNS", "address": node.meta.name},
            {"type": "Hostname", "address": node.meta.name},
        ]);
        put(status, "addresses", Some(addresses));
        put(status, "daemonEndpoints", Some(json!({"kubeletEndpoint": {"Port": 10250}})));
        let info = json!({
            "machineID": node.meta.uid, "systemUUID": node.meta.uid, "bootID": node.meta.uid,
            "kernelVersion": "6.12.40-64.114.amzn2023.x86_64",
            "osImage": "Amazon Linux 2023.8.20250818", "containerRuntimeVersion": "containerd://2.1.4",
            "kubeletVersion": version, "kubeProxyVersion": "", "operatingSystem": "linux",
            "architecture": "amd64",
        });
        put(status, "nodeInfo", Some(info));
        let since = self.timestamp(node.meta.created_at);
        for (name, reason, message) in [
            ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
            ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ] {
            put_condition(status, name, "False", Some(reason), message, &since);
        }
    }
}
