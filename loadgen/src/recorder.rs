//! What all sessions of a run together came to: how many ended how, how long connects and messages took, when Services
//! were down.
//!
//! Judges single ends by [`crate::outcome`]; adds only what needs the whole: the contract, the windows of downtime, the
//! distribution. Recorders of several workers or runs are merged by addition, never by averaging percentiles. Stays the
//! same size however many messages a run has; each *outage* is kept, because windows are merged at the end.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::confidence::drop_rate_bound;
use crate::outcome::{EndCause, Verdict};

/// Whether a session was still within the span for which its Service promises to keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contract {
    /// It was: losing it is a drop.
    Within,
    /// It had lived longer: losing it counts as outlived.
    Beyond,
}

/// How many sessions began and how they ended. Every session that ended is counted in exactly one field but `opened`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Clients tried to connect for the first time.
    pub opened: u64,
    /// The client closed at the end of its lifetime.
    pub completed: u64,
    /// The server closed in order, and the client moved on.
    pub moved: u64,
    /// Lost within the contract, after the connection was established.
    pub dropped: u64,
    /// Lost, but beyond the contract.
    pub outlived: u64,
    /// Never established, and not by the generator's fault.
    pub refused: u64,
    /// Ended late, slow or elsewhere than it should.
    pub degraded: u64,
    /// Ended by the generator's own fault.
    pub generator: u64,
    /// Ended in a way that cannot be judged.
    pub unknown: u64,
}

impl Counts {
    /// Sessions that have ended.
    pub fn ended(&self) -> u64 {
        self.completed
            + self.moved
            + self.dropped
            + self.outlived
            + self.refused
            + self.degraded
            + self.generator
            + self.unknown
    }

    fn add(&mut self, other: &Counts) {
        self.opened += other.opened;
        self.completed += other.completed;
        self.moved += other.moved;
        self.dropped += other.dropped;
        self.outlived += other.outlived;
        self.refused += other.refused;
        self.degraded += other.degraded;
        self.generator += other.generator;
        self.unknown += other.unknown;
    }
}

/// A span in which a stream, or several merged, had no proof of life. Times are milliseconds from the start of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Downtime {
    /// The last proof of life before.
    pub from_at: u64,
    /// The first proof of life after.
    pub until_at: u64,
    /// How many outages of single streams it consists of.
    pub outages: u64,
}

/// A distribution in figures, in the unit of the field that holds it. All are zero where nothing was recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// How many values there are. The highest percentiles mean something only if several values lie beyond them.
    pub count: u64,
    /// Half of the values are at most this; like all percentiles rounded up by at most 1 %, and never beyond `max`.
    pub p50: u64,
    /// Nine of ten are at most this.
    pub p90: u64,
    /// 99 of 100 are at most this.
    pub p99: u64,
    /// 999 of 1,000 are at most this.
    pub p999: u64,
    /// The greatest value, exactly.
    pub max: u64,
}

/// Values of one kind, in about 10 KB whatever their number.
#[derive(Debug, Clone)]
pub struct Distribution {
    histogram: Histogram<u64>,
    max: u64,
}

impl Distribution {
    /// For values up to `highest`, which must be at least 2; greater ones count as `highest`, except in [`Summary::max`].
    ///
    /// # Panics
    ///
    /// If `highest` is below 2.
    fn up_to(highest: u64) -> Distribution {
        // Two digits: an error of 1 % is below what two runs differ by.
        let histogram =
            Histogram::new_with_max(highest, 2).expect("the highest value is at least 2, two digits fit");
        Distribution { histogram, max: 0 }
    }

    /// Adds a value.
    pub fn record(&mut self, value: u64) {
        self.histogram.saturating_record(value);
        self.max = self.max.max(value);
    }

    /// The distribution in figures.
    pub fn summary(&self) -> Summary {
        let at = |quantile| self.histogram.value_at_quantile(quantile).min(self.max);
        Summary {
            count: self.histogram.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: self.max,
        }
    }

    fn add(&mut self, other: &Distribution) {
        self.histogram.add(&other.histogram).expect("distributions of one field have the same limits");
        self.max = self.max.max(other.max);
    }
}

/// The account of one run, or of several merged.
#[derive(Debug, Clone)]
pub struct Recorder {
    /// How many sessions began and how they ended.
    pub counts: Counts,
    /// How many sessions ended for each cause, by [`EndCause::id`]; those beyond their contract included.
    pub causes: BTreeMap<&'static str, u64>,
    /// How long connects took, in microseconds, up to an hour.
    pub connect_latency: Distribution,
    /// How long messages took from when they were due to their answer, in microseconds, up to an hour.
    pub message_latency: Distribution,
    /// How long single streams were down, in milliseconds, up to a day.
    pub downtime: Distribution,
    outages: Vec<Downtime>,
}

impl Default for Recorder {
    fn default() -> Recorder {
        Recorder {
            counts: Counts::default(),
            causes: BTreeMap::new(),
            connect_latency: Distribution::up_to(3_600_000_000),
            message_latency: Distribution::up_to(3_600_000_000),
            downtime: Distribution::up_to(86_400_000),
            outages: Vec::new(),
        }
    }
}

