//! The suite that every clock passes.

use std::collections::BTreeSet;

use sidestep_engine::ports::clock::Clock;

/// Checks the promises of a clock: milliseconds since 1970, and bytes that never repeat.
pub fn suite(clock: &dyn Clock) {
    // From 2020 to 2100: neither seconds nor microseconds.
    assert!((1_577_836_800_000..4_102_444_800_000).contains(&clock.now_ms()));
    let drawn: BTreeSet<_> = (0..1_000).map(|_| clock.random()).collect();
    assert_eq!(drawn.len(), 1_000);
}

#[cfg(test)]
mod tests {
    use sidestep_engine::ports::clock::SystemClock;

    use crate::memory::ManualClock;

    #[test]
    fn the_machines_clock_and_a_tests_pass_the_suite() {
        super::suite(&SystemClock);
        super::suite(&ManualClock::at(1_700_000_000_000));
    }
}
