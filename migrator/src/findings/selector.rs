//! Kubernetes' matching rules, as far as findings need them: label selectors, node selectors and affinity, taints.
//! Rules that a finding cannot judge (`Gt`, `Lt` on labels that are not numbers) match nothing, as in Kubernetes.
//!
//! Sources: apimachinery `pkg/labels/selector.go`, component-helpers `scheduling/corev1/nodeaffinity`,
//! api `core/v1/toleration.go:ToleratesTaint`.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{NodeSelectorRequirement, NodeSelectorTerm, PodSpec, Taint, Toleration},
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};

type Labels = BTreeMap<String, String>;

/// Whether the selector selects these labels. An empty selector selects everything.
pub(super) fn selects(selector: &LabelSelector, labels: &Labels) -> bool {
    let exact = selector.match_labels.iter().flatten().all(|(key, value)| labels.get(key) == Some(value));
    exact
        && selector.match_expressions.iter().flatten().all(|requirement| {
            let values = requirement.values.as_deref().unwrap_or_default();
            meets(&requirement.operator, labels.get(&requirement.key), values)
        })
}

/// Whether every pair of the selector is among the labels; an empty selector, as of a Service, selects nothing.
pub(super) fn contains(selector: &Labels, labels: &Labels) -> bool {
    !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// What of the pod's node selector and required node affinity a node with these labels does not meet; `None` if it
/// meets all of it.
pub(super) fn unmet(spec: &PodSpec, labels: &Labels, node: Option<&str>) -> Option<String> {
    for (key, value) in spec.node_selector.iter().flatten() {
        if labels.get(key) != Some(value) {
            return Some(format!("{key}={value}"));
        }
    }
    let affinity = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
    let required =
        affinity.and_then(|node| node.required_during_scheduling_ignored_during_execution.as_ref())?;
    let terms = &required.node_selector_terms;
    if terms.iter().any(|term| first_unmet(term, labels, node).is_none()) {
        return None;
    }
    Some(terms.iter().filter_map(|term| first_unmet(term, labels, node)).collect::<Vec<_>>().join(" or "))
}

/// The first requirement of a term that the node does not meet. A term without requirements matches no node.
fn first_unmet(term: &NodeSelectorTerm, labels: &Labels, node: Option<&str>) -> Option<String> {
    let expressions = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    if expressions.is_empty() && fields.is_empty() {
        return Some("nothing".to_owned());
    }
    let say = |requirement: &NodeSelectorRequirement| {
        let values = requirement.values.as_deref().unwrap_or_default().join(",");
        format!("{} {} {values}", requirement.key, requirement.operator).trim_end().to_owned()
    };
    let label = expressions.iter().find(|requirement| {
        let values = requirement.values.as_deref().unwrap_or_default();
        !meets(&requirement.operator, labels.get(&requirement.key), values)
    });
    // The only field is metadata.name. A node that does not exist yet has a name that no manifest can know.
    let field = fields.iter().find(|requirement| {
        let name = node.map(str::to_owned);
        !meets(&requirement.operator, name.as_ref(), requirement.values.as_deref().unwrap_or_default())
    });
    label.or(field).map(say)
}

fn meets(operator: &str, value: Option<&String>, values: &[String]) -> bool {
    let number = |text: Option<&String>| text.and_then(|text| text.parse::<i64>().ok());
    match operator {
        "In" => value.is_some_and(|value| values.contains(value)),
        "NotIn" => value.is_none_or(|value| !values.contains(value)),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => number(value).zip(number(values.first())).is_some_and(|(value, bound)| value > bound),
        "Lt" => number(value).zip(number(values.first())).is_some_and(|(value, bound)| value < bound),
        _ => false,
    }
}

/// Whether one of the tolerations tolerates the taint.
pub(super) fn tolerated(tolerations: &[Toleration], taint: &Taint) -> bool {
    tolerations.iter().any(|toleration| {
        let effect = toleration.effect.as_deref().unwrap_or_default();
        let key = toleration.key.as_deref().unwrap_or_default();
        let value = match toleration.operator.as_deref() {
            Some("Exists") => true,
            None | Some("" | "Equal") => {
                toleration.value.as_deref().unwrap_or_default() == taint.value.as_deref().unwrap_or_default()
            }
            Some(_) => false,
        };
        (effect.is_empty() || effect == taint.effect) && (key.is_empty() || key == taint.key) && value
    })
}

/// Whether the pod may be placed on a node with these taints.
pub(super) fn tolerates_all(tolerations: &[Toleration], taints: &[Taint]) -> bool {
    let keeps_off = |taint: &&Taint| taint.effect != "PreferNoSchedule";
    taints.iter().filter(keeps_off).all(|taint| tolerated(tolerations, taint))
}

/// Whether the pod tolerates whatever taint keeps new pods off the old nodes: a toleration without a key.
pub(super) fn tolerates_anything(tolerations: &[Toleration]) -> bool {
    let unknown = Taint {
        key: "?".to_owned(),
        value: Some("?".to_owned()),
        effect: "NoSchedule".to_owned(),
        time_added: None,
    };
    tolerated(tolerations, &unknown)
}
