//! The report for people: what was asked, what was found, what was done, what broke, and the verdict last, where the eye
//! is when the command ends.

use std::fmt::{self, Write as _};

use anstyle::Style;
use scenarios::{DropRate, EndCause, Severity, Summary, report::DropsAlike, scenario::Verdict};

use super::{
    report::Report,
    words::{clock, counted, micros, number, span},
};
use crate::{
    findings,
    output::{BAD, BOLD, DOUBTFUL, FAINT, GOOD, styled},
};

/// How many ways in which connections dropped are told without --explain.
const WAYS_TOLD: usize = 4;

/// The whole report.
pub(super) fn render(report: &Report<'_>, explain: bool) -> String {
    let mut text = Text { out: String::new(), explain };
    text.write(report).expect("writing to a String does not fail");
    text.out
}

struct Text {
    out: String,
    explain: bool,
}

impl Text {
    fn write(&mut self, report: &Report<'_>) -> fmt::Result {
        self.header(report)?;
        self.findings(report)?;
        self.steps(report)?;
        self.pods_removed(report)?;
        self.drops(report)?;
        self.promises(report)?;
        self.figures(report)?;
        self.verdict(report)
    }

    fn title(&mut self, title: impl fmt::Display) -> fmt::Result {
        writeln!(self.out, "\n{}", styled(BOLD, title))
    }

    /// A line of the header; further lines of the same subject have no label.
    fn fact(&mut self, label: &str, fact: impl fmt::Display) -> fmt::Result {
        writeln!(self.out, "  {} {fact}", styled(FAINT, format_args!("{label:<9}")))
    }

    fn facts(&mut self, label: &str, facts: impl IntoIterator<Item = String>) -> fmt::Result {
        for (index, fact) in facts.into_iter().enumerate() {
            self.fact(if index == 0 { label } else { "" }, fact)?;
        }
        Ok(())
    }

    fn header(&mut self, report: &Report<'_>) -> fmt::Result {
        let request = report.request;
        let title = format!("Migrating {} to {} by {}", request.from, request.to, report.strategy);
        writeln!(self.out, "{}", styled(BOLD, title))?;
        let counts = report.counts;
        self.fact(
            "cluster",
            format_args!(
                "{}: {}, {}, {}, {} of them load-balanced",
                report.cluster,
                counted(counts.nodes as u64, "node"),
                counted(counts.pods as u64, "pod"),
                counted(counts.services as u64, "service"),
                counts.load_balanced
            ),
        )?;
        if let Some(plan) = &report.run.plan {
            let bounds = plan.bounds_after;
            let size = format!("min {}, max {}, desired {}", bounds.min, bounds.max, bounds.desired);
            let group = match &plan.creation {
                Some(creation) => {
                    format!("{} is created: {size}, {}", plan.to, creation.group.instance_types.join(" or "))
                }
                None => format!("{} is adopted: {size}", plan.to),
            };
            self.fact("group", group)?;
        }
        self.facts(
            "clients",
            report.run.traffic.iter().map(|offered| {
                let service = format!("{}/{}", offered.service.namespace, offered.service.name);
                format!(
                    "{} of {service}, sessions of up to {}{}",
                    number(offered.clients.into()),
                    span(u64::try_from(offered.contract.as_millis()).unwrap_or(u64::MAX)),
                    if offered.inside { ", from inside the cluster" } else { "" }
                )
            }),
        )?;
        self.fact("seed", report.seed)?;
        self.facts("set", report.set.iter().map(|(name, value)| format!("{name}={value}")))?;
        self.facts("overruled", report.overruled.iter().cloned())?;
        self.facts("drawn", report.drawn.iter().map(|(name, value)| format!("{name}={value}")))?;
        self.facts("assumed", report.assumed.iter().cloned())
    }

    fn findings(&mut self, report: &Report<'_>) -> fmt::Result {
        if report.run.findings.is_empty() {
            return Ok(());
        }
        self.title("Findings")?;
        self.out.push_str(&findings::text(&report.run.findings, &report.request.accept));
        Ok(())
    }

