//! Pods as clients ask for them beyond writing: evictions and bindings; and who selects which pods.

use crate::{
    controllers::disruption,
    selector::LabelSelector,
    world::{
        Time, World,
        ids::{BudgetId, EntryId, JobId, PodId, ServiceId},
        log::What,
        store::Key,
    },
};

use super::WriteError;

impl World {
    fn pod_named(&self, (namespace, name): &Key) -> Option<PodId> {
        self.pods.find(namespace, name)
    }

    /// What an eviction would be answered now.
    pub(crate) fn judge_eviction(&self, key: &Key) -> Option<disruption::Eviction> {
        self.eviction_of(self.pod_named(key)?)
    }

    /// Carries out an eviction that was judged to be allowed.
    pub(crate) fn carry_out_eviction(&mut self, key: &Key, grace: Option<Time>, entry: EntryId) {
        let Some(pod) = self.pod_named(key) else { return };
        let Some(disruption::Eviction::Allowed { consumes_budget }) = self.eviction_of(pod) else { return };
        self.evict_allowed(pod, consumes_budget, grace, Some(What::Evicted), entry);
    }

    /// Which budget stands in the way of an eviction, in the server's words.
    pub(crate) fn told_budget(&self, key: &Key) -> String {
        let budget = self.pod_named(key).and_then(|pod| self.budgets_of(pod).first().copied());
        let Some(budget) = budget.map(|id| self.budgets.last(id)) else { return String::new() };
        if budget.observed_generation < budget.meta.generation {
            return format!(
                "The disruption budget {} is still being processed by the server.",
                budget.meta.name
            );
        }
        format!(
            "The disruption budget {} needs {} healthy pods and has {} currently",
            budget.meta.name, budget.desired_healthy, budget.current_healthy
        )
    }

    /// Binds a pod to the node of a name; whether there is one.
    pub(crate) fn bind_by_name(&mut self, key: &Key, node: &str, entry: EntryId) -> bool {
        let (Some(pod), Some(node)) = (self.pod_named(key), self.nodes.find("", node)) else { return false };
        if self.pods.last(pod).node.is_some() {
            return false;
        }
        self.bind(pod, node, entry);
        true
    }

    /// Finds the pods that a Service selects, anew.
    pub(super) fn reselect_service(&mut self, id: ServiceId) {
        let state = self.services.last(id);
        let (namespace, selector) = (state.meta.namespace.clone(), state.selector.clone());
        self.label_sets.reselect_service(id, namespace, selector);
        let members = self
            .pods
            .iter()
            .filter(|(_, pod)| self.label_sets.services_of(pod.labels).contains(&id))
            .map(|(pod, _)| pod)
            .collect();
        self.service_states[id.index()].members = members;
    }

    /// Finds the pods that a budget selects, anew.
    pub(super) fn reselect_budget(&mut self, id: BudgetId) -> Result<(), WriteError> {
        let state = self.budgets.last(id);
        let selector = LabelSelector::compile(Some(&state.selector))?;
        let namespace = state.meta.namespace.clone();
        self.label_sets.reselect_budget(id, namespace, selector);
        Ok(())
    }

    /// The job controller looks at a Job that a client wrote.
    pub(super) fn mark_new_job(&mut self, id: JobId, entry: EntryId) {
        self.mark_job(id, entry);
    }
}
