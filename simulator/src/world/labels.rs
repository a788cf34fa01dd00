//! Label sets that pods share, and what selects them: matched once per set, not once per pod.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    World,
    ids::{BudgetId, LabelsId, PodId, ServiceId},
    objects::StringMap,
};
use crate::selector::LabelSelector;

#[derive(Debug, Clone)]
struct LabelSet {
    namespace: Arc<str>,
    labels: StringMap,
    services: Vec<ServiceId>,
    budgets: Vec<BudgetId>,
}

/// All label sets of pods.
#[derive(Debug, Clone, Default)]
pub(super) struct LabelSets {
    sets: Vec<LabelSet>,
    ids: BTreeMap<(Arc<str>, StringMap), LabelsId>,
    services: Vec<(ServiceId, Arc<str>, StringMap)>,
    budgets: Vec<(BudgetId, Arc<str>, LabelSelector)>,
}

impl LabelSets {
    /// A Service's selector; an empty one selects nothing.
    pub(super) fn add_service(&mut self, id: ServiceId, namespace: Arc<str>, selector: StringMap) {
        if !selector.is_empty() {
            self.services.push((id, namespace, selector));
        }
    }

    pub(super) fn add_budget(&mut self, id: BudgetId, namespace: Arc<str>, selector: LabelSelector) {
        self.budgets.push((id, namespace, selector));
    }

    /// A Service's selector is new or has changed: which sets it selects.
    pub(super) fn reselect_service(&mut self, id: ServiceId, namespace: Arc<str>, selector: StringMap) {
        self.forget_service(id);
        for set in &mut self.sets {
            let selects = set.namespace == namespace
                && !selector.is_empty()
                && selector.iter().all(|(key, value)| set.labels.get(key) == Some(value));
            if selects {
                set.services.push(id);
            }
        }
        self.add_service(id, namespace, selector);
    }

    /// A Service is gone.
    pub(super) fn forget_service(&mut self, id: ServiceId) {
        self.services.retain(|(other, ..)| *other != id);
        for set in &mut self.sets {
            set.services.retain(|&other| other != id);
        }
    }

    /// A budget's selector is new or has changed.
    pub(super) fn reselect_budget(&mut self, id: BudgetId, namespace: Arc<str>, selector: LabelSelector) {
        self.forget_budget(id);
        for set in &mut self.sets {
            if set.namespace == namespace && selector.matches(&set.labels) {
                set.budgets.push(id);
            }
        }
        self.add_budget(id, namespace, selector);
    }

    /// A budget is gone.
    pub(super) fn forget_budget(&mut self, id: BudgetId) {
        self.budgets.retain(|(other, ..)| *other != id);
        for set in &mut self.sets {
            set.budgets.retain(|&other| other != id);
        }
    }

    pub(super) fn intern(&mut self, namespace: &Arc<str>, labels: &StringMap) -> LabelsId {
        let key = (namespace.clone(), labels.clone());
        if let Some(&id) = self.ids.get(&key) {
            return id;
        }
        let id = LabelsId::from(self.sets.len());
        let services = self
            .services
            .iter()
            .filter(|(_, in_namespace, selector)| {
                in_namespace == namespace
                    && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
            })
            .map(|&(service, ..)| service)
            .collect();
        let budgets = self
            .budgets
            .iter()
            .filter(|(_, in_namespace, selector)| in_namespace == namespace && selector.matches(labels))
            .map(|&(budget, ..)| budget)
            .collect();
        self.sets.push(LabelSet { namespace: namespace.clone(), labels: labels.clone(), services, budgets });
        self.ids.insert(key, id);
        id
    }

    pub(super) fn services_of(&self, id: LabelsId) -> &[ServiceId] {
        &self.sets[id.index()].services
    }

    pub(super) fn budgets_of(&self, id: LabelsId) -> &[BudgetId] {
        &self.sets[id.index()].budgets
    }

    /// Per label set, whether a selector matches it in one of the namespaces (`None`: in any).
    pub(super) fn matching(&self, namespaces: Option<&[Arc<str>]>, selector: &LabelSelector) -> Vec<bool> {
        self.sets
            .iter()
            .map(|set| {
                namespaces.is_none_or(|names| names.contains(&set.namespace)) && selector.matches(&set.labels)
            })
            .collect()
    }
}

impl World {
    pub(super) fn budgets_of(&self, pod: PodId) -> Vec<BudgetId> {
        self.label_sets.budgets_of(self.pods.last(pod).labels).to_vec()
    }

    /// Services that select a pod.
    pub fn services_of(&self, pod: PodId) -> &[ServiceId] {
        self.label_sets.services_of(self.pods.last(pod).labels)
    }

    /// A pod's labels were written: other selectors may select it now.
    pub(super) fn relabel(&mut self, pod: PodId) {
        let meta = &self.pods.last(pod).meta;
        let (namespace, labels) = (meta.namespace.clone(), meta.labels.clone());
        let id = self.label_sets.intern(&namespace, &labels);
        if id == self.pods.last(pod).labels {
            return;
        }
        self.join_services(pod, false);
        self.pods.edit(pod).labels = id;
        self.join_services(pod, true);
    }

    /// Enters a pod into the member lists of the Services that select it, or takes it out.
    pub(super) fn join_services(&mut self, pod: PodId, joins: bool) {
        let labels = self.pods.last(pod).labels;
        for service in self.label_sets.services_of(labels).to_vec() {
            let members = &mut self.service_states[service.index()].members;
            if joins {
                members.push(pod);
            } else {
                members.retain(|&member| member != pod);
            }
        }
    }
}
