//! What a population of clients does: how many there are, how long they stay, how often they speak, how they come back.
//!
//! A profile describes; [`crate::session`] turns it into single connections. What the *application* does when it is
//! told to stop stands here too ([`AtSigterm`]), because it decides how a session ends.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::chance::{LogUniform, below};
use crate::duration::{self, millis};

/// One population of clients of one Service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// What reports call it, usually `namespace/service`.
    pub name: String,
    /// How many clients there are; each holds at most one connection at a time. Zero means no traffic.
    pub clients: u32,
    /// How long a session stays open if nobody cuts it.
    pub lifetime: Spread,
    /// How long a client stays away between two sessions.
    #[serde(default = "default_pause")]
    pub pause: Spread,
    /// The period of a session's messages, drawn once a session. Its longest value is the longest silence that a load
    /// balancer's idle timeout must bear.
    #[serde(default = "default_cadence")]
    pub cadence: Spread,
    /// The addresses that clients come from.
    #[serde(default)]
    pub sources: SourcePool,
    /// How a client comes back after it lost its connection.
    #[serde(default)]
    pub reconnect: Reconnect,
}

/// Limits of a span that is drawn log-uniformly: every doubling is equally likely, as lifetimes from seconds to hours
/// want it. Both limits are included; [`Spread::is_ordered`] must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// The least value that occurs. Zero counts as one millisecond when drawn.
    #[serde(with = "duration")]
    pub shortest: Duration,
    /// The greatest value that occurs.
    #[serde(with = "duration")]
    pub longest: Duration,
}

impl Spread {
    /// The limits in seconds.
    pub const fn secs(shortest: u64, longest: u64) -> Spread {
        Spread { shortest: Duration::from_secs(shortest), longest: Duration::from_secs(longest) }
    }

    /// Whether the shortest value is not longer than the longest.
    pub fn is_ordered(&self) -> bool {
        self.shortest <= self.longest
    }

    /// The draw between the limits, in milliseconds.
    pub fn log_uniform(&self) -> LogUniform {
        LogUniform::new(millis(self.shortest), millis(self.longest))
    }
}

/// The addresses that clients come from: `count` consecutive ones. A client keeps its address for all its sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourcePool {
    /// The first address.
    pub first: Ipv4Addr,
    /// How many there are, at least 1. Small enough and many clients share an address, as behind a company's NAT.
    pub count: u32,
}

impl SourcePool {
    /// The address at a position drawn with 64 uniform bits, as a number in host order.
    pub fn pick(&self, bits: u64) -> u32 {
        u32::from(self.first).wrapping_add(below(bits, u64::from(self.count.max(1))) as u32)
    }

    /// Whether the pool has an address and ends within the address space.
    pub fn is_valid(&self) -> bool {
        self.count >= 1 && u32::from(self.first).checked_add(self.count - 1).is_some()
    }
}

impl Default for SourcePool {
    /// 198.18.0.0/15, which RFC 2544 sets aside for benchmarks: no real client, node or pod has such an address.
    fn default() -> SourcePool {
        SourcePool { first: Ipv4Addr::new(198, 18, 0, 0), count: 1 << 17 }
    }
}

/// How a client comes back after it lost its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reconnect {
    /// How long it waits before each try.
    #[serde(default)]
    pub backoff: Backoff,
    /// How long after its first try it must be connected again for a planned close to stay planned; the client's own
    /// wait before that try is not the cluster's fault and does not count. Default 1 s: people notice more, and a TCP
    /// connection whose first SYN is lost takes just over 1 s, so that this loss shows.
    #[serde(default = "default_budget", with = "duration")]
    pub budget: Duration,
}

impl Default for Reconnect {
    fn default() -> Reconnect {
        Reconnect { backoff: Backoff::default(), budget: default_budget() }
    }
}

/// How long a client waits before it tries to connect again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Backoff {
    /// Not at all.
    #[default]
    Immediate,
    /// The same span before each try.
    Fixed {
        /// That span, zero or longer.
        #[serde(with = "duration")]
        every: Duration,
    },
    /// A span that doubles with each try.
    Exponential {
        /// Before the first try.
        #[serde(with = "duration")]
        first: Duration,
        /// It never grows beyond this.
        #[serde(with = "duration")]
        longest: Duration,
        /// How much of each span is left to chance, in percent, 0 to 100: at 50, a span of 8 s becomes 4 s to 8 s.
        /// Default 50: enough that clients that were cut together do not come back together.
        #[serde(default = "default_jitter_percent")]
        jitter_percent: u8,
    },
}

impl Backoff {
    /// The wait before try number `attempt`, counted from 1, in milliseconds. `bits` are 64 uniform bits.
    pub fn wait_before(&self, attempt: u32, bits: u64) -> u64 {
        match *self {
            Backoff::Immediate => 0,
            Backoff::Fixed { every } => millis(every),
            Backoff::Exponential { first, longest, jitter_percent } => {
                // Beyond 2^40 ms, 35 years, every span is at its longest.
                let doublings = attempt.saturating_sub(1).min(40);
                let whole = millis(first).saturating_mul(1 << doublings).min(millis(longest));
                let by_chance = whole / 100 * u64::from(jitter_percent.min(100))
                    + whole % 100 * u64::from(jitter_percent.min(100)) / 100;
                whole - by_chance + below(bits, by_chance + 1)
            }
        }
    }
}

/// What an application does with its open connections when it receives SIGTERM.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AtSigterm {
    /// It closes them and exits.
    #[serde(rename = "close")]
    CloseAtOnce,
    /// It answers what is in flight, announces the end in its protocol, closes and exits.
    #[serde(rename = "finish")]
    FinishWithNotice,
    /// It serves on until its clients leave or it is killed: the case that a long grace period is for.
    #[default]
    #[serde(rename = "serve")]
    ServeUntilClientsLeave,
}

/// 1 s to 60 s: short enough that most clients are connected most of the time, long enough that connects are spread.
pub const fn default_pause() -> Spread {
    Spread::secs(1, 60)
}

/// 5 s to 45 s, inside the 60 s below which a TCP listener's idle timeout cannot be set.
pub const fn default_cadence() -> Spread {
    Spread::secs(5, 45)
}

const fn default_budget() -> Duration {
    Duration::from_secs(1)
}

const fn default_jitter_percent() -> u8 {
    50
}

#[cfg(test)]
mod tests;
