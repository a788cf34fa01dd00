//! `nodeferry simulate`: from files and flags to a scenario, and from its run to a report.

pub(crate) mod example;
mod input;
mod json;
mod report;
mod text;
mod words;

use std::{io::Write as _, path::Path};

use anyhow::Result;
use scenarios::{
    export,
    scenario::{Run, Scenario, run as run_scenario},
};

use crate::{
    arguments::{Color, Format, Simulate},
    exit::Exit,
    files::Pending,
    output::{print, timed},
};

/// Runs the command.
pub(crate) fn run(asked: &Simulate, color: Color) -> Result<Exit> {
    // Before the work: a path that cannot be written is a slip of the command line.
    let timeline = asked.timeline.as_deref().map(Pending::begin).transpose()?;
    let exported = asked.export.as_deref().map(Pending::begin).transpose()?;
    let exported_aws = asked.export_aws.as_deref().map(Pending::begin).transpose()?;

    let request = input::request(asked)?;
    let (given, _) = timed("reading", || input::read(asked));
    let mut given = given?;
    given.setup.note_instance_types(&request);
    let scenario = Scenario {
        request: request.clone(),
        connections: asked.connections,
        traffic: given.traffic.clone(),
        seed: given.seed,
    };
    let (run, wall) = timed("simulating", || run_scenario(&given.setup.world, &scenario));
    let run = run.map_err(|error| input::scenario_error(error, &given))?;

    if let Some(timeline) = timeline {
        write_timeline(timeline, &run)?;
    }
    if let (Some(pending), Some(path)) = (exported, asked.export.as_deref()) {
        write_export(pending, path, &run)?;
    }
    if let Some(pending) = exported_aws {
        // As the aws command would print it.
        pending.finish(|out| export::aws::write_aws(out, &run.world))?;
    }
    let report = report::Report::new(asked, &request, &given, &run, wall);
    let told = match asked.output {
        Format::Text => text::render(&report, asked.explain),
        Format::Json => json::render(&report)?,
    };
    print(&told, color)?;
    Ok(run.verdict.into())
}

/// Everything that happened, one line each.
fn write_timeline(pending: Pending, run: &Run) -> Result<()> {
    pending.finish(|out| {
        for entry in run.world.entries() {
            writeln!(out, "{}", run.world.line(entry).trim_end())?;
        }
        Ok(())
    })
}

/// The cluster at the end, as `kubectl get -o yaml` would print it.
fn write_export(pending: Pending, path: &Path, run: &Run) -> Result<()> {
    let objects = run.world.render();
    pending.finish(|out| match path.extension() {
        Some(extension) if extension == "json" => export::write_json(out, &objects),
        _ => export::write_yaml(out, &objects),
    })
}
