//! From API objects to the states that the world keeps, for imported objects and for those that clients write.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::{
    api::{
        apps::v1 as apps, autoscaling::v2 as autoscaling, batch::v1 as batch, core::v1 as core,
        policy::v1 as policy,
    },
    apimachinery::pkg::{apis::meta::v1 as meta, util::intstr::IntOrString},
};

use super::{
    Time, World,
    endpoints::ServiceState,
    ids::{AutoscalerId, BudgetId, DaemonSetId, DeploymentId, JobId, ReplicaSetId, ServiceId, StatefulSetId},
    objects::{
        DaemonSet, Deployment, DisruptionBudget, HorizontalPodAutoscaler, Job, Meta, ReplicaSet, Service,
        StatefulSet, StringMap, WorkloadStatus,
    },
};
use crate::{
    controllers::horizontal_pod_autoscaler::{self as hpa, Behavior},
    selector::{LabelSelector, SelectorError},
};

impl World {
    pub(super) fn service_state(meta: Meta, service: &core::Service) -> Service {
        let spec = service.spec.clone().unwrap_or_default();

        Service {
            load_balancer: spec.type_.as_deref() == Some("LoadBalancer"),
            load_balancer_class: spec.load_balancer_class.as_deref().map(Arc::from),
            local: spec.external_traffic_policy.as_deref() == Some("Local"),
            selector: map(spec.selector.as_ref()),
            publish_not_ready: spec.publish_not_ready_addresses.unwrap_or(false),
            hostname: service
                .status
                .as_ref()
                .and_then(|status| status.load_balancer.as_ref())
                .and_then(|balancer| balancer.ingress.as_ref())
                .and_then(|ingress| ingress.first())
                .and_then(|ingress| ingress.hostname.as_deref())
                .map(Arc::from),
            ports: Arc::new(
                spec.ports.iter().flatten().filter_map(|port| u16::try_from(port.port).ok()).collect(),
            ),
            headless: spec.cluster_ip.as_deref().is_none_or(|ip| ip.is_empty() || ip == "None"),
            meta,
        }
    }

    pub(super) fn add_service(&mut self, meta: Meta, service: &core::Service) -> ServiceId {
        let state = Self::service_state(meta, service);
        let (namespace, name) = (state.meta.namespace.clone(), state.meta.name.clone());
        let selector = state.selector.clone();
        let dns = &*namespace == "kube-system"
            && (state.meta.labels.get("k8s-app").map(String::as_str) == Some("kube-dns")
                || &*name == "kube-dns");
        let id = self.services.insert(&namespace, &name, state);
        if dns {
            self.dns = Some(id);
        }
        self.service_states.push(ServiceState::default());
        self.label_sets.add_service(id, namespace, selector);
        id
    }

    pub(super) fn budget_state(
        meta: Meta,
        budget: &policy::PodDisruptionBudget,
    ) -> Result<DisruptionBudget, SelectorError> {
        let spec = budget.spec.clone().unwrap_or_default();
        let status = budget.status.clone().unwrap_or_default();
        // One that is absent selects nothing, an empty one everything. Source: Kubernetes API, `PodDisruptionBudgetSpec`.
        let selector = spec.selector.unwrap_or_else(nothing);
        LabelSelector::compile(Some(&selector))?;

        Ok(DisruptionBudget {
            selector: Arc::new(selector),
            min_available: spec.min_available.as_ref().map(text),
            max_unavailable: spec.max_unavailable.as_ref().map(text),
            always_allow: spec.unhealthy_pod_eviction_policy.as_deref() == Some("AlwaysAllow"),
            observed_generation: meta.generation,
            allowed: status.disruptions_allowed.unwrap_or(0),
            current_healthy: status.current_healthy.unwrap_or(0),
            desired_healthy: status.desired_healthy.unwrap_or(0),
            expected: status.expected_pods.unwrap_or(0),
            disrupted: Arc::default(),
            meta,
        })
    }

