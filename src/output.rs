//! Where output goes: results to standard output, complaints and progress to standard error; colours only where somebody
//! sees them. A reader that goes away (`| head`) ends the output, not the command.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use anyhow::Result;

use crate::arguments::Color;

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const FAINT: Style = Style::new().dimmed();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();

/// After this long, a command that shows nothing seems stuck.
const PATIENCE: Duration = Duration::from_secs(1);

/// A text in a style. What is written to no terminal loses it again in [`print`].
pub(crate) fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Prints a result.
pub(crate) fn print(text: &str, color: Color) -> Result<()> {
    let mut out = AutoStream::new(io::stdout().lock(), choice(color));
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Prints progress to standard error, as it is.
#[cfg(feature = "live")]
pub(crate) fn print_err(text: &str, color: Color) {
    let mut out = AutoStream::new(io::stderr().lock(), choice(color));
    // Where standard error is closed, nobody is there to be told.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints why a command could not be carried out.
pub(crate) fn complain(error: &anyhow::Error, color: Color) {
    let mut told: Vec<String> = error.chain().map(ToString::to_string).collect();
    // An error that stands for another one says the same.
    told.dedup();
    let text = format!("{} {}\n", styled(BAD, "error:"), told.join(": "));
    let mut out = AutoStream::new(io::stderr().lock(), choice(color));
    // Where standard error is closed, nobody is there to be told.
    let _ = out.write_all(text.as_bytes());
}

fn choice(color: Color) -> ColorChoice {
    match color {
        Color::Auto => ColorChoice::Auto,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    }
}

/// Runs `work` and says how long it took. If that is long and somebody watches, says meanwhile what is being done.
pub(crate) fn timed<T>(doing: &str, work: impl FnOnce() -> T) -> (T, Duration) {
    let started_at = now();
    if !io::stderr().is_terminal() {
        let done = work();
        return (done, started_at.elapsed());
    }
    thread::scope(|scope| {
        let (finished, waiting) = mpsc::channel::<()>();
        scope.spawn(move || {
            let mut shown = false;
            while let Err(RecvTimeoutError::Timeout) = waiting.recv_timeout(PATIENCE) {
                let mut out = io::stderr().lock();
                let _ = write!(out, "\r{doing}: {} s", started_at.elapsed().as_secs());
                let _ = out.flush();
                shown = true;
            }
            if shown {
                // Clears the line.
                let _ = write!(io::stderr().lock(), "\r\x1b[K");
            }
        });
        let done = work();
        drop(finished);
        (done, started_at.elapsed())
    })
}

#[expect(clippy::disallowed_methods, reason = "the command line's own timing, which enters no digest")]
fn now() -> Instant {
    Instant::now()
}
