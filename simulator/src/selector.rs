//! Selectors, compiled once from API objects and matched many times: label selectors, node selectors with their
//! affinity terms, and (in [`taints`]) tolerations against taints.
//!
//! Decides what matches; which objects are asked, and when, is the caller's affair. An operator that Kubernetes does
//! not know, or one with the wrong number of values, is an error of the object that carries it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    NodeSelector as ApiNodeSelector, NodeSelectorRequirement, NodeSelectorTerm,
};
use k8s_openapi::api::core::v1::{PodSpec, PreferredSchedulingTerm};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector as ApiLabelSelector;

pub use taints::{Effect, Operator, Taint, Toleration, tolerates, untolerated};

pub mod taints;

#[cfg(test)]
mod tests;

/// The labels of an object.
pub type Labels = BTreeMap<String, String>;

/// Why a selector, taint or toleration cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// The operator is none of those that this kind of requirement knows.
    #[error("read requirement on `{key}`: unknown operator `{operator}`")]
    UnknownOperator {
        /// The label, field or taint key of the requirement.
        key: String,
        /// The operator as written.
        operator: String,
    },
    /// The operator is known, but its values are too many, too few or no integers.
    #[error("read requirement on `{key}`: operator `{operator}` does not take {values} such value(s)")]
    WrongValues {
        /// The label or field of the requirement.
        key: String,
        /// The operator as written.
        operator: String,
        /// How many values were written.
        values: usize,
    },
    /// A field selector names a field that nodes cannot be selected by.
    #[error("read field requirement: `{0}` is not a selectable field of a node")]
    UnknownField(String),
    /// The effect is none of `NoSchedule`, `PreferNoSchedule`, `NoExecute`.
    #[error("read taint or toleration `{key}`: unknown effect `{effect}`")]
    UnknownEffect {
        /// The key of the taint or toleration.
        key: String,
        /// The effect as written.
        effect: String,
    },
}

/// What one requirement asks of a value that may be absent.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    In(Vec<String>),
    /// Also holds where the label is absent.
    NotIn(Vec<String>),
    Exists,
    DoesNotExist,
    /// Holds only where the label is an integer.
    Greater(i64),
    /// Holds only where the label is an integer.
    Less(i64),
}

impl Test {
    /// Source: kubernetes apimachinery/pkg/labels/selector.go:Requirement.Matches.
    fn holds(&self, value: Option<&str>) -> bool {
        match self {
            Test::In(values) => value.is_some_and(|value| values.iter().any(|v| v == value)),
            Test::NotIn(values) => value.is_none_or(|value| values.iter().all(|v| v != value)),
            Test::Exists => value.is_some(),
            Test::DoesNotExist => value.is_none(),
            Test::Greater(bound) => value.and_then(|v| v.parse::<i64>().ok()).is_some_and(|v| v > *bound),
            Test::Less(bound) => value.and_then(|v| v.parse::<i64>().ok()).is_some_and(|v| v < *bound),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

impl Requirement {
    /// `ordered` says whether `Gt` and `Lt` exist in this kind of selector.
    fn compile(key: &str, operator: &str, values: &[String], ordered: bool) -> Result<Self, SelectorError> {
        let wrong = || SelectorError::WrongValues {
            key: key.to_owned(),
            operator: operator.to_owned(),
            values: values.len(),
        };
        let integer = || match values {
            [value] => value.parse::<i64>().map_err(|_| wrong()),
            _ => Err(wrong()),
        };
        let test = match operator {
            "In" | "NotIn" if values.is_empty() => return Err(wrong()),
            "In" => Test::In(values.to_vec()),
            "NotIn" => Test::NotIn(values.to_vec()),
            "Exists" | "DoesNotExist" if !values.is_empty() => return Err(wrong()),
            "Exists" => Test::Exists,
            "DoesNotExist" => Test::DoesNotExist,
            "Gt" if ordered => Test::Greater(integer()?),
            "Lt" if ordered => Test::Less(integer()?),
            _ => {
                let (key, operator) = (key.to_owned(), operator.to_owned());
                return Err(SelectorError::UnknownOperator { key, operator });
            }
        };
        Ok(Requirement { key: key.to_owned(), test })
    }

    fn matches(&self, labels: &Labels) -> bool {
        self.test.holds(labels.get(&self.key).map(String::as_str))
    }
}

/// A compiled label selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelSelector {
    /// `None` matches nothing: what an absent selector means.
    requirements: Option<Vec<Requirement>>,
}

impl LabelSelector {
    /// Compiles a selector; an absent one matches nothing, an empty one everything.
    ///
    /// # Errors
    /// An operator other than `In`, `NotIn`, `Exists`, `DoesNotExist`, or one with values it does not take.
    pub fn compile(selector: Option<&ApiLabelSelector>) -> Result<Self, SelectorError> {
        let Some(selector) = selector else { return Ok(LabelSelector { requirements: None }) };
        let mut compiled =
            LabelSelector::from_labels(selector.match_labels.as_ref().unwrap_or(&BTreeMap::new()));
        for expression in selector.match_expressions.iter().flatten() {
            let values = expression.values.as_deref().unwrap_or_default();
            let requirement = Requirement::compile(&expression.key, &expression.operator, values, false)?;
            compiled.requirements.get_or_insert_default().push(requirement);
        }
        Ok(compiled)
    }

    /// A selector that asks for exactly these labels, as a Service's does; none at all match everything.
    pub fn from_labels(labels: &Labels) -> Self {
        let equal = |(key, value): (&String, &String)| Requirement {
            key: key.clone(),
            test: Test::In(vec![value.clone()]),
        };
        LabelSelector { requirements: Some(labels.iter().map(equal).collect()) }
    }

    /// Whether an object with these labels is selected.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.requirements.as_ref().is_some_and(|all| all.iter().all(|one| one.matches(labels)))
    }

    /// True where the selector asks nothing: everything matches, except where the reader says otherwise (the
    /// eviction handler, for one, lets a budget with an empty selector protect nothing).
    pub fn is_empty(&self) -> bool {
        self.requirements.as_ref().is_none_or(Vec::is_empty)
    }
}

/// One term of a node selector: all of its requirements, on labels and on the node's name, must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
struct NodeTerm {
    labels: Vec<Requirement>,
    names: Vec<Test>,
}

impl NodeTerm {
    fn compile(term: &NodeSelectorTerm) -> Result<Self, SelectorError> {
        let values = |requirement: &NodeSelectorRequirement| requirement.values.clone().unwrap_or_default();
        let mut compiled = NodeTerm { labels: Vec::new(), names: Vec::new() };
        for one in term.match_expressions.iter().flatten() {
            compiled.labels.push(Requirement::compile(&one.key, &one.operator, &values(one), true)?);
        }
        for one in term.match_fields.iter().flatten() {
            let (key, operator, values) = (one.key.clone(), one.operator.clone(), values(one));
            if key != "metadata.name" {
                return Err(SelectorError::UnknownField(key));
            }
            match operator.as_str() {
                "In" | "NotIn" if values.len() != 1 => {
                    return Err(SelectorError::WrongValues { key, operator, values: values.len() });
                }
                "In" => compiled.names.push(Test::In(values)),
                "NotIn" => compiled.names.push(Test::NotIn(values)),
                _ => return Err(SelectorError::UnknownOperator { key, operator }),
            }
        }
        Ok(compiled)
    }