    pub(super) fn add_budget(
        &mut self,
        meta: Meta,
        budget: &policy::PodDisruptionBudget,
    ) -> Result<BudgetId, SelectorError> {
        let state = Self::budget_state(meta, budget)?;
        let compiled = LabelSelector::compile(Some(&state.selector))?;
        let (namespace, name) = (state.meta.namespace.clone(), state.meta.name.clone());
        let id = self.budgets.insert(&namespace, &name, state);
        self.label_sets.add_budget(id, namespace, compiled);
        Ok(id)
    }

    pub(super) fn deployment_state(
        &mut self,
        meta: Meta,
        from: &apps::Deployment,
    ) -> Result<Deployment, SelectorError> {
        let spec = from.spec.clone().unwrap_or_default();
        let status = from.status.clone().unwrap_or_default();
        let template = spec.template;
        let strategy = spec.strategy.unwrap_or_default();
        let rolling = strategy.rolling_update.unwrap_or_default();

        Ok(Deployment {
            replicas: count(spec.replicas, 1),
            selector: Arc::new(spec.selector),
            spec: self.add_spec(&meta.namespace, template.spec.unwrap_or_default())?,
            template_labels: map(template.metadata.and_then(|meta| meta.labels).as_ref()),
            max_surge: rolling.max_surge.as_ref().map_or("25%".into(), text),
            max_unavailable: rolling.max_unavailable.as_ref().map_or("25%".into(), text),
            recreate: strategy.type_.as_deref() == Some("Recreate"),
            paused: spec.paused.unwrap_or(false),
            status: WorkloadStatus {
                observed_generation: status.observed_generation.unwrap_or(meta.generation),
                replicas: count(status.replicas, 0),
                ready: count(status.ready_replicas, 0),
                available: count(status.available_replicas, 0),
                updated: count(status.updated_replicas, 0),
            },
            meta,
        })
    }

    pub(super) fn add_deployment(
        &mut self,
        meta: Meta,
        from: &apps::Deployment,
    ) -> Result<DeploymentId, SelectorError> {
        let state = self.deployment_state(meta, from)?;
        let (namespace, name) = (state.meta.namespace.clone(), state.meta.name.clone());
        let id = self.deployments.insert(&namespace, &name, state);
        if name.contains("cluster-autoscaler") {
            self.autoscaler.deployment = Some(id);
        }
        if name.contains("aws-load-balancer-controller") {
            self.load_balancer_leader.deployment = Some(id);
        }
        Ok(id)
    }

    pub(super) fn replica_set_state(
        &mut self,
        meta: Meta,
        from: &apps::ReplicaSet,
    ) -> Result<ReplicaSet, SelectorError> {
        let spec = from.spec.clone().unwrap_or_default();
        let status = from.status.clone().unwrap_or_default();
        let template = spec.template.unwrap_or_default();

        Ok(ReplicaSet {
            deployment: None,
            replicas: count(spec.replicas, 1),
            spec: self.add_spec(&meta.namespace, template.spec.unwrap_or_default())?,
            template_labels: map(template.metadata.and_then(|meta| meta.labels).as_ref()),
            template_annotations: None,
            min_ready: Time::from(spec.min_ready_seconds.unwrap_or(0).max(0).unsigned_abs()) * 1_000,
            status: WorkloadStatus {
                observed_generation: status.observed_generation.unwrap_or(meta.generation),
                replicas: count(Some(status.replicas), 0),
                ready: count(status.ready_replicas, 0),
                available: count(status.available_replicas, 0),
                updated: count(Some(status.replicas), 0),
            },
            meta,
        })
    }

    pub(super) fn add_replica_set(
        &mut self,
        meta: Meta,
        from: &apps::ReplicaSet,
    ) -> Result<ReplicaSetId, SelectorError> {
        let state = self.replica_set_state(meta, from)?;
        let (namespace, name) = (state.meta.namespace.clone(), state.meta.name.clone());
        let id = self.replica_sets.insert(&namespace, &name, state);
        Ok(id)
    }

