//! From flags and files to what a scenario needs. Every error says which flag or which place of which file.

use anyhow::{Context as _, Result, anyhow};
use scenarios::{
    Class, Parameters, Request, Seed, TrafficFile,
    import::{self, Cluster, aws},
    scenario::ScenarioError,
    setup::{self, Setup},
};

use super::example;
use crate::{
    arguments::{ClassName, Simulate},
    findings,
};

/// What was read.
pub(super) struct Given {
    /// What reports call the cluster.
    pub(super) name: String,
    /// The world, and what was assumed.
    pub(super) setup: Setup,
    /// Traffic as the user describes it.
    pub(super) traffic: Option<TrafficFile>,
    /// Parameters as set by flags, before any draw.
    pub(super) set: Parameters,
    /// The seed.
    pub(super) seed: Seed,
}

/// The migration that the flags ask for.
pub(super) fn request(asked: &Simulate) -> Result<Request> {
    let from = asked.moving.from.as_deref().unwrap_or(example::FROM);
    asked.moving.request(from, asked.moving.to.as_deref().unwrap_or(example::TO))
}

/// Reads every file and makes the world.
pub(super) fn read(asked: &Simulate) -> Result<Given> {
    // What costs nothing is checked before what may take long.
    let mut parameters = Parameters::default();
    for assignment in &asked.set {
        parameters.set(assignment).with_context(|| format!("--set {assignment}"))?;
    }
    let traffic = asked.traffic.as_deref().map(setup::read_traffic).transpose().context("--traffic")?;
    let (name, cluster, aws) = cluster(asked)?;
    let draw: Vec<Class> = asked.draw.iter().copied().map(ClassName::class).collect();
    let seed = Seed(asked.seed);
    let setup =
        setup::setup(&cluster, aws, &parameters, &draw, seed).with_context(|| format!("--cluster {name}"))?;
    Ok(Given { name, setup, traffic, set: parameters, seed })
}

fn cluster(asked: &Simulate) -> Result<(String, Cluster, Option<aws::AwsFile>)> {
    let Some(path) = &asked.cluster else {
        let cluster = import::parse_cluster(example::NAME, example::CLUSTER.as_bytes())?;
        let aws = aws::parse_aws(example::NAME, example::AWS.as_bytes())?;
        return Ok((example::NAME.to_owned(), cluster, Some(aws)));
    };
    let aws = asked.aws.as_deref().map(aws::read_aws).transpose().context("--aws")?;
    let cluster = import::read_cluster(path).context("--cluster")?;
    Ok((path.display().to_string(), cluster, aws))
}

/// What does not fit the cluster, with the flag that would mend it.
pub(super) fn scenario_error(error: ScenarioError, given: &Given) -> anyhow::Error {
    match error {
        ScenarioError::NoService(..) => anyhow!("--traffic: {error}").context(given.name.clone()),
        ScenarioError::Request(error) => findings::misfit(&error).context(given.name.clone()),
        ScenarioError::Runtime(_) => anyhow!(error),
    }
}
