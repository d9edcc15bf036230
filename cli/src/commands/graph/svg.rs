//! A drawing as SVG. `ascii-dag` lays it out in cells of a character; here cells become shapes.

use std::fmt::Write as _;

use ascii_dag::ir::NodeKind;
use ascii_dag::{CustomNode, EdgePath, Graph, LayoutEdge};

use super::drawing::{Drawing, Edge, Node};

/// A cell in pixels: a character of the monospaced font of 13 pixels.
const CELL: (usize, usize) = (8, 18);
/// Cells left of a box's text, and right of it.
const PADDING: usize = 2;

/// Draws boxes and arrows. A decision's reason is its box's title, which browsers show on hovering.
pub(crate) fn svg(drawing: &Drawing) -> String {
    let labels: Vec<String> =
        drawing.nodes.iter().map(|node| node.lines().collect::<Vec<_>>().join("\n")).collect();
    let mut graph = Graph::new();
    for (index, (node, label)) in drawing.nodes.iter().zip(&labels).enumerate() {
        let longest = node.lines().map(|line| line.chars().count()).max().unwrap_or_default();
        let (width, height) = (longest + 2 * PADDING, node.lines().count());
        graph.add_node(index, CustomNode { label, width, height, painter: None, payload: "" });
    }
    for edge in &drawing.edges {
        graph.add_edge(edge.from, edge.to, edge.label);
    }
    let layout = graph.compute_layout();
    let (width, height) = ((layout.width() + 2) * CELL.0, (layout.height() + 4) * CELL.1);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"monospace\" font-size=\"13\">\n\
         <title>{title}</title>\n\
         <defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\">\
         <path d=\"M0 0L8 4L0 8z\"/></marker></defs>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"{x}\" y=\"{y}\" font-weight=\"bold\">{title}</text>\n\
         <g transform=\"translate({x} {top})\">\n",
        title = escape(&drawing.title),
        x = CELL.0,
        y = CELL.1,
        top = 2 * CELL.1,
    );
    for edge in layout.edges() {
        arrow(&mut text, edge);
    }
    for placed in layout.nodes().iter().filter(|placed| placed.kind != NodeKind::Dummy) {
        let (at, size) = ((placed.x, placed.y), (placed.width, placed.height));
        rectangle(&mut text, &drawing.nodes[placed.id], at, size);
    }
    for placed in layout.edges() {
        if let Some(Edge { label: Some(label), .. }) = drawing.edges.get(placed.edge_index) {
            // Beside the arrow's head, where no other edge's label can be.
            let (x, y) = centre((placed.to_x, placed.to_y));
            let _ = writeln!(text, "<text x=\"{}\" y=\"{}\">{label}</text>", x + 6, y - CELL.1);
        }
    }
    text.push_str("</g>\n</svg>\n");
    text
}

fn rectangle(text: &mut String, node: &Node, at: (usize, usize), size: (usize, usize)) {
    let (x, y) = (at.0 * CELL.0, at.1 * CELL.1);
    let (width, height) = (size.0 * CELL.0, size.1 * CELL.1);
    let fill = node.mark.as_ref().map_or("#ffffff", |mark| mark.tone.name_and_fill().1);
    let is_absent = node.mark.as_ref().is_some_and(|mark| mark.tone.is_absent());
    let dash = if is_absent { " stroke-dasharray=\"4\"" } else { "" };
    let corner = if node.is_condition() { 0 } else { 6 };
    text.push_str("<g>");
    if let Some(mark) = node.mark.as_ref().filter(|mark| !mark.reason.is_empty()) {
        let _ = write!(text, "<title>{}</title>", escape(&mark.reason));
    }
    let _ = write!(
        text,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"{corner}\" fill=\"{fill}\" stroke=\"#333333\"{dash}/>"
    );
    for (row, line) in node.lines().enumerate() {
        let weight = if row == 0 { " font-weight=\"bold\"" } else { "" };
        let (x, y) = (x + width / 2, y + row * CELL.1 + CELL.1 * 3 / 4);
        let _ = write!(
            text,
            "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\"{weight}>{}</text>",
            escape(line)
        );
    }
    text.push_str("</g>\n");
}

fn arrow(text: &mut String, edge: &LayoutEdge<'_>) {
    let (from, to) = ((edge.from_x, edge.from_y), (edge.to_x, edge.to_y));
    let mut points = vec![centre(from)];
    match &edge.path {
        EdgePath::Corner { bend_at } => {
            points.extend([centre((from.0, *bend_at)), centre((to.0, *bend_at))]);
        }
        EdgePath::MultiSegment { waypoints, .. } => {
            points.extend(waypoints.iter().copied().map(centre));
        }
        // Straight; the other shapes belong to features that are not used here.
        _ => {}
    }
    let (x, y) = centre(to);
    points.push((x, y - CELL.1 / 2));
    let points: Vec<_> = points.iter().map(|(x, y)| format!("{x},{y}")).collect();
    let _ = writeln!(
        text,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#333333\" marker-end=\"url(#arrow)\"/>",
        points.join(" ")
    );
}

/// Returns the middle of a cell.
fn centre(cell: (usize, usize)) -> (usize, usize) {
    (cell.0 * CELL.0 + CELL.0 / 2, cell.1 * CELL.1 + CELL.1 / 2)
}

fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace(|c: char| c.is_control(), " ")
}