    pub(super) fn stateful_set_state(
        &mut self,
        meta: Meta,
        from: &apps::StatefulSet,
    ) -> Result<StatefulSet, SelectorError> {
        let spec = from.spec.clone().unwrap_or_default();
        let status = from.status.clone().unwrap_or_default();
        let template = spec.template;

        Ok(StatefulSet {
            replicas: count(spec.replicas, 1),
            spec: self.add_spec(&meta.namespace, template.spec.unwrap_or_default())?,
            template_labels: map(template.metadata.and_then(|meta| meta.labels).as_ref()),
            parallel: spec.pod_management_policy.as_deref() == Some("Parallel"),
            volume_claims: Arc::new(
                spec.volume_claim_templates
                    .iter()
                    .flatten()
                    .filter_map(|claim| claim.metadata.name.clone())
                    .collect(),
            ),
            status: WorkloadStatus {
                observed_generation: status.observed_generation.unwrap_or(meta.generation),
                replicas: count(Some(status.replicas), 0),
                ready: count(status.ready_replicas, 0),
                available: count(status.available_replicas, 0),
                updated: count(status.updated_replicas, 0),
            },
            meta,
        })
    }

    pub(super) fn add_stateful_set(
        &mut self,
        meta: Meta,
        from: &apps::StatefulSet,
    ) -> Result<StatefulSetId, SelectorError> {
        let state = self.stateful_set_state(meta, from)?;
        let (namespace, name) = (state.meta.namespace.clone(), state.meta.name.clone());
        let id = self.stateful_sets.insert(&namespace, &name, state);
        Ok(id)
    }

    pub(super) fn daemon_set_state(
        &mut self,
        meta: Meta,
        from: &apps::DaemonSet,
    ) -> Result<DaemonSet, SelectorError> {
        let spec = from.spec.clone().unwrap_or_default();
        let template = spec.template;

        Ok(DaemonSet {
            spec: self.add_spec(&meta.namespace, template.spec.unwrap_or_default())?,
            template_labels: map(template.metadata.and_then(|meta| meta.labels).as_ref()),
            ready: count(from.status.as_ref().map(|status| status.number_ready), 0),
            meta,
        })
    }

    pub(super) fn add_daemon_set(
        &mut self,
        meta: Meta,
        from: &apps::DaemonSet,
    ) -> Result<DaemonSetId, SelectorError> {
        let state = self.daemon_set_state(meta, from)?;
        let (namespace, name) = (state.meta.namespace.clone(), state.meta.name.clone());
        let id = self.daemon_sets.insert(&namespace, &name, state);
        if &*name == "kube-proxy" {
            self.proxy_pods = Some(id);
        }
        Ok(id)
    }

    pub(super) fn job_state(&mut self, meta: Meta, from: &batch::Job) -> Result<Job, SelectorError> {
        let spec = from.spec.clone().unwrap_or_default();
        let status = from.status.clone().unwrap_or_default();
        let template = spec.template;

        Ok(Job {
            spec: self.add_spec(&meta.namespace, template.spec.unwrap_or_default())?,
            template_labels: map(template.metadata.and_then(|meta| meta.labels).as_ref()),
            parallelism: count(spec.parallelism, 1),
            completions: count(spec.completions, 1),
            backoff_limit: count(spec.backoff_limit, 6),
            succeeded: count(status.succeeded, 0),
            failed: count(status.failed, 0),
            meta,
        })
    }

    pub(super) fn add_job(&mut self, meta: Meta, from: &batch::Job) -> Result<JobId, SelectorError> {
        let state = self.job_state(meta, from)?;
        let (namespace, name) = (state.meta.namespace.clone(), state.meta.name.clone());
        let id = self.jobs.insert(&namespace, &name, state);
        Ok(id)
    }

    pub(super) fn autoscaler_state(
        meta: Meta,
        from: &autoscaling::HorizontalPodAutoscaler,
    ) -> HorizontalPodAutoscaler {
        let spec = from.spec.clone();

        HorizontalPodAutoscaler {
            target: (spec.scale_target_ref.kind.as_str().into(), spec.scale_target_ref.name.as_str().into()),
            min: count(spec.min_replicas, 1),
            max: count(Some(spec.max_replicas), 1),
            load: load(from),
            behavior: spec.behavior.as_ref().map(|behavior| Arc::new(behaviour(behavior))),
            meta,
        }
    }

