//! The report for programs. Keys are an interface: they may grow, not change.

use anyhow::Result;
use scenarios::{
    Counts, Downtime, DropRate, Summary,
    promises::Promise,
    report::{DropsAlike, PodsRemoved, StepTaken},
    scenario::Verdict,
};
use serde::Serialize;
use std::collections::BTreeMap;

use super::report::{ClusterCounts, Report};

#[derive(Serialize)]
struct Document<'a> {
    verdict: Verdict,
    why: Option<&'a str>,
    outcome: &'a str,
    strategy: &'static str,
    from: &'a str,
    to: &'a str,
    seed: u64,
    cluster: Cluster<'a>,
    traffic: Vec<Traffic>,
    parameters: Parameters<'a>,
    defaulted: &'a [String],
    findings: Vec<Finding<'a>>,
    steps: &'a [StepTaken],
    refused_actions: &'a [String],
    promises: &'a [Promise],
    connections: Counts,
    exposed: u64,
    drop_rate: DropRate,
    drops: &'a [DropsAlike],
    pods_removed: &'a [PodsRemoved],
    latency: Latency,
    downtime: Downtimes<'a>,
    virtual_s: f64,
    wall_ms: f64,
    events: u64,
    digest: String,
}

#[derive(Serialize)]
struct Cluster<'a> {
    name: &'a str,
    #[serde(flatten)]
    counts: ClusterCounts,
}

#[derive(Serialize)]
struct Traffic {
    service: String,
    clients: u32,
    contract_s: f64,
    inside: bool,
}

#[derive(Serialize)]
struct Parameters<'a> {
    set: &'a BTreeMap<&'static str, String>,
    drawn: &'a BTreeMap<&'static str, String>,
    overruled: &'a [String],
}

#[derive(Serialize)]
struct Finding<'a> {
    code: &'static str,
    severity: &'static str,
    object: &'a str,
    reason: &'a str,
    fix: &'a str,
    accepted: bool,
}

#[derive(Serialize)]
struct Latency {
    connect_micros: Summary,
    message_micros: Summary,
}

#[derive(Serialize)]
struct Downtimes<'a> {
    millis: Summary,
    windows: &'a [Downtime],
}

/// The whole report as one document.
pub(super) fn render(report: &Report<'_>) -> Result<String> {
    let run = report.run;
    let document = Document {
        verdict: run.verdict,
        why: run.why.as_deref(),
        outcome: &report.outcome,
        strategy: report.strategy,
        from: &report.request.from,
        to: &report.request.to,
        seed: report.seed,
        cluster: Cluster { name: report.cluster, counts: report.counts },
        traffic: run
            .traffic
            .iter()
            .map(|offered| Traffic {
                service: format!("{}/{}", offered.service.namespace, offered.service.name),
                clients: offered.clients,
                contract_s: offered.contract.as_secs_f64(),
                inside: offered.inside,
            })
            .collect(),
        parameters: Parameters { set: &report.set, drawn: &report.drawn, overruled: report.overruled },
        defaulted: report.assumed,
        findings: run
            .findings
            .iter()
            .map(|finding| Finding {
                code: finding.code.id(),
                severity: finding.severity.name(),
                object: &finding.object,
                reason: &finding.reason,
                fix: &finding.fix,
                accepted: report.request.accept.contains(finding.code.id()),
            })
            .collect(),
        steps: &report.steps,
        refused_actions: run.driven.as_ref().map_or(&[], |driven| &driven.refusals),
        promises: &run.promises,
        connections: run.recorder.counts,
        exposed: run.exposed,
        drop_rate: report.figures.drop_rate,
        drops: &report.drops,
        pods_removed: &report.removed,
        latency: Latency {
            connect_micros: report.figures.connect_latency_micros,
            message_micros: report.figures.message_latency_micros,
        },
        downtime: Downtimes {
            millis: report.figures.downtime_millis,
            windows: &report.figures.downtime_windows,
        },
        virtual_s: run.virtual_ms as f64 / 1_000.0,
        wall_ms: report.wall.as_secs_f64() * 1_000.0,
        events: run.world.events(),
        digest: format!("{:032x}", run.world.digest()),
    };
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}
