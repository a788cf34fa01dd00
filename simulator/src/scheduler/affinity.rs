//! Affinity and anti-affinity between pods, required and preferred. Terminating pods count.
//!
//! Source: kubernetes pkg/scheduler/framework/plugins/interpodaffinity/{filtering,scoring}.go.

use super::{NO_DOMAIN, Reason, sum_by_domain};

/// Which pods a pod seeks and avoids.
#[derive(Debug, Clone, Copy, Default)]
pub struct PodAffinity<'a> {
    /// Required affinity terms. `matching` of each counts the pods that match all of them.
    pub required: &'a [AffinityTerm<'a>],
    /// The pod matches all of its own required affinity terms: the first of its kind may run anywhere.
    pub matches_itself: bool,
    /// Required anti-affinity terms.
    pub required_anti: &'a [AffinityTerm<'a>],
    /// Per node: a pod in a domain of this node has a required anti-affinity term that matches this pod.
    pub blocked: Option<&'a [bool]>,
    /// Preferred terms, its own and those of other pods that match it.
    pub preferred: &'a [PreferredTerm<'a>],
}

impl PodAffinity<'_> {
    pub(super) fn lengths(&self) -> impl Iterator<Item = usize> + '_ {
        let preferred = self.preferred.iter().map(|preferred| &preferred.term);
        self.required
            .iter()
            .chain(self.required_anti)
            .chain(preferred)
            .flat_map(|term| [term.domains.len(), term.matching.len()])
    }
}

/// Pods of some kind, as they are spread over the domains of a topology key.
#[derive(Debug, Clone, Copy)]
pub struct AffinityTerm<'a> {
    /// Per node: its domain, or [`NO_DOMAIN`]. Domains are small numbers: memory is used up to the largest.
    pub domains: &'a [u32],
    /// Per node: its pods that match.
    pub matching: &'a [u32],
}

/// A preferred term.
#[derive(Debug, Clone, Copy)]
pub struct PreferredTerm<'a> {
    /// For each matching pod in the domain; negative for anti-affinity. A required affinity term of another pod that
    /// matches this one counts 1.
    pub weight: i64,
    /// The pods that match it; or those that have it, if it is another pod's.
    pub term: AffinityTerm<'a>,
}

/// The matching pods per domain of the required terms.
pub(super) struct Domains {
    required: Vec<Vec<i64>>,
    anti: Vec<Vec<i64>>,
    /// No pod matches the required affinity terms anywhere.
    none_yet: bool,
}

pub(super) fn domains(affinity: &PodAffinity<'_>) -> Domains {
    let sums = |terms: &[AffinityTerm<'_>]| -> Vec<Vec<i64>> { terms.iter().map(by_domain).collect() };
    let required = sums(affinity.required);
    let none_yet = required.iter().flatten().all(|&count| count == 0);
    Domains { required, anti: sums(affinity.required_anti), none_yet }
}

/// Whether the pod may not run on this node because of others.
pub(super) fn violated(affinity: &PodAffinity<'_>, domains: &Domains, position: usize) -> Option<Reason> {
    let count = |term: &AffinityTerm<'_>, sums: &[i64]| {
        let domain = term.domains[position];
        if domain == NO_DOMAIN { None } else { sums.get(domain as usize).copied() }
    };
    let mut met = true;
    for (term, sums) in affinity.required.iter().zip(&domains.required) {
        match count(term, sums) {
            None => return Some(Reason::PodAffinity),
            Some(matching) => met &= matching > 0,
        }
    }
    let is_first = domains.none_yet && affinity.matches_itself;
    if !(met || is_first) {
        return Some(Reason::PodAffinity);
    }
    let mut anti = affinity.required_anti.iter().zip(&domains.anti);
    if anti.any(|(term, sums)| count(term, sums).is_some_and(|matching| matching > 0)) {
        return Some(Reason::PodAntiAffinity);
    }
    affinity.blocked.is_some_and(|blocked| blocked[position]).then_some(Reason::ExistingPodAntiAffinity)
}

/// The scores (0 to 100) of the candidates by the preferred terms; `None` where no pod matches any.
pub(super) fn score(affinity: &PodAffinity<'_>, candidates: &[usize]) -> Option<Vec<i64>> {
    let mut raw = vec![0_i64; candidates.len()];
    let mut any = false;
    for PreferredTerm { weight, term } in affinity.preferred {
        let sums = by_domain(term);
        any |= sums.iter().any(|&count| count > 0);
        for (raw, &i) in raw.iter_mut().zip(candidates) {
            let domain = term.domains[i];
            if domain != NO_DOMAIN {
                *raw = raw.saturating_add(weight.saturating_mul(sums[domain as usize]));
            }
        }
    }
    let (lowest, highest) = (*raw.iter().min()?, *raw.iter().max()?);
    let width = highest.saturating_sub(lowest);
    let normalised = |raw: i64| match width {
        0 => 0,
        _ => (100.0 * (raw.saturating_sub(lowest) as f64 / width as f64)) as i64,
    };
    any.then(|| raw.into_iter().map(normalised).collect())
}

fn by_domain(term: &AffinityTerm<'_>) -> Vec<i64> {
    sum_by_domain(term.domains, term.matching, |_| true)
}
