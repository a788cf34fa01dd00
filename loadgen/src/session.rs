//! When each connection of a population opens, how long it wants to stay, when it speaks. A *session* is client i's
//! k-th connection.
//!
//! Everything about a session follows from `hash(seed, service, client, ordinal)`, never from the order of draws or from
//! what became of an earlier session: two runs of one seed offer the same sessions, whatever a migration does to them.
//! The schedule is open-loop for the same reason: a client that was cut does not come back earlier or later for it.
//!
//! All times are whole milliseconds from the start of the run. They are plain numbers because a simulation visits
//! millions of them; what is rarely asked for (port, zone, target) is derived when asked.

use crate::chance::{LogUniform, Seed, below, mix};
use crate::duration::millis;
use crate::profile::{Profile, SourcePool};

/// The span in which the first sessions of all clients open, in milliseconds. Short enough that a run reaches its load
/// before a migration begins, long enough that the connects do not arrive in one burst.
pub const RAMP_MS: u64 = 10_000;

/// One connection that a client wants to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Which client of its profile, from 0.
    pub client: u32,
    /// Which connection of that client, from 0.
    pub ordinal: u32,
    /// When the client connects.
    pub opens_at: u64,
    /// How long the connection stays open if nobody cuts it, at least 1 ms.
    pub lifetime: u64,
    /// The hash of seed, service and client.
    client_bits: u64,
    /// The hash of seed, service, client and ordinal; everything below is drawn from it.
    bits: u64,
}

/// What a session's bits are drawn for. Each use has its own, so that no two are correlated.
#[derive(Clone, Copy)]
enum Draw {
    Lifetime = 1,
    Residual,
    Opening,
    Pause,
    Cadence,
    Port,
    Zone,
    Target,
    Reconnect,
}

impl Session {
    /// When the client closes the connection if nobody cuts it before.
    #[inline]
    pub fn ends_at(&self) -> u64 {
        self.opens_at + self.lifetime
    }

    /// The client's port, in the range that Linux draws from by default, 32768 to 60999 (ip(7),
    /// `ip_local_port_range`). Sessions that are open at the same time may share one, as clients behind one NAT do not:
    /// tell connections apart by client and ordinal.
    pub fn source_port(&self) -> u16 {
        32_768 + below(self.draw(Draw::Port), 28_232) as u16
    }

    /// 64 bits that decide which of the load balancer's zones the client's name lookup returns.
    #[inline]
    pub fn zone_pick(&self) -> u64 {
        self.draw(Draw::Zone)
    }

    /// 64 bits that decide which target the load balancer picks, as its flow hash would.
    pub fn target_pick(&self) -> u64 {
        self.draw(Draw::Target)
    }

    /// 64 bits for [`crate::profile::Backoff::wait_before`] at try number `attempt`.
    pub fn reconnect_pick(&self, attempt: u32) -> u64 {
        mix(self.draw(Draw::Reconnect) ^ u64::from(attempt))
    }

    /// 64 bits for a use of the caller's own, told apart by `purpose`.
    #[inline]
    pub fn pick(&self, purpose: u64) -> u64 {
        mix(self.bits ^ mix(!purpose))
    }

    /// The session with its identity, not yet its times.
    fn unplaced(client: u32, client_bits: u64, ordinal: u32) -> Session {
        let bits = mix(client_bits ^ mix(u64::from(ordinal)));
        Session { client, ordinal, opens_at: 0, lifetime: 0, client_bits, bits }
    }

