//! A drawing in characters. The layout is `ascii-dag`'s.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use ascii_dag::{Graph, LabelOverflow, RenderOptions};

use super::drawing::{Drawing, Node, Tone};

/// Widest drawing for a terminal; the steps of a wider one are listed instead.
const COLUMNS: usize = 200;

/// The colours of a terminal, if any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    None,
    Ansi,
}

/// Draws boxes and lines. A graph that would be too wide becomes a list in definition order.
pub(crate) fn text(drawing: &Drawing, colour: Colour) -> String {
    let labels: Vec<String> = drawing.nodes.iter().map(label).collect();
    let mut graph = Graph::new();
    for (index, label) in labels.iter().enumerate() {
        graph.add_node(index, label.as_str());
    }
    for edge in &drawing.edges {
        graph.add_edge(edge.from, edge.to, edge.label);
    }
    let layout = graph.compute_layout();
    if layout.width() > COLUMNS {
        return list(drawing, &labels, colour);
    }
    let mut options = RenderOptions::plain();
    options.plan.label_policy.overflow = LabelOverflow::Legend;
    options.emit.render_legend = true;
    let picture = layout.render_string(&options);
    let mut text = format!("{}\n\n", drawing.title);
    for line in picture.trim_end().lines() {
        let _ = writeln!(text, "{}", painted(line.trim_end(), drawing, colour));
    }
    text
}

fn label(node: &Node) -> String {
    let mark = node.mark.as_ref().map_or_else(String::new, |mark| format!(", {}", mark.text));
    format!("{}: {}{mark}", node.name, node.step_type)
}

fn list(drawing: &Drawing, labels: &[String], colour: Colour) -> String {
    let mut after = vec![Vec::new(); labels.len()];
    for edge in &drawing.edges {
        let name = &drawing.nodes[edge.from].name;
        let outcome = edge.label.map_or_else(String::new, |label| format!(" is {label}"));
        after[edge.to].push(format!("{name}{outcome}"));
    }
    let mut text = format!("{}\n\n", drawing.title);
    for (label, after) in labels.iter().zip(&after) {
        let line = match after.as_slice() {
            [] => format!("[{label}]"),
            some => format!("[{label}] after {}", shortened(some)),
        };
        let _ = writeln!(text, "{}", painted(&line, drawing, colour));
    }
    text
}

/// Returns the first names and the number of the others.
fn shortened(names: &[String]) -> String {
    const SHOWN: usize = 8;
    match names.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{} and {more} more", names[..SHOWN].join(", ")),
        _ => names.join(", "),
    }
}

/// Colours every box of a line. Names and marks hold no brackets.
fn painted(line: &str, drawing: &Drawing, colour: Colour) -> String {
    if colour == Colour::None || drawing.nodes.iter().all(|node| node.mark.is_none()) {
        return line.to_owned();
    }
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, (inside, after))) =
        rest.split_once('[').and_then(|(before, after)| Some((before, after.split_once(']')?)))
    {
        let style = tone(inside).map_or_else(Style::new, style);
        let _ = write!(text, "{before}{style}[{inside}]{style:#}");
        rest = after;
    }
    text + rest
}

/// Returns the tone of a label, `NAME: TYPE, DECISION[, STATUS]`.
fn tone(label: &str) -> Option<Tone> {
    let mut words = label.split(", ").skip(1);
    let (decision, ending) = (words.next()?, words.next());
    Some(Tone::of(decision, ending == Some("Failed")))
}

fn style(tone: Tone) -> Style {
    match tone {
        Tone::Run => AnsiColor::Blue.on_default(),
        Tone::CacheHit => AnsiColor::Green.on_default(),
        Tone::Reused => AnsiColor::Cyan.on_default(),
        Tone::Failed => AnsiColor::Red.on_default(),
        Tone::Skipped | Tone::NotSelected => Style::new().dimmed(),
        Tone::Waiting => Style::new(),
    }
}