    pub(super) fn add_autoscaler(
        &mut self,
        meta: Meta,
        from: &autoscaling::HorizontalPodAutoscaler,
    ) -> AutoscalerId {
        let state = Self::autoscaler_state(meta, from);
        let (namespace, name) = (state.meta.namespace.clone(), state.meta.name.clone());
        let (kind, target) = state.target.clone();
        let id = self.autoscalers.insert(&namespace, &name, state);
        self.add_scale_target(namespace, kind, target, id);
        id
    }
}

pub(super) fn map(from: Option<&BTreeMap<String, String>>) -> StringMap {
    Arc::new(from.cloned().unwrap_or_default())
}

pub(super) fn text(value: &IntOrString) -> Arc<str> {
    match value {
        IntOrString::Int(number) => number.to_string().into(),
        IntOrString::String(text) => text.as_str().into(),
    }
}

pub(super) fn count(value: Option<i32>, default: u32) -> u32 {
    value.map_or(default, |value| u32::try_from(value).unwrap_or(0))
}

/// The load that the metrics showed at export, in percent of a request times replicas, if metrics worked.
fn load(from: &autoscaling::HorizontalPodAutoscaler) -> Option<(u64, u64)> {
    let status = from.status.as_ref()?;
    let active = status
        .conditions
        .iter()
        .flatten()
        .any(|condition| condition.type_ == "ScalingActive" && condition.status == "True");
    if !active {
        return None;
    }
    let target = from
        .spec
        .metrics
        .iter()
        .flatten()
        .find_map(|metric| metric.resource.as_ref()?.target.average_utilization)?;
    let use_now = status
        .current_metrics
        .iter()
        .flatten()
        .find_map(|metric| metric.resource.as_ref()?.current.average_utilization)?;
    let replicas = count(status.current_replicas, 0);
    let target = u64::try_from(target).ok().filter(|&target| target > 0)?;
    Some((u64::try_from(use_now).ok()? * u64::from(replicas), target))
}

fn behaviour(from: &autoscaling::HorizontalPodAutoscalerBehavior) -> Behavior {
    let rules = |rules: Option<&autoscaling::HPAScalingRules>, default: hpa::Rules| {
        let Some(rules) = rules else { return default };
        hpa::Rules {
            window_ms: rules
                .stabilization_window_seconds
                .map_or(default.window_ms, |seconds| i64::from(seconds) * 1_000),
            select: match rules.select_policy.as_deref() {
                Some("Disabled") => hpa::Select::Disabled,
                Some("Min") => hpa::Select::Min,
                _ => hpa::Select::Max,
            },
            policies: rules.policies.as_ref().map_or(default.policies, |policies| {
                policies
                    .iter()
                    .map(|policy| hpa::Policy {
                        change: match policy.type_.as_str() {
                            "Percent" => hpa::Change::Percent(policy.value),
                            _ => hpa::Change::Pods(policy.value),
                        },
                        period_ms: i64::from(policy.period_seconds) * 1_000,
                    })
                    .collect()
            }),
            tolerance_per_mille: default.tolerance_per_mille,
        }
    };
    Behavior {
        up: rules(from.scale_up.as_ref(), hpa::Rules::up()),
        down: rules(from.scale_down.as_ref(), hpa::Rules::down()),
    }
}

/// A selector that selects nothing: no label is there and not there.
fn nothing() -> meta::LabelSelector {
    let rule = |operator: &str| meta::LabelSelectorRequirement {
        key: "nothing".to_owned(),
        operator: operator.to_owned(),
        values: None,
    };
    meta::LabelSelector {
        match_labels: None,
        match_expressions: Some(vec![rule("Exists"), rule("DoesNotExist")]),
    }
}
