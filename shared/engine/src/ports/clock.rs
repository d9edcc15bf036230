//! The port to time and randomness.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

/// Time and randomness.
#[async_trait]
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Returns the milliseconds since 1970.
    fn now_ms(&self) -> u64;

    /// Returns bytes that cannot be guessed.
    fn random(&self) -> [u8; 32];

    /// Waits for `time`.
    async fn sleep(&self, time: Duration);
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn random(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).expect("the system has random bytes");
        bytes
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
