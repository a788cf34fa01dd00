//! What a run is told as, whatever the format: gathered once, so that text and JSON cannot say different things.

use std::{collections::BTreeMap, time::Duration};

use scenarios::{
    Request,
    report::{self, DropsAlike, PodsRemoved, StepTaken},
    scenario::{Run, outcome_words},
};

use super::input::Given;
use crate::arguments::Simulate;

/// How often clients speak at the longest, in milliseconds: outages closer together than twice this are one.
/// Source: `default_cadence` of the load's profiles.
const SPEAKS_EVERY: u64 = 45_000;

/// Everything that is told of a run.
pub(super) struct Report<'a> {
    pub(super) run: &'a Run,
    pub(super) request: &'a Request,
    pub(super) strategy: &'static str,
    /// What the cluster is called.
    pub(super) cluster: &'a str,
    pub(super) seed: u64,
    /// Nodes, pods, services and load-balanced services at the start.
    pub(super) counts: ClusterCounts,
    pub(super) set: BTreeMap<&'static str, String>,
    pub(super) drawn: BTreeMap<&'static str, String>,
    pub(super) assumed: &'a [String],
    pub(super) overruled: &'a [String],
    pub(super) outcome: String,
    pub(super) steps: Vec<StepTaken>,
    pub(super) drops: Vec<DropsAlike>,
    pub(super) removed: Vec<PodsRemoved>,
    pub(super) figures: scenarios::Figures,
    /// Real time of the run: the one figure that differs between two runs of the same command.
    pub(super) wall: Duration,
}

/// How large the cluster is.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(super) struct ClusterCounts {
    pub(super) nodes: usize,
    pub(super) pods: usize,
    pub(super) services: usize,
    pub(super) load_balanced: usize,
}

impl<'a> Report<'a> {
    pub(super) fn new(
        asked: &Simulate,
        request: &'a Request,
        given: &'a Given,
        run: &'a Run,
        wall: Duration,
    ) -> Report<'a> {
        let start = &given.setup.world;
        let set: BTreeMap<_, _> =
            given.set.explicitly_set().map(|(parameter, value)| (parameter.name, value)).collect();
        let drawn = start
            .parameters()
            .changed()
            .map(|(parameter, value)| (parameter.name, value))
            .filter(|(name, _)| !set.contains_key(name))
            .collect();
        Report {
            run,
            request,
            strategy: asked.moving.strategy.name(),
            cluster: &given.name,
            seed: given.seed.0,
            counts: ClusterCounts {
                nodes: start.nodes().len(),
                pods: start.pods().len(),
                services: start.services().len(),
                load_balanced: start.services().iter().filter(|(_, service)| service.load_balancer).count(),
            },
            set,
            drawn,
            assumed: &given.setup.assumed,
            overruled: &given.setup.overruled,
            outcome: match &run.driven {
                Some(driven) => outcome_words(driven.outcome.as_ref()),
                None => "refused".to_owned(),
            },
            steps: run.driven.as_ref().map(|driven| report::steps(&driven.stretches)).unwrap_or_default(),
            drops: report::drops_alike(&run.world, &run.drops, asked.explain),
            removed: report::pods_removed(&run.world),
            figures: run.recorder.report(SPEAKS_EVERY),
            wall,
        }
    }
}
