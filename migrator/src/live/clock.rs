//! What time it is.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// A clock that was set once and goes on evenly from there, whatever happens to the machine's own.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    set_to: Timestamp,
    set_at: Instant,
    speed: u32,
}

impl Clock {
    /// A clock that shows this time now and goes `speed` times as fast as the runtime's; more than once only where the
    /// cluster's own time does so.
    pub fn set(now: Timestamp, speed: u32) -> Clock {
        Clock { set_to: now, set_at: Instant::now(), speed: speed.max(1) }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        let passed = self.set_at.elapsed().saturating_mul(self.speed);
        self.set_to.checked_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// Waits until a time, at least a millisecond: a wait must not be able to spin.
    pub async fn sleep_until(&self, at: Timestamp) {
        let left = Duration::try_from(at.duration_since(self.now())).unwrap_or(Duration::ZERO);
        let left = left.div_ceil_millis(self.speed);
        tokio::time::sleep(left).await;
    }

    /// Waits for a span of this clock's time.
    pub async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span.div_ceil_millis(self.speed)).await;
    }
}

trait DivCeilMillis {
    fn div_ceil_millis(self, by: u32) -> Duration;
}

impl DivCeilMillis for Duration {
    /// Divided and rounded up to whole milliseconds, of which it has one at least.
    fn div_ceil_millis(self, by: u32) -> Duration {
        let millis = (self / by).as_nanos().div_ceil(1_000_000).max(1);
        Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
    }
}
