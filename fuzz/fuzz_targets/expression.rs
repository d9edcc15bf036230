//! See `sidestep_testkit::fuzz::expression`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| sidestep_testkit::fuzz::expression(text));
