//! The graph of packages in a lock file, and the pins of those that a function needs.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::normal;

/// A locked package.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) version: Option<String>,
    /// What stands behind `NAME @` if the package does not come from an index.
    pub(super) reference: Option<String>,
    /// True for a package that is not installed, such as the project itself.
    pub(super) is_virtual: bool,
    pub(super) marker: Option<String>,
    pub(super) hashes: Vec<String>,
    pub(super) needs: Vec<Edge>,
    pub(super) extras: BTreeMap<String, Vec<Edge>>,
}

/// A need of a package.
#[derive(Debug, Clone, Default)]
pub(super) struct Edge {
    pub(super) name: String,
    pub(super) version: Option<String>,
    pub(super) marker: Option<String>,
    pub(super) extras: Vec<String>,
}

/// The markers that all hold on one way to a package.
type Condition = BTreeSet<String>;

/// After so many ways to a package it is installed on every machine.
const MOST_WAYS: usize = 8;

/// Returns the requirements that install what `roots` need, or the name that the file lacks.
pub(super) fn pins(nodes: &[Node], roots: &[Edge]) -> Result<Vec<String>, String> {
    let mut ways: BTreeMap<(usize, Option<String>), Vec<Condition>> = BTreeMap::new();
    let mut open: Vec<(Edge, Condition)> = Vec::new();
    for root in roots {
        if !nodes.iter().any(|node| matches(node, root)) {
            return Err(root.name.clone());
        }
        open.push((root.clone(), Condition::new()));
    }
    while let Some((edge, mut condition)) = open.pop() {
        condition.extend(edge.marker.clone());
        for (place, node) in nodes.iter().enumerate().filter(|(_, node)| matches(node, &edge)) {
            let mut condition = condition.clone();
            condition.extend(node.marker.clone());
            let extras = edge.extras.iter().map(|extra| Some(normal(extra)));
            for extra in std::iter::once(None).chain(extras) {
                let known = ways.entry((place, extra.clone())).or_default();
                if known.iter().any(|known| known.is_subset(&condition)) {
                    continue;
                }
                if known.len() == MOST_WAYS {
                    condition.clear();
                }
                known.push(condition.clone());
                let needs = match &extra {
                    None => Some(&node.needs),
                    Some(extra) => node.extras.get(extra),
                };
                open.extend(
                    needs.into_iter().flatten().map(|need| (need.clone(), condition.clone())),
                );
            }
        }
    }
    let installed: Vec<_> = ways
        .iter()
        .filter(|((place, extra), _)| extra.is_none() && !nodes[*place].is_virtual)
        .map(|((place, _), conditions)| (&nodes[*place], conditions))
        .collect();
    let has_hashes = |(node, _): &(&Node, _)| node.reference.is_none() && !node.hashes.is_empty();
    let with_hashes = installed.iter().all(has_hashes);
    Ok(installed.iter().map(|(node, ways)| pin(node, ways, with_hashes)).collect())
}

fn matches(node: &Node, edge: &Edge) -> bool {
    normal(&node.name) == normal(&edge.name)
        && (edge.version.is_none() || node.version.is_none() || edge.version == node.version)
}

/// Writes the requirement for one package.
fn pin(node: &Node, ways: &[Condition], with_hashes: bool) -> String {
    let mut text = match (&node.reference, &node.version) {
        (Some(reference), _) => format!("{} @ {reference}", node.name),
        (None, Some(version)) => format!("{}=={version}", node.name),
        (None, None) => node.name.clone(),
    };
    if !ways.iter().any(BTreeSet::is_empty) {
        let all = |way: &Condition| {
            let markers: Vec<_> = way.iter().map(|marker| format!("({marker})")).collect();
            markers.join(" and ")
        };
        let ways: Vec<_> = ways.iter().map(all).collect();
        text = format!("{text} ; {}", ways.join(" or "));
    }
    if with_hashes {
        let hashes = node.hashes.iter().map(|hash| format!(" --hash={hash}"));
        text.extend(hashes);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(name: &str, marker: Option<&str>) -> Edge {
        Edge { name: name.to_owned(), marker: marker.map(str::to_owned), ..Edge::default() }
    }

    fn node(name: &str, needs: Vec<Edge>) -> Node {
        let (name, version) = (name.to_owned(), Some("1".to_owned()));
        Node { name, version, needs, ..Node::default() }
    }

    #[test]
    fn only_what_is_needed_is_pinned_where_its_markers_hold() {
        let mut app = node("app", vec![edge("A_b", None), edge("win", Some("os_name == 'nt'"))]);
        app.is_virtual = true;
        let mut extra = node("a-b", vec![edge("win", Some("python_version < '3'"))]);
        extra.extras = BTreeMap::from([("x".to_owned(), vec![edge("more", None)])]);
        let nodes = [
            app,
            extra,
            node("win", vec![edge("a-b", None)]),
            node("more", vec![]),
            node("dev", vec![]),
        ];
        let pinned = pins(&nodes, &[edge("app", None)]).expect("complete");
        assert_eq!(pinned, ["a-b==1", "win==1 ; (os_name == 'nt') or (python_version < '3')"]);
        let root = Edge { extras: vec!["X".to_owned()], ..edge("a-b", None) };
        let pinned = pins(&nodes, &[root]).expect("complete");
        assert_eq!(pinned, ["a-b==1", "win==1 ; (python_version < '3')", "more==1"]);
        assert_eq!(pins(&nodes, &[edge("none", None)]), Err("none".to_owned()));
    }

    #[test]
    fn hashes_are_required_if_every_package_has_some() {
        let hashed =
            |name: &str| Node { hashes: vec!["sha256:ab".to_owned()], ..node(name, vec![]) };
        let nodes = [hashed("a"), hashed("b"), node("c", vec![])];
        let pinned = pins(&nodes, &[edge("a", None), edge("b", None)]).expect("complete");
        assert_eq!(pinned, ["a==1 --hash=sha256:ab", "b==1 --hash=sha256:ab"]);
        let pinned = pins(&nodes, &[edge("a", None), edge("c", None)]).expect("complete");
        assert_eq!(pinned, ["a==1", "c==1"]);
    }
}
