//! A clock that stands still until a test moves it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sidestep_engine::ports::clock::Clock;

/// Time as a test sets it, and ascending numbers in place of randomness.
#[derive(Debug, Default)]
pub struct ManualClock {
    now_ms: AtomicU64,
    drawn: AtomicU64,
}

impl ManualClock {
    pub fn at(now_ms: u64) -> Self {
        Self { now_ms: AtomicU64::new(now_ms), drawn: AtomicU64::new(0) }
    }

    pub fn set(&self, now_ms: u64) {
        self.now_ms.store(now_ms, Ordering::SeqCst);
    }

    pub fn advance(&self, by_ms: u64) {
        self.now_ms.fetch_add(by_ms, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    fn random(&self) -> [u8; 32] {
        let drawn = self.drawn.fetch_add(1, Ordering::SeqCst);
        let mut bytes = [0x5a; 32];
        bytes[..8].copy_from_slice(&drawn.to_be_bytes());
        bytes
    }

    /// Lets other tasks go on. Time stands still.
    async fn sleep(&self, _: Duration) {
        tokio::task::yield_now().await;
    }
}
