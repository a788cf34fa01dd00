//! EndpointSlices in the API's form: what the EndpointSlice controller last wrote for each Service.

use std::{net::Ipv4Addr, sync::Arc};

use serde_json::{Value, json};

use super::{
    World,
    ids::{PodId, ServiceId},
    store::{Key, index_of},
};

const SERVICE_NAME: &str = "kubernetes.io/service-name";

impl World {
    /// Writes the slices of every Service.
    pub(super) fn sync_all_slices(&mut self) {
        let services: Vec<ServiceId> = self.services.iter().map(|(id, _)| id).collect();
        for service in services {
            self.sync_slice(service);
        }
    }

    /// Writes the slice of a Service: its imported one where there is one. A Service without selector has none of ours.
    pub(super) fn sync_slice(&mut self, service: ServiceId) {
        let Some(store) = self.store.as_deref() else { return };
        let resource = index_of(store, "endpointslices");
        let state = self.services.last(service);
        let (namespace, name) = (state.meta.namespace.clone(), state.meta.name.clone());
        let known: Vec<Key> = store
            .objects(resource)
            .iter()
            .filter(|((of, _), value)| {
                *of == namespace
                    && value.pointer("/metadata/labels").and_then(|labels| labels.get(SERVICE_NAME)?.as_str())
                        == Some(&*name)
            })
            .map(|(key, _)| key.clone())
            .collect();
        if !self.services.exists(service) {
            for key in known {
                self.remove_plain(resource, &key);
            }
            return;
        }
        if state.selector.is_empty() {
            return;
        }
        let mut rest = known.into_iter();
        let (mut value, before) = match rest.next().and_then(|key| store.get(resource, &key).cloned()) {
            Some(before) => ((*before).clone(), Some(before)),
            None => (self.new_slice(service), None),
        };
        value["ports"] = self.slice_ports(service);
        value["endpoints"] = self.slice_endpoints(service);
        if before.is_none_or(|before| *before != value) {
            self.put_plain(resource, value);
        }
        // One slice holds them all here.
        for key in rest {
            self.remove_plain(resource, &key);
        }
    }

    fn new_slice(&self, service: ServiceId) -> Value {
        let state = self.services.last(service);
        let mut labels = (*state.meta.labels).clone();
        labels.insert(SERVICE_NAME.into(), state.meta.name.to_string());
        labels.insert(
            "endpointslice.kubernetes.io/managed-by".into(),
            "endpointslice-controller.k8s.io".into(),
        );
        let words: Vec<u64> = state.meta.uid.bytes().map(u64::from).collect();
        let number = self.seed.hash(&words) % 100_000;
        json!({
            "addressType": "IPv4", "apiVersion": "discovery.k8s.io/v1", "endpoints": [],
            "kind": "EndpointSlice",
            "metadata": {
                "generateName": format!("{}-", state.meta.name), "labels": labels,
                "name": format!("{}-{number:05}", state.meta.name), "namespace": state.meta.namespace,
                "ownerReferences": [{"apiVersion": "v1", "blockOwnerDeletion": true, "controller": true,
                    "kind": "Service", "name": state.meta.name, "uid": state.meta.uid}],
            },
            "ports": [],
        })
    }

    fn slice_ports(&self, service: ServiceId) -> Value {
        let ports = self.body_value(&self.services.last(service).meta.body);
        let ports = ports.as_ref().and_then(|body| body.pointer("/spec/ports")).and_then(Value::as_array);
        ports
            .into_iter()
            .flatten()
            .map(|port| {
                let target = port.get("targetPort").filter(|target| target.is_number());
                json!({"name": port.get("name").cloned().unwrap_or_else(|| json!("")),
                    "port": target.or_else(|| port.get("port")), "protocol": port.get("protocol")})
            })
            .collect()
    }

    fn slice_endpoints(&self, service: ServiceId) -> Value {
        let Some(version) = self.service_states[service.index()].versions.last() else { return json!([]) };
        let of = |pod: PodId, ready: bool| {
            let state = self.pods.last(pod);
            let node = state.node.map(|node| self.nodes.last(node).clone());
            json!({
                "addresses": [Ipv4Addr::from(state.ip).to_string()],
                "conditions": {"ready": ready, "serving": true, "terminating": !ready},
                "nodeName": node.as_ref().map(|node| node.meta.name.clone()),
                "targetRef": {"kind": "Pod", "name": state.meta.name, "namespace": state.meta.namespace,
                    "uid": state.meta.uid},
                "zone": node.as_ref().map(|node| node.zone.clone()),
            })
        };
        let (ready, fallback): (Arc<_>, Arc<_>) = (version.ready.clone(), version.fallback.clone());
        let ready = ready.iter().map(|endpoint| of(endpoint.pod, true));
        ready.chain(fallback.iter().map(|endpoint| of(endpoint.pod, false))).collect()
    }
}
