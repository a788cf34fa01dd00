//! The file that says what traffic a migration must keep: a list of entries, each a Service and one population of its
//! clients. Types and validation; reading the text is left to whoever has a YAML reader.
//!
//! ```yaml
//! - service: shop/front
//!   clients: 2000
//!   lifetime: { shortest: 1m, longest: 1h }
//!   # what follows may be left out; these are the defaults
//!   pause: { shortest: 1s, longest: 1m }
//!   cadence: { shortest: 5s, longest: 45s }
//!   reconnect: { backoff: immediate, budget: 1s }
//!   sources: { first: 198.18.0.0, count: 131072 }
//!   at_sigterm: serve        # or close, or finish
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::duration::format;
use crate::profile::{
    AtSigterm, Backoff, Profile, Reconnect, SourcePool, Spread, default_cadence, default_pause,
};

/// The most clients of one entry: 10 million. More than any load balancer's zone holds, few enough to be simulated.
pub const CLIENTS_MAX: u32 = 10_000_000;

/// A whole file, not yet validated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrafficFile {
    /// The entries, in the order of the file. An entry's place is its population's number in every draw.
    pub entries: Vec<Entry>,
}

/// One population of clients of one Service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The Service, as `namespace/name`.
    pub service: String,
    /// How many clients there are, from 1 to [`CLIENTS_MAX`].
    pub clients: u32,
    /// How long a session stays open if nobody cuts it.
    pub lifetime: Spread,
    /// How long a client stays away between two sessions.
    #[serde(default = "default_pause")]
    pub pause: Spread,
    /// The period of a session's messages.
    #[serde(default = "default_cadence")]
    pub cadence: Spread,
    /// How a client comes back.
    #[serde(default)]
    pub reconnect: Reconnect,
    /// The addresses that clients come from.
    #[serde(default)]
    pub sources: SourcePool,
    /// What the application does when it is told to stop. The same for all entries of a Service.
    #[serde(default)]
    pub at_sigterm: AtSigterm,
}

impl Entry {
    /// The population, named after its Service.
    pub fn profile(&self) -> Profile {
        Profile {
            name: self.service.clone(),
            clients: self.clients,
            lifetime: self.lifetime,
            pause: self.pause,
            cadence: self.cadence,
            sources: self.sources,
            reconnect: self.reconnect,
        }
    }

    /// The Service's namespace and name; none if it is not written as `namespace/name`.
    pub fn namespace_and_name(&self) -> Option<(&str, &str)> {
        self.service.split_once('/').filter(|(namespace, name)| is_label(namespace) && is_label(name))
    }
}

/// What is wrong with a file that could be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrafficError {
    /// There is no entry.
    #[error("the traffic file has no entry; write at least one with service, clients and lifetime")]
    Empty,
    /// An entry says something that cannot be.
    #[error("entry {entry} ({service}): {fault}")]
    Entry {
        /// Which, counted from 1.
        entry: usize,
        /// Its Service, as written.
        service: String,
        /// What cannot be.
        fault: EntryFault,
    },
}

/// What is wrong with one entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryFault {
    /// Not `namespace/name`.
    #[error("service must be namespace/name in lower-case letters, digits and dashes, like shop/front")]
    Service,
    /// None, or too many.
    #[error("clients is {clients}; write a number from 1 to {CLIENTS_MAX}")]
    Clients {
        /// What was written.
        clients: u32,
    },
    /// Limits the wrong way round.
    #[error("{field}: shortest {} is longer than longest {}; swap them", format(*shortest), format(*longest))]
    Order {
        /// Where.
        field: &'static str,
        /// What was written.
        shortest: Duration,
        /// What was written.
        longest: Duration,
    },
    /// A span that must not be zero.
    #[error("{field} is 0s; write at least 1ms")]
    Zero {
        /// Where.
        field: &'static str,
    },
    /// More than a hundred per cent.
    #[error("reconnect.backoff.exponential.jitter_percent is {percent}; write a number from 0 to 100")]
    Jitter {
        /// What was written.
        percent: u8,
    },
    /// No address, or more than there are.
    #[error("sources: {count} addresses from {first} on do not exist; write a count from 1 to {}", u64::from(u32::MAX) - u64::from(u32::from(*first)) + 1)]
    Sources {
        /// What was written.
        first: std::net::Ipv4Addr,
        /// What was written.
        count: u32,
    },
    /// Another entry says that the same application does something else.
    #[error("at_sigterm differs from entry {other} of the same service; an application does one thing")]
    AtSigterm {
        /// The other entry, counted from 1.
        other: usize,
    },
}

impl TrafficFile {
    /// Checks what the types cannot: that limits are ordered, names well formed, entries of a Service consistent. Several
    /// entries for one Service are not an error: they are several kinds of clients.
    ///
    /// # Errors
    ///
    /// The first fault, with its entry and what to write instead.
    pub fn validate(&self) -> Result<(), TrafficError> {
        if self.entries.is_empty() {
            return Err(TrafficError::Empty);
        }
        let mut first_of: BTreeMap<&str, usize> = BTreeMap::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let at = |fault| TrafficError::Entry { entry: index + 1, service: entry.service.clone(), fault };
            check_entry(entry).map_err(at)?;
            let first = *first_of.entry(&entry.service).or_insert(index);
            if self.entries[first].at_sigterm != entry.at_sigterm {
                return Err(at(EntryFault::AtSigterm { other: first + 1 }));
            }
        }
        Ok(())
    }
}

fn check_entry(entry: &Entry) -> Result<(), EntryFault> {
    if entry.namespace_and_name().is_none() {
        return Err(EntryFault::Service);
    }
    if !(1..=CLIENTS_MAX).contains(&entry.clients) {
        return Err(EntryFault::Clients { clients: entry.clients });
    }
    check_order("lifetime", entry.lifetime)?;
    check_order("pause", entry.pause)?;
    check_order("cadence", entry.cadence)?;
    check_above_zero("lifetime.shortest", entry.lifetime.shortest)?;
    check_above_zero("cadence.shortest", entry.cadence.shortest)?;
    check_above_zero("reconnect.budget", entry.reconnect.budget)?;
    if let Backoff::Exponential { first, longest, jitter_percent } = entry.reconnect.backoff {
        check_above_zero("reconnect.backoff.exponential.first", first)?;
        if first > longest {
            let field = "reconnect.backoff.exponential";
            return Err(EntryFault::Order { field, shortest: first, longest });
        }
        if jitter_percent > 100 {
            return Err(EntryFault::Jitter { percent: jitter_percent });
        }
    }
    if !entry.sources.is_valid() {
        return Err(EntryFault::Sources { first: entry.sources.first, count: entry.sources.count });
    }
    Ok(())
}

fn check_order(field: &'static str, spread: Spread) -> Result<(), EntryFault> {
    let Spread { shortest, longest } = spread;
    if spread.is_ordered() { Ok(()) } else { Err(EntryFault::Order { field, shortest, longest }) }
}

fn check_above_zero(field: &'static str, span: Duration) -> Result<(), EntryFault> {
    if span.as_millis() > 0 { Ok(()) } else { Err(EntryFault::Zero { field }) }
}

/// Whether a text is a DNS label as Kubernetes wants it (RFC 1123).
fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests;
