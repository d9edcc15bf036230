//! See `sidestep_testkit::fuzz::selector`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| sidestep_testkit::fuzz::selector(text));