impl Recorder {
    /// A client tries to connect.
    pub fn on_opened(&mut self) {
        self.counts.opened += 1;
    }

    /// A connection is established, so many microseconds after it was due.
    pub fn on_connected(&mut self, latency: u64) {
        self.connect_latency.record(latency);
    }

    /// A message is answered, so many microseconds after it was due.
    pub fn on_answered(&mut self, latency: u64) {
        self.message_latency.record(latency);
    }

    /// A session ends. What it suffered on the way counts only if it is its end.
    pub fn on_ended(&mut self, cause: EndCause, contract: Contract) {
        *self.causes.entry(cause.id()).or_default() += 1;
        let counts = &mut self.counts;
        let count = match (cause.verdict(), contract) {
            (Verdict::Planned, _) if cause == EndCause::ClientDone => &mut counts.completed,
            (Verdict::Planned, _) => &mut counts.moved,
            (Verdict::Drop, _) if cause.is_before_established() => &mut counts.refused,
            (Verdict::Drop, Contract::Within) => &mut counts.dropped,
            (Verdict::Drop, Contract::Beyond) => &mut counts.outlived,
            (Verdict::Degraded, _) => &mut counts.degraded,
            (Verdict::Generator, _) => &mut counts.generator,
            (Verdict::Unknown, _) => &mut counts.unknown,
        };
        *count += 1;
    }

    /// Sessions end as their clients wish, some of them `moved`: on a pod that was being removed.
    pub fn on_completed(&mut self, sessions: u64, moved: u64) {
        if sessions > 0 {
            *self.causes.entry(EndCause::ClientDone.id()).or_default() += sessions;
            self.counts.completed += sessions - moved;
            self.counts.moved += moved;
        }
    }

    /// A stream was down from its last proof of life to its first proof of life after, in milliseconds of the run. An
    /// outage that ends before it begins has no length.
    pub fn on_outage(&mut self, from_at: u64, until_at: u64) {
        let until_at = until_at.max(from_at);
        self.downtime.record(until_at - from_at);
        self.outages.push(Downtime { from_at, until_at, outages: 1 });
    }

    /// The outages of all streams as windows, in order. Outages less than twice `period` apart are one window: between
    /// them, streams that speak once a period cannot tell a recovery from a gap between two messages.
    pub fn windows(&self, period: u64) -> Vec<Downtime> {
        let mut outages = self.outages.clone();
        outages.sort_unstable();
        let mut windows: Vec<Downtime> = Vec::new();
        for outage in outages {
            match windows.last_mut() {
                Some(last)
                    if outage.from_at <= last.until_at
                        || outage.from_at - last.until_at < period.saturating_mul(2) =>
                {
                    last.until_at = last.until_at.max(outage.until_at);
                    last.outages += outage.outages;
                }
                _ => windows.push(outage),
            }
        }
        windows
    }

    /// Adds another account, as of a second worker or run on the same clock.
    pub fn merge(&mut self, other: &Recorder) {
        self.counts.add(&other.counts);
        for (&cause, count) in &other.causes {
            *self.causes.entry(cause).or_default() += count;
        }
        self.connect_latency.add(&other.connect_latency);
        self.message_latency.add(&other.message_latency);
        self.downtime.add(&other.downtime);
        self.outages.extend_from_slice(&other.outages);
    }

    /// The account in figures. `period`, in milliseconds, is how often the streams speak; see [`Recorder::windows`].
    pub fn report(&self, period: u64) -> Report {
        let moves = self.counts.moved + self.counts.dropped;
        Report {
            counts: self.counts,
            causes: self.causes.clone(),
            connect_latency_micros: self.connect_latency.summary(),
            message_latency_micros: self.message_latency.summary(),
            downtime_millis: self.downtime.summary(),
            downtime_windows: self.windows(period),
            drop_rate: DropRate {
                drops: self.counts.dropped,
                exposures: moves,
                bound: drop_rate_bound(self.counts.dropped, moves),
            },
        }
    }
}

/// What was seen of a drop rate, and what that proves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DropRate {
    /// Drops seen.
    pub drops: u64,
    /// Exposures: here, connections that the server ended, in order or not.
    pub exposures: u64,
    /// The true rate is below this with 95 % confidence, if drops are independent; see [`crate::confidence`].
    pub bound: f64,
}

/// A [`Recorder`] in figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// How many sessions began and how they ended.
    pub counts: Counts,
    /// How many sessions ended for each cause.
    pub causes: BTreeMap<&'static str, u64>,
    /// How long connects took.
    pub connect_latency_micros: Summary,
    /// How long messages took from when they were due.
    pub message_latency_micros: Summary,
    /// How long single streams were down.
    pub downtime_millis: Summary,
    /// When streams were down, merged.
    pub downtime_windows: Vec<Downtime>,
    /// What the moves prove.
    pub drop_rate: DropRate,
}

#[cfg(test)]
mod tests;