    fn steps(&mut self, report: &Report<'_>) -> fmt::Result {
        if report.steps.is_empty() {
            return Ok(());
        }
        self.title("Steps")?;
        let name_width = report.steps.iter().map(|step| step.step.len()).max().unwrap_or_default();
        let head =
            format!("{:>9}  {:>11}  {:>8}  {:<name_width$}  waited for", "at", "took", "requests", "step");
        writeln!(self.out, "{}", styled(FAINT, head))?;
        for step in &report.steps {
            write!(
                self.out,
                "{:>9}  {:>11}  {:>8}  ",
                clock(step.from_at),
                span(step.until_at - step.from_at),
                if step.requests == 0 { "-".to_owned() } else { number(step.requests.into()) },
            )?;
            if step.waits.is_empty() {
                writeln!(self.out, "{}", step.step)?;
            }
            for (index, wait) in step.waits.iter().enumerate() {
                let margin = " ".repeat(9 + 2 + 11 + 2 + 8 + 2);
                let (margin, name) = if index == 0 { ("", step.step) } else { (margin.as_str(), "") };
                write!(self.out, "{margin}{name:<name_width$}  {}", wait.what)?;
                if step.waits.len() > 1 {
                    write!(self.out, ", {}", span(wait.lasted))?;
                }
                if self.explain {
                    let values = format!("seen {}, wanted {}", wait.seen, wait.wanted);
                    write!(self.out, "; {}", styled(FAINT, values))?;
                }
                writeln!(self.out)?;
            }
        }
        let refusals = report.run.driven.iter().flat_map(|driven| &driven.refusals);
        for refusal in refusals {
            writeln!(self.out, "  {} {refusal}", styled(DOUBTFUL, "the safety kernel refused"))?;
        }
        Ok(())
    }

    fn pods_removed(&mut self, report: &Report<'_>) -> fmt::Result {
        if report.removed.is_empty() {
            return Ok(());
        }
        self.title("Pods removed")?;
        let width = report.removed.iter().map(|removed| removed.step.len()).max().unwrap_or_default();
        for removed in &report.removed {
            let groups: Vec<String> =
                removed.by_group.iter().map(|(group, count)| format!("{count} on {group}")).collect();
            let killed = match removed.killed {
                0 => String::new(),
                killed => format!("; {killed} of them ended by SIGKILL"),
            };
            writeln!(self.out, "  by {:<width$}  {}{killed}", removed.step, groups.join(", "))?;
        }
        Ok(())
    }

    fn drops(&mut self, report: &Report<'_>) -> fmt::Result {
        let drops = &report.drops;
        if drops.is_empty() {
            return Ok(());
        }
        let total: usize = drops.iter().map(|alike| alike.count).sum();
        self.title(format_args!("Connections lost: {}", number(total as u64)))?;
        let told = if self.explain { drops.len() } else { WAYS_TOLD };
        for alike in drops.iter().take(told) {
            self.drop(alike)?;
        }
        let (left, more) = drops.iter().skip(told).fold((0, 0), |(n, sum), alike| (n + 1, sum + alike.count));
        if left > 0 {
            let line = format!("{more} more in {}: see --explain", counted(left, "other way"));
            writeln!(self.out, "  {}", styled(FAINT, line))?;
        }
        Ok(())
    }

    fn drop(&mut self, alike: &DropsAlike) -> fmt::Result {
        let about = EndCause::CATALOGUE
            .iter()
            .find(|(id, _)| *id == alike.cause)
            .map_or("", |(_, about)| about.trim().trim_end_matches('.'));
        // A sentence by itself in the catalogue; here the rest of a line.
        let about =
            about.split_at_checked(1).map(|(first, rest)| first.to_lowercase() + rest).unwrap_or_default();
        let whose = if alike.ours { "through the migration" } else { "not through the migration" };
        let when = match (clock(alike.first_at), clock(alike.last_at)) {
            (first, last) if first == last => format!("at {first}"),
            (first, last) => format!("from {first} to {last}"),
        };
        let beyond = match alike.count - alike.within_contract {
            0 => String::new(),
            beyond => format!(", {beyond} beyond their contract"),
        };
        let count = styled(if alike.ours { BAD } else { DOUBTFUL }, format_args!("{:>7}", alike.count));
        writeln!(self.out, "{count}  {} {when}, {whose}{beyond}: {about}", alike.cause)?;
        for link in &alike.chain {
            writeln!(self.out, "           {} {link}", styled(FAINT, "because"))?;
        }
        Ok(())
    }

    fn promises(&mut self, report: &Report<'_>) -> fmt::Result {
        if report.run.promises.is_empty() {
            return Ok(());
        }
        self.title("Promises")?;
        let width = report.run.promises.iter().map(|promise| promise.name.len()).max().unwrap_or_default();
        for promise in &report.run.promises {
            let (style, word) = if promise.held { (GOOD, "held") } else { (BAD, "BROKEN") };
            let word = styled(style, format_args!("{word:<6}"));
            writeln!(self.out, "  {word}  {:<width$}  {}", promise.name, promise.detail)?;
        }
        Ok(())
    }

