//! Claims and the zones that their volumes bind them to.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::api::core::v1 as core;

use super::{super::World, Builder};
use crate::import::{Cluster, Object, Typed};

/// What the world knows of volumes.
#[derive(Debug, Clone, Default)]
pub(in crate::world) struct Volumes {
    pub(in crate::world) claims: BTreeMap<(Arc<str>, Arc<str>), Claim>,
}

/// A PersistentVolumeClaim, with what its volume says.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Only one node may mount it.
    pub single_node: bool,
    /// Zones that its volume's node affinity allows; empty where it says nothing.
    pub zones: Vec<Arc<str>>,
    /// The object.
    pub object: Arc<Object>,
}

impl World {
    /// PersistentVolumeClaims by namespace and name.
    pub fn claims(&self) -> impl Iterator<Item = (&(Arc<str>, Arc<str>), &Claim)> {
        self.volumes.claims.iter()
    }
}

impl Builder {
    pub(super) fn volumes(&mut self, cluster: &Cluster) {
        let zones_of = |claim: &core::PersistentVolumeClaim| -> Vec<Arc<str>> {
            let Some(volume) = claim.spec.as_ref().and_then(|spec| spec.volume_name.as_deref()) else {
                return Vec::new();
            };
            cluster
                .objects
                .iter()
                .filter_map(|object| match &object.typed {
                    Typed::PersistentVolume(found) if found.metadata.name.as_deref() == Some(volume) => {
                        Some(found)
                    }
                    _ => None,
                })
                .filter_map(|volume| volume.spec.as_ref()?.node_affinity.as_ref()?.required.as_ref())
                .flat_map(|selector| &selector.node_selector_terms)
                .flat_map(|term| term.match_expressions.iter().flatten())
                .filter(|expression| expression.key.ends_with("/zone"))
                .flat_map(|expression| expression.values.iter().flatten())
                .map(|zone| Arc::from(zone.as_str()))
                .collect()
        };
        for object in &cluster.objects {
            let Typed::PersistentVolumeClaim(claim) = &object.typed else { continue };
            let modes = claim.spec.as_ref().and_then(|spec| spec.access_modes.clone()).unwrap_or_default();
            let shared = modes.iter().any(|mode| mode == "ReadWriteMany" || mode == "ReadOnlyMany");
            let name = (object.namespace().unwrap_or("").into(), object.name().into());
            self.world.volumes.claims.insert(
                name,
                Claim { single_node: !shared, zones: zones_of(claim), object: Arc::new(object.clone()) },
            );
        }
    }
}