    fn draw(&self, what: Draw) -> u64 {
        mix(self.bits ^ (what as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

/// The open-loop schedule of one population: a [`Profile`] with its logarithms taken and its part of the hash made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// How many clients there are, as in the profile.
    pub clients: u32,
    /// The hash of seed and service.
    prefix: u64,
    lifetime: LogUniform,
    lifetime_shortest: u64,
    lifetime_longest: u64,
    pause: LogUniform,
    cadence: LogUniform,
    sources: SourcePool,
}

impl Schedule {
    /// The schedule of population number `service` in a run.
    pub fn new(seed: Seed, service: u32, profile: &Profile) -> Schedule {
        let lifetime_shortest = millis(profile.lifetime.shortest).max(1);
        Schedule {
            clients: profile.clients,
            prefix: seed.hash(&[u64::from(service)]),
            lifetime: profile.lifetime.log_uniform(),
            lifetime_shortest,
            lifetime_longest: millis(profile.lifetime.longest).max(lifetime_shortest),
            pause: profile.pause.log_uniform(),
            cadence: profile.cadence.log_uniform(),
            sources: profile.sources,
        }
    }

    /// The session that a client holds when the run begins.
    ///
    /// It stands for one that is already under way, so that the first hour of a run looks like any other: a renewal
    /// process seen at a random moment shows an interval in proportion to its length. The density of log-uniform
    /// lifetimes falls as 1/L; times L it is constant, so the interval met is *uniform* between the limits, and what is
    /// left of it uniform in 0..=L. Pauses are not met: every client begins connected, which only adds load. It
    /// connects within [`RAMP_MS`], because somebody has to open it.
    pub fn first(&self, client: u32) -> Session {
        let mut session = Session::unplaced(client, self.client_bits(client), 0);
        let met = self.lifetime_shortest
            + below(session.draw(Draw::Lifetime), self.lifetime_longest - self.lifetime_shortest + 1);
        session.lifetime = below(session.draw(Draw::Residual), met + 1).max(1);
        session.opens_at = below(session.draw(Draw::Opening), RAMP_MS);
        session
    }

    /// The client's next session. It opens one lifetime and one pause after this one, whatever became of this one.
    pub fn next(&self, session: &Session) -> Session {
        self.next_at(session, session.ends_at() + self.pause(session))
    }

    /// The client's next session, for a caller that knows already when it opens: one lifetime and one
    /// [`pause`](Schedule::pause) after this one.
    #[inline]
    pub fn next_at(&self, session: &Session, opens_at: u64) -> Session {
        let mut next =
            Session::unplaced(session.client, session.client_bits, session.ordinal.wrapping_add(1));
        next.lifetime = self.lifetime.draw(next.draw(Draw::Lifetime));
        next.opens_at = opens_at;
        next
    }

    /// Client `client`'s connection number `ordinal`. Costs one step for each session before it; a driver keeps the
    /// session and calls [`Schedule::next`].
    pub fn session(&self, client: u32, ordinal: u32) -> Session {
        (0..ordinal).fold(self.first(client), |session, _| self.next(&session))
    }

    /// How long the client stays away after this session.
    #[inline]
    pub fn pause(&self, session: &Session) -> u64 {
        self.pause.draw(session.draw(Draw::Pause))
    }

    /// The period of the session's messages. The first is sent on opening, number n at `opens_at + n * cadence`.
    pub fn cadence(&self, session: &Session) -> u64 {
        self.cadence.draw(session.draw(Draw::Cadence))
    }

    /// When the last message was due at `now`; the opening if `now` is earlier.
    pub fn last_message_at(&self, session: &Session, now: u64) -> u64 {
        let cadence = self.cadence(session);
        let open_for = now.min(session.ends_at()).saturating_sub(session.opens_at);
        session.opens_at + open_for / cadence * cadence
    }

    /// When the first message after `now` is due; none if the session ends before it.
    pub fn next_message_at(&self, session: &Session, now: u64) -> Option<u64> {
        if now < session.opens_at {
            return Some(session.opens_at);
        }
        let cadence = self.cadence(session);
        let due_at = session.opens_at + ((now - session.opens_at) / cadence + 1) * cadence;
        (due_at < session.ends_at()).then_some(due_at)
    }

    /// The client's address, the same for all its sessions, in host order.
    pub fn source_address(&self, client: u32) -> u32 {
        self.sources.pick(mix(self.client_bits(client)))
    }

    fn client_bits(&self, client: u32) -> u64 {
        mix(self.prefix ^ mix(u64::from(client)))
    }
}

/// Client `client`'s connection number `ordinal` of population number `service`.
pub fn session(seed: Seed, service: u32, profile: &Profile, client: u32, ordinal: u32) -> Session {
    Schedule::new(seed, service, profile).session(client, ordinal)
}

#[cfg(test)]
mod tests;