    /// A term without any requirement selects nothing.
    fn matches(&self, name: &str, labels: &Labels) -> bool {
        !(self.labels.is_empty() && self.names.is_empty())
            && self.labels.iter().all(|requirement| requirement.matches(labels))
            && self.names.iter().all(|test| test.holds(Some(name)))
    }
}

/// A compiled node selector: any of its terms may match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSelector {
    terms: Vec<NodeTerm>,
}

impl NodeSelector {
    /// Compiles all terms.
    ///
    /// # Errors
    /// Operators other than `In`, `NotIn`, `Exists`, `DoesNotExist`, `Gt`, `Lt` (on the field `metadata.name`, other
    /// than `In` and `NotIn` with one value), or values that they do not take.
    pub fn compile(selector: &ApiNodeSelector) -> Result<Self, SelectorError> {
        let terms = selector.node_selector_terms.iter().map(NodeTerm::compile).collect::<Result<_, _>>()?;
        Ok(NodeSelector { terms })
    }

    /// Whether a node of this name and with these labels is selected. No terms select nothing.
    pub fn matches(&self, name: &str, labels: &Labels) -> bool {
        self.terms.iter().any(|term| term.matches(name, labels))
    }
}

/// Where a pod may and would like to run, as far as the labels and the name of a node decide it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeAffinity {
    required_labels: Vec<Requirement>,
    required: Option<NodeSelector>,
    preferred: Vec<(i64, NodeTerm)>,
}

impl NodeAffinity {
    /// Compiles `nodeSelector` and `affinity.nodeAffinity` of a pod.
    ///
    /// # Errors
    /// As [`NodeSelector::compile`].
    pub fn compile(spec: &PodSpec) -> Result<Self, SelectorError> {
        let affinity = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
        let preferred = |term: &PreferredSchedulingTerm| {
            Ok((i64::from(term.weight), NodeTerm::compile(&term.preference)?))
        };
        Ok(NodeAffinity {
            required_labels: spec
                .node_selector
                .as_ref()
                .and_then(|labels| LabelSelector::from_labels(labels).requirements)
                .unwrap_or_default(),
            required: affinity
                .and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.as_ref())
                .map(NodeSelector::compile)
                .transpose()?,
            preferred: affinity
                .and_then(|affinity| affinity.preferred_during_scheduling_ignored_during_execution.as_ref())
                .map(|terms| terms.iter().map(preferred).collect())
                .transpose()?
                .unwrap_or_default(),
        })
    }

    /// Whether the pod may run on this node.
    pub fn allows(&self, name: &str, labels: &Labels) -> bool {
        self.required_labels.iter().all(|requirement| requirement.matches(labels))
            && self.required.as_ref().is_none_or(|selector| selector.matches(name, labels))
    }

    /// True where the pod may run on any node.
    pub fn requires_nothing(&self) -> bool {
        self.required_labels.is_empty() && self.required.is_none()
    }

    /// True where the pod prefers no node to another.
    pub fn prefers_nothing(&self) -> bool {
        self.preferred.is_empty()
    }

    /// The sum of the weights (1 to 100 each) of all preferred terms that match this node.
    pub fn preference(&self, name: &str, labels: &Labels) -> i64 {
        self.preferred.iter().filter(|(_, term)| term.matches(name, labels)).map(|(weight, _)| weight).sum()
    }
}
