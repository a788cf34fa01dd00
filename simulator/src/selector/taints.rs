//! Which taints a pod tolerates.
//!
//! Source: kubernetes staging/src/k8s.io/api/core/v1/toleration.go:ToleratesTaint.

use k8s_openapi::api::core::v1::{Taint as ApiTaint, Toleration as ApiToleration};

use super::SelectorError;

/// What a taint does to pods that do not tolerate it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// New pods stay away; running ones stay.
    NoSchedule,
    /// New pods come only where no untainted node suits them as well.
    PreferNoSchedule,
    /// New pods stay away and running ones are deleted.
    NoExecute,
}

impl Effect {
    fn parse(key: &str, effect: &str) -> Result<Self, SelectorError> {
        match effect {
            "NoSchedule" => Ok(Effect::NoSchedule),
            "PreferNoSchedule" => Ok(Effect::PreferNoSchedule),
            "NoExecute" => Ok(Effect::NoExecute),
            _ => Err(SelectorError::UnknownEffect { key: key.to_owned(), effect: effect.to_owned() }),
        }
    }
}

/// A taint of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taint {
    /// Unique on a node together with the effect.
    pub key: String,
    /// May be empty.
    pub value: String,
    /// What it does.
    pub effect: Effect,
}

impl Taint {
    /// Reads a taint of the API.
    ///
    /// # Errors
    /// An effect that Kubernetes does not know.
    pub fn compile(taint: &ApiTaint) -> Result<Self, SelectorError> {
        Ok(Taint {
            effect: Effect::parse(&taint.key, &taint.effect)?,
            key: taint.key.clone(),
            value: taint.value.clone().unwrap_or_default(),
        })
    }
}

/// How a toleration compares values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// Any value.
    Exists,
    /// The same value; the default.
    Equal,
}

/// A toleration of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toleration {
    /// Empty: every key.
    pub key: String,
    /// How the value is compared.
    pub operator: Operator,
    /// Compared where the operator is [`Operator::Equal`].
    pub value: String,
    /// `None`: every effect.
    pub effect: Option<Effect>,
    /// Seconds for which a `NoExecute` taint is tolerated; `None`: for ever; zero or less: not at all.
    pub seconds: Option<i64>,
}

impl Toleration {
    /// Reads a toleration of the API.
    ///
    /// # Errors
    /// An operator other than `Exists` and `Equal`, or an effect that Kubernetes does not know.
    pub fn compile(toleration: &ApiToleration) -> Result<Self, SelectorError> {
        let key = toleration.key.clone().unwrap_or_default();
        let operator = match toleration.operator.as_deref() {
            Some("Exists") => Operator::Exists,
            None | Some("" | "Equal") => Operator::Equal,
            Some(operator) => {
                return Err(SelectorError::UnknownOperator { key, operator: operator.to_owned() });
            }
        };
        Ok(Toleration {
            operator,
            effect: match toleration.effect.as_deref() {
                None | Some("") => None,
                Some(effect) => Some(Effect::parse(&key, effect)?),
            },
            key,
            value: toleration.value.clone().unwrap_or_default(),
            seconds: toleration.toleration_seconds,
        })
    }

    /// A toleration of one key and effect, whatever the value and however long.
    pub fn exists(key: &str, effect: Effect) -> Self {
        Toleration {
            key: key.to_owned(),
            operator: Operator::Exists,
            value: String::new(),
            effect: Some(effect),
            seconds: None,
        }
    }

    /// Whether this toleration covers the taint.
    pub fn covers(&self, taint: &Taint) -> bool {
        self.effect.is_none_or(|effect| effect == taint.effect)
            && (self.key.is_empty() || self.key == taint.key)
            && (self.operator == Operator::Exists || self.value == taint.value)
    }
}

/// Whether any of the tolerations covers the taint.
pub fn tolerates(tolerations: &[Toleration], taint: &Taint) -> bool {
    tolerations.iter().any(|toleration| toleration.covers(taint))
}

/// The first taint that keeps a new pod away: one with effect `NoSchedule` or `NoExecute` that nothing covers.
pub fn untolerated<'a>(taints: &'a [Taint], tolerations: &[Toleration]) -> Option<&'a Taint> {
    taints.iter().find(|taint| taint.effect != Effect::PreferNoSchedule && !tolerates(tolerations, taint))
}
