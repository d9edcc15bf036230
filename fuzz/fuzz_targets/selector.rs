//! Fuzzes `sidestep_testkit::fuzz::selector`, which says what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sidestep_testkit::fuzz::selector(bytes));
