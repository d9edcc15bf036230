//! Mermaid's flowchart syntax (<https://mermaid.js.org/syntax/flowchart.html>).

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use super::drawing::{Drawing, Node, Tone};

/// Prints a flowchart. Steps are `s0`, `s1`..., because words such as `end` cannot name a node.
pub(crate) fn mermaid(drawing: &Drawing) -> String {
    // The head is YAML, whose quoted strings are a superset of JSON's.
    let title = Value::from(drawing.title.as_str());
    let mut text = format!("---\ntitle: {title}\n---\nflowchart TD\n");
    for (index, node) in drawing.nodes.iter().enumerate() {
        let (open, close) = if node.is_condition() { ('{', '}') } else { ('[', ']') };
        let _ = writeln!(text, "    s{index}{open}\"{}\"{close}", label(node));
    }
    for edge in &drawing.edges {
        let label = edge.label.map_or_else(String::new, |label| format!("|{label}|"));
        let _ = writeln!(text, "    s{} -->{label} s{}", edge.from, edge.to);
    }
    let tone = |node: &Node| node.mark.as_ref().map(|mark| mark.tone);
    let tones: BTreeSet<Tone> = drawing.nodes.iter().filter_map(tone).collect();
    for tone_here in tones {
        let (name, fill) = tone_here.name_and_fill();
        let dash = if tone_here.is_absent() { ",stroke-dasharray:4" } else { "" };
        let _ = writeln!(text, "    classDef {name} fill:{fill},stroke:#333,color:#000{dash}");
        let nodes = drawing.nodes.iter().enumerate();
        let marked = nodes.filter(|(_, node)| tone(node) == Some(tone_here));
        let names: Vec<_> = marked.map(|(index, _)| format!("s{index}")).collect();
        let _ = writeln!(text, "    class {} {name}", names.join(","));
    }
    text
}

fn label(node: &Node) -> String {
    node.lines().map(escape).collect::<Vec<_>>().join("<br/>")
}

/// Replaces what has a meaning inside quotes by entities, `#name;`.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '#' => escaped.push_str("#35;"),
            '"' => escaped.push_str("#quot;"),
            '<' => escaped.push_str("#lt;"),
            '>' => escaped.push_str("#gt;"),
            '&' => escaped.push_str("#amp;"),
            '\n' | '\r' => escaped.push(' '),
            _ => escaped.push(character),
        }
    }
    escaped
}