    fn figures(&mut self, report: &Report<'_>) -> fmt::Result {
        let counts = report.run.recorder.counts;
        if counts.opened == 0 {
            return Ok(());
        }
        self.title("Connections")?;
        let mut parts = vec![
            format!("{} opened", number(counts.opened)),
            format!("{} completed", number(counts.completed)),
            format!("{} moved", number(counts.moved)),
            format!("{} dropped", number(counts.dropped)),
            format!("{} outlived", number(counts.outlived)),
            format!("{} refused", number(counts.refused)),
        ];
        let rest =
            [("degraded", counts.degraded), ("generator", counts.generator), ("unknown", counts.unknown)];
        parts.extend(
            rest.iter()
                .filter(|(_, count)| *count > 0)
                .map(|(word, count)| format!("{} {word}", number(*count))),
        );
        let open = counts.opened.saturating_sub(counts.ended());
        parts.push(format!("{} still open", number(open)));
        writeln!(self.out, "  {}", parts.join(", "))?;
        writeln!(
            self.out,
            "  {} were open within their contract on pods whose removal began",
            number(report.run.exposed)
        )?;
        self.drop_rate(report.figures.drop_rate)?;
        let head = ["p50", "p90", "p99", "p99.9", "max"].map(|name| format!("{name:>11}")).concat();
        writeln!(self.out, "{}", styled(FAINT, format!("  {:<9}{:>11}{head}", "", "count")))?;
        self.summary("connect", &report.figures.connect_latency_micros, micros)?;
        self.summary("message", &report.figures.message_latency_micros, micros)?;
        self.summary("downtime", &report.figures.downtime_millis, span)
    }

    fn drop_rate(&mut self, rate: DropRate) -> fmt::Result {
        let (drops, exposures) = (number(rate.drops), number(rate.exposures));
        match (rate.drops, rate.exposures) {
            (_, 0) => Ok(()),
            (0, _) => writeln!(
                self.out,
                "  none of {exposures} ended by their servers was dropped: the true rate is below {:.2} % (95 % confidence)",
                rate.bound * 100.0
            ),
            _ => writeln!(
                self.out,
                "  {drops} of {exposures} ended by their servers were dropped: {:.1} %",
                rate.drops as f64 * 100.0 / rate.exposures as f64
            ),
        }
    }

    fn summary(&mut self, name: &str, summary: &Summary, told: fn(u64) -> String) -> fmt::Result {
        let count = number(summary.count);
        let values = if summary.count == 0 {
            String::new()
        } else {
            [summary.p50, summary.p90, summary.p99, summary.p999, summary.max]
                .map(|value| format!("{:>11}", told(value)))
                .concat()
        };
        writeln!(self.out, "  {name:<9}{count:>11}{values}")
    }

    fn verdict(&mut self, report: &Report<'_>) -> fmt::Result {
        let run = report.run;
        writeln!(self.out)?;
        self.fact("outcome", &report.outcome)?;
        self.fact(
            "time",
            format_args!("{} virtual, {}", span(run.virtual_ms), counted(run.world.events(), "event")),
        )?;
        self.fact("took", span(u64::try_from(report.wall.as_millis()).unwrap_or(u64::MAX)))?;
        self.fact("digest", format_args!("{:032x}", run.world.digest()))?;
        let (style, word, why): (Style, _, _) = match run.verdict {
            Verdict::Held => (GOOD, "HELD", "every promise held".to_owned()),
            Verdict::Broken => {
                let broken: Vec<&str> =
                    run.promises.iter().filter(|promise| !promise.held).map(|promise| promise.name).collect();
                (BAD, "BROKEN", broken.join(", "))
            }
            Verdict::Inconclusive => (DOUBTFUL, "INCONCLUSIVE", run.why.clone().unwrap_or_default()),
            Verdict::Refused => {
                let mut codes: Vec<&str> = run
                    .findings
                    .iter()
                    .filter(|finding| finding.severity == Severity::Blocking)
                    .map(|finding| finding.code.id())
                    .filter(|code| !report.request.accept.contains(*code))
                    .collect();
                codes.dedup();
                let why = format!("blocking findings: {} (see --accept)", codes.join(", "));
                (DOUBTFUL, "REFUSED", why)
            }
        };
        writeln!(self.out, "\n{}  {why}", styled(style, word))
    }
}
