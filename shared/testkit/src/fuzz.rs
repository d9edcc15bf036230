//! What the fuzz targets call: any bytes in, and nothing but a typed refusal may come of them.
//!
//! The same functions are held on stable Rust by `tests/fuzz.rs`, and by `cargo fuzz` from the folder `fuzz`.

use sidestep_core::envelope::{created_objects, planner_events};
use sidestep_core::path::PropertyPath;
use sidestep_core::reader::{Format, parse};
use sidestep_core::selector::Selector;

/// Reads a definition in both formats; what is accepted has an order of all its steps.
///
/// # Panics
///
/// Where an accepted definition has no order of all its steps.
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
    }
}

/// Reads a selector.
pub fn selector(text: &str) {
    let _ = Selector::parse(text);
}

/// Reads a path, and an argument that holds the text as an expression.
pub fn expression(text: &str) {
    let _ = PropertyPath::parse(text);
    let argument: serde_json::Value =
        serde_json::from_str(text).unwrap_or_else(|_| serde_json::json!({ "Get": text }));
    let step = serde_json::json!({ "Name": "A", "Type": "Lambda", "FunctionArn": "f",
        "Arguments": { "k": argument } });
    let whole = serde_json::json!({ "Version": "2020-12-01", "Steps": [step] });
    definition(whole.to_string().as_bytes());
}
