//! How fast the world's time passes.

use std::time::Duration;

use tokio::time::Instant;

use crate::world::Time;

/// The world's time as a function of the clock's.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    started_at: Instant,
    from: Time,
    speed: u32,
}

impl Pace {
    /// From now on, `speed` times as fast as the clock; with 0, time stands still.
    pub fn new(from: Time, speed: u32) -> Pace {
        Pace { started_at: Instant::now(), from, speed }
    }

    /// The world's time now.
    pub fn now(&self) -> Time {
        let passed = self.started_at.elapsed().as_millis() * u128::from(self.speed);
        self.from.saturating_add(Time::try_from(passed).unwrap_or(Time::MAX / 2))
    }

    /// How long by the clock until a time of the world.
    pub fn until(&self, at: Time) -> Duration {
        let left = at.saturating_sub(self.now());
        match self.speed {
            0 => Duration::MAX,
            speed => Duration::from_micros(left.saturating_mul(1_000) / u64::from(speed)),
        }
    }
}
