//! `--log FILTER`: what the parts of the program say to whoever looks for a fault, on standard error. Off unless asked for.
//!
//! Others' parts are let through to a limit: below it, some of them write requests with all their headers, and with those
//! whatever lets the bearer in.

use std::io;

use anyhow::{Result, anyhow};
use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer as _, filter::filter_fn, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

/// The crates of this program, which never hold what lets the bearer in.
const OURS: [&str; 5] = ["loadgen", "migrator", "nodeferry", "scenarios", "simulator"];

/// Begins to write.
///
/// # Errors
/// Where the filter makes no sense.
pub(crate) fn begin(filter: &str) -> Result<()> {
    let filter = EnvFilter::try_new(filter).map_err(|error| anyhow!("--log {filter}: {error}"))?;
    let written = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(io::stderr)
        .with_filter(filter_fn(passes))
        .with_filter(filter);
    tracing_subscriber::registry().with(written).init();
    Ok(())
}

/// Whether somebody's words may be written at all: ours always, the Kubernetes client's without bodies and headers, those of
/// others where they are meant for operators.
fn passes(metadata: &Metadata<'_>) -> bool {
    let crate_name = metadata.target().split("::").next().unwrap_or_default();
    let least = match crate_name {
        name if OURS.contains(&name) => Level::TRACE,
        "kube_client" | "kube_runtime" => Level::DEBUG,
        _ => Level::INFO,
    };
    *metadata.level() <= least
}
