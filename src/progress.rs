//! What is shown while a migration runs: on a terminal one line that says what is waited for, elsewhere a line for each
//! change. What is written stands above it, one line a write.

use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal as _, Write as _},
    path::Path,
};

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use scenarios::{
    action::{Answer, Wait},
    outline,
    shell::{
        audit,
        shell::{Tell, Told},
    },
};

use crate::{
    arguments::{Color, cluster::Drive},
    metrics::Metrics,
    output::{BAD, FAINT, GOOD, print_err, styled},
    session::Session,
};

/// Where progress goes.
pub(crate) struct Progress {
    color: Color,
    terminal: bool,
    audit: Option<File>,
    metrics: Option<Metrics>,
    step: &'static str,
    waited: String,
}

impl Progress {
    /// Progress on standard error, and an audit log where one is asked for.
    pub(crate) fn new(color: Color, audit: Option<&Path>) -> Result<Progress> {
        let open = |path: &Path| {
            let opened = OpenOptions::new().create(true).append(true).open(path);
            opened.with_context(|| format!("--audit {}: cannot be written", path.display()))
        };
        Ok(Progress {
            color,
            terminal: io::stderr().is_terminal(),
            audit: audit.map(open).transpose()?,
            metrics: None,
            step: "",
            waited: String::new(),
        })
    }

    /// As for a migration that is carried out: with an audit log and metrics, where they are asked for.
    pub(crate) async fn of(asked: &Drive, session: &Session, color: Color) -> Result<Progress> {
        let mut progress = Progress::new(color, asked.audit.as_deref())?;
        if let Some(address) = asked.metrics_addr {
            let (metrics, address) = Metrics::serve(address, session.clock).await?;
            progress.line(session.clock.now(), &format!("metrics at http://{address}/metrics"));
            progress.metrics = Some(metrics);
        }
        Ok(progress)
    }

    /// The metrics, to be told how it ends.
    pub(crate) fn metrics(&self) -> Option<Metrics> {
        self.metrics.clone()
    }

    /// As the shell tells it.
    pub(crate) fn tell(&mut self) -> Box<Tell<'_>> {
        Box::new(|told, at| self.on(&told, at))
    }

    fn on(&mut self, told: &Told<'_>, at: Timestamp) {
        if let Some(metrics) = &self.metrics {
            metrics.on(told);
        }
        match told {
            Told::Looked(_) => {}
            Told::Sent { plan, cluster, action, answer, why } => {
                if let Some(file) = &mut self.audit {
                    let line = audit::entry(plan, cluster, action, answer, *why, at);
                    // A log that cannot be written must not leave a cluster half migrated.
                    if let Err(error) = written(file, &format!("{line}\n")) {
                        self.audit = None;
                        self.line(
                            at,
                            &format!("{} the audit log cannot be written: {error}", styled(BAD, "!")),
                        );
                    }
                }
                let done = matches!(answer, Answer::Done(_));
                // The lock is renewed all the time, and the journal follows every step.
                if done && matches!(action.phase, "lock") {
                    return;
                }
                self.enter(action.phase, at);
                let summary = audit::summary(&action.write);
                if done && summary == "write the journal" {
                    return;
                }
                let text = match why {
                    None => summary,
                    Some(why) => format!("{summary}: {} ({why})", styled(BAD, audit::word(answer))),
                };
                self.line(at, &text);
            }
            Told::Waiting(wait) => {
                self.enter(wait.for_what.phase, at);
                self.waiting(wait, at);
            }
            Told::Trouble(text) => self.line(at, &format!("{} {text}", styled(BAD, "!"))),
            Told::Refused(text) => self.line(at, &format!("{} not done: {text}", styled(BAD, "!"))),
        }
    }

    fn enter(&mut self, phase: &str, at: Timestamp) {
        let Some(step) = outline::step_of(phase).filter(|step| step.name != self.step) else { return };
        self.step = step.name;
        self.line(at, &format!("{}: {}", styled(GOOD, step.name), step.does));
    }

    fn waiting(&mut self, wait: &Wait, at: Timestamp) {
        let reason = &wait.for_what;
        let text = format!("waiting for {}: {}, wanted {}", reason.what, reason.seen, reason.wanted);
        if self.terminal {
            let left = wait.until.map(|until| until.duration_since(at).as_secs().max(0));
            let left = left.map_or(String::new(), |left| format!(", {} left", span(left)));
            print_err(&format!("\r\x1b[K{}", styled(FAINT, format_args!("{text}{left}"))), self.color);
        } else if self.waited != text {
            self.line(at, &text);
        }
        self.waited = text;
    }

    fn line(&mut self, at: Timestamp, text: &str) {
        let clear = if self.terminal { "\r\x1b[K" } else { "" };
        let time = at.strftime("%H:%M:%S").to_string();
        print_err(&format!("{clear}{} {text}\n", styled(FAINT, time)), self.color);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.terminal && !self.waited.is_empty() {
            print_err("\r\x1b[K", self.color);
        }
    }
}

/// A line of the log, which is on the disk when this returns: what the cluster was told must be found again after a crash of
/// this machine. What cannot be made durable (a pipe, a terminal) need not be.
fn written(file: &mut File, line: &str) -> io::Result<()> {
    file.write_all(line.as_bytes())?;
    match file.sync_data() {
        Err(error) if !matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Err(error)
        }
        _ => Ok(()),
    }
}

/// Seconds, in the two largest units that matter.
pub(crate) fn span(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
    }
}
