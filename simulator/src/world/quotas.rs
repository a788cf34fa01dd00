//! ResourceQuotas: what a namespace may use together, asked for whenever a controller creates a pod.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Time, World,
    ids::{EntryId, SpecId},
    queue::Event,
    spec::{Spec, bytes, cpu_milli},
};
use crate::import::{Object, Typed};

/// When a controller tries again whose pod was refused. Its queue backs off from milliseconds to 1000 s; this is what it
/// has reached after a dozen refusals, and a change of its pods wakes it at once.
const RETRY: Time = 20_000;

/// A quota that counts every pod of its namespace.
#[derive(Debug, Clone)]
pub(super) struct Quota {
    namespace: Arc<str>,
    /// Limits by resource: pods, thousandths of a core, bytes.
    hard: BTreeMap<String, i64>,
}

impl Quota {
    /// `None` for one with scopes, which counts some pods only: those are not simulated.
    pub(super) fn new(object: &Object) -> Option<Quota> {
        let Typed::ResourceQuota(quota) = &object.typed else { return None };
        let spec = quota.spec.as_ref()?;
        if spec.scopes.is_some() || spec.scope_selector.is_some() {
            return None;
        }
        let hard = spec.hard.iter().flatten().filter_map(|(resource, quantity)| {
            let read = if resource.ends_with("cpu") { cpu_milli } else { bytes };
            Some((resource.clone(), read(&quantity.0)?))
        });
        Some(Quota { namespace: object.namespace().unwrap_or("").into(), hard: hard.collect() })
    }
}

/// What one pod takes of a resource of a quota. Source: `pkg/quota/v1/evaluator/core/pods.go`.
fn share(spec: &Spec, resource: &str) -> i64 {
    let limits = |name: &str, read: fn(&str) -> Option<i64>| {
        let containers = spec.kubernetes.containers.iter();
        let limits =
            containers.filter_map(|container| container.resources.as_ref()?.limits.as_ref()?.get(name));
        limits.filter_map(|quantity| read(&quantity.0)).sum()
    };
    match resource {
        "pods" | "count/pods" => 1,
        "cpu" | "requests.cpu" => spec.cpu_milli,
        "memory" | "requests.memory" => spec.memory,
        "limits.cpu" => limits("cpu", cpu_milli),
        "limits.memory" => limits("memory", bytes),
        _ => 0,
    }
}

impl World {
    /// Whether every quota of the namespace lets one more pod of this specification in. Pods that have ended do not
    /// count; those that are terminating do.
    ///
    /// A served world that is full of pods lets none in either.
    pub(super) fn quota_admits(&self, namespace: &str, spec: SpecId) -> bool {
        if self.pods_are_full() {
            return false;
        }
        let spec = &self.specs[spec.index()];
        self.enforced.iter().filter(|quota| *quota.namespace == *namespace).all(|quota| {
            quota.hard.iter().all(|(resource, &hard)| {
                let wanted = share(spec, resource);
                wanted == 0 || self.used(namespace, resource) + wanted <= hard
            })
        })
    }

    fn used(&self, namespace: &str, resource: &str) -> i64 {
        let pods = self.pods.iter().map(|(_, pod)| pod);
        let counted = pods.filter(|pod| *pod.meta.namespace == *namespace && !pod.finished());
        counted.map(|pod| share(&self.specs[pod.spec.index()], resource)).sum()
    }

    /// The controller whose pod was refused looks again later.
    pub(super) fn retry_refused(&mut self, event: Event, cause: EntryId) {
        self.queue.push(self.now + RETRY, event, cause);
    }
}
