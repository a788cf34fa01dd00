//! How much is under way at a time: bodies that arrive, answers that wait for their clients, requests a second.
//!
//! Whoever finds no room is told so in its API's own words, and to come again.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// Bytes of bodies that are being received at a time: twenty of the largest, thousands of the usual ones.
const BODIES_BYTES_MAX: usize = 64 << 20;

/// Bytes of answers that wait for their clients at a time. One that is larger has all of it to itself.
const ANSWERS_BYTES_MAX: usize = 256 << 20;

/// Room is counted in pieces of this many bytes.
const PIECE: usize = 1 << 10;

/// Room for what is under way, of all connections together.
#[derive(Debug)]
pub(super) struct Room {
    bodies: Arc<Semaphore>,
    answers: Arc<Semaphore>,
}

/// A part of it, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Room {
    pub(super) fn new() -> Room {
        let of = |bytes: usize| Arc::new(Semaphore::new(bytes / PIECE));
        Room { bodies: of(BODIES_BYTES_MAX), answers: of(ANSWERS_BYTES_MAX) }
    }

    /// Waits for room for a body of at most this many bytes.
    pub(super) async fn for_body(&self, bytes: usize) -> Option<Place> {
        let permit = self.bodies.clone().acquire_many_owned(pieces(bytes, BODIES_BYTES_MAX)).await.ok()?;
        Some(Place { _permit: permit })
    }

    /// Room for an answer, if there is any.
    pub(super) fn for_answer(&self, bytes: usize) -> Option<Place> {
        let permit = self.answers.clone().try_acquire_many_owned(pieces(bytes, ANSWERS_BYTES_MAX)).ok()?;
        Some(Place { _permit: permit })
    }
}

fn pieces(bytes: usize, most: usize) -> u32 {
    u32::try_from(bytes.min(most).div_ceil(PIECE)).unwrap_or(u32::MAX)
}

/// So many requests a second and no more; a second's worth may come at once.
#[derive(Debug)]
pub(super) struct Throttle {
    per_second: u32,
    left: f64,
    at: Instant,
}

impl Throttle {
    pub(super) fn new(per_second: u32, now: Instant) -> Throttle {
        Throttle { per_second, left: f64::from(per_second), at: now }
    }

    /// Whether one more is let in.
    pub(super) fn admits(&mut self, now: Instant) -> bool {
        let passed: Duration = now.saturating_duration_since(self.at);
        let most = f64::from(self.per_second);
        self.left = (self.left + passed.as_secs_f64() * most).min(most);
        self.at = now;
        let admits = self.left >= 1.0;
        if admits {
            self.left -= 1.0;
        }
        admits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_throttle_lets_in_what_it_says_and_no_more() {
        let start = Instant::now();
        let mut throttle = Throttle::new(10, start);
        let let_in =
            |throttle: &mut Throttle, at: Duration| (0..30).filter(|_| throttle.admits(start + at)).count();
        assert_eq!(let_in(&mut throttle, Duration::ZERO), 10);
        assert_eq!(let_in(&mut throttle, Duration::from_millis(500)), 5);
        assert_eq!(let_in(&mut throttle, Duration::from_secs(60)), 10);
    }

    #[test]
    fn an_answer_larger_than_the_room_has_it_alone() {
        let room = Room::new();
        let whole = room.for_answer(usize::MAX).unwrap();
        assert!(room.for_answer(1).is_none());
        drop(whole);
        let half = room.for_answer(ANSWERS_BYTES_MAX / 2).unwrap();
        assert!(room.for_answer(ANSWERS_BYTES_MAX / 2 + 1).is_none());
        assert!(room.for_answer(ANSWERS_BYTES_MAX / 2).is_some());
        drop(half);
    }
}
