//! See `sidestep_testkit::fuzz::expression`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sidestep_testkit::fuzz::expression(bytes));
