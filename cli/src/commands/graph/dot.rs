//! Graphviz' dot language (<https://graphviz.org/doc/info/lang.html>).

use std::fmt::Write as _;

use super::drawing::{Drawing, Node};

/// Prints a digraph; the reason of a decision is its node's tooltip.
pub(crate) fn dot(drawing: &Drawing) -> String {
    let title = quote(&drawing.title);
    let mut text = format!("digraph {title} {{\n    label={title}\n    labelloc=t\n");
    text.push_str("    node [shape=box, style=\"rounded,filled\", fillcolor=white]\n");
    for node in &drawing.nodes {
        let _ = writeln!(text, "    {} [{}]", quote(&node.name), attributes(node));
    }
    for edge in &drawing.edges {
        let (from, to) = (&drawing.nodes[edge.from].name, &drawing.nodes[edge.to].name);
        let label = edge.label.map_or_else(String::new, |label| format!(" [label={label}]"));
        let _ = writeln!(text, "    {} -> {}{label}", quote(from), quote(to));
    }
    text.push_str("}\n");
    text
}

fn attributes(node: &Node) -> String {
    let lines: Vec<_> = node.lines().map(escape).collect();
    let mut text = format!("label=\"{}\"", lines.join("\\n"));
    if node.is_condition() {
        text.push_str(", shape=diamond, style=filled");
    }
    if let Some(mark) = &node.mark {
        let _ = write!(text, ", fillcolor=\"{}\"", mark.tone.name_and_fill().1);
        if mark.tone.is_absent() {
            let shape = if node.is_condition() { "" } else { "rounded," };
            let _ = write!(text, ", style=\"{shape}filled,dashed\"");
        }
        if !mark.reason.is_empty() {
            let _ = write!(text, ", tooltip={}", quote(&mark.reason));
        }
    }
    text
}

fn quote(text: &str) -> String {
    format!("\"{}\"", escape(text))
}

/// Doubles backslashes, which begin escapes in labels and tooltips, and escapes quotes.
fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    text.replace("\r\n", "\n").replace(['\n', '\r'], "\\n")
}
