//! The fuzz targets: any bytes must give a result or a typed error.
//!
//! Two drivers call them, both from the seeds in `fuzz/seeds`: `tests/fuzz.rs` with a bounded
//! number of mutations, and libFuzzer, which is guided by coverage, by the script `fuzz/run`.

use sidestep_core::definition::property_path::PropertyPath;
use sidestep_core::event::planner_events;
use sidestep_core::event::s3::created_objects;
use sidestep_core::event::sqs::queue_messages;
use sidestep_core::parse::{Format, parse};
use sidestep_core::selection::selector::Selector;

/// A target's name, and the function that takes any bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All targets, by the names of their seeds' folders.
pub const TARGETS: [Target; 4] = [
    ("definition", definition),
    ("event", event),
    ("selector", selector),
    ("expression", expression),
];

/// Reads a definition in both formats. An accepted one has an order of all its steps.
///
/// # Panics
///
/// Panics if an accepted definition has no order of all its steps.
pub fn definition(bytes: &[u8]) {
    for format in [Format::Json, Format::Yaml] {
        if let Ok(parsed) = parse(bytes, format) {
            let pipeline = parsed.pipeline;
            assert_eq!(pipeline.topological_order.len(), pipeline.steps.len());
        }
    }
}

/// Reads the envelope of an event.
pub fn event(bytes: &[u8]) {
    if let Ok(event) = serde_json::from_slice(bytes) {
        planner_events(&event);
        let _ = created_objects(&event);
        queue_messages(&event);
    }
}

/// Reads a selector.
pub fn selector(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Selector::parse(text);
    }
}

/// Reads a path, and an argument that holds the text as an expression.
pub fn expression(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = PropertyPath::parse(text);
    let argument: serde_json::Value =
        serde_json::from_str(text).unwrap_or_else(|_| serde_json::json!({ "Get": text }));
    let step = serde_json::json!({ "Name": "A", "Type": "Lambda", "FunctionArn": "f",
        "Arguments": { "k": argument } });
    let whole = serde_json::json!({ "Version": "2020-12-01", "Steps": [step] });
    definition(whole.to_string().as_bytes());
}
