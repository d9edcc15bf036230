//! Finds circles among the steps, and an order in which the steps can run.
//!
//! An edge leads from a step to each step that it waits for: `DependsOn`, references, and the
//! enclosing condition of a step in a branch. Nothing here recurses, and neither does Kosaraju's
//! algorithm in `petgraph`, so a chain of thousands of steps cannot overflow the stack.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::definition::StepIndex;
use crate::parse::problem::Code;
use crate::parse::text::{Finding, Node};

use super::member::cut;
use super::reader::Reader;

/// The most steps of a circle that a message lists; of longer circles it lists both ends.
const SHOWN: usize = 40;

impl<'d> Reader<'d> {
    /// Returns an order of the steps, and reports each circle once. With a circle, the order has no
    /// meaning.
    pub(super) fn order(&mut self, edges: &[BTreeMap<StepIndex, Node<'d>>]) -> Vec<StepIndex> {
        let parents = self.outline.steps.iter().map(|step| step.parent.map(|p| p.condition.0));
        let waits: Vec<Vec<usize>> = edges
            .iter()
            .zip(parents)
            .map(|(edges, parent)| edges.keys().map(|step| step.0).chain(parent).collect())
            .collect();
        for component in components(&waits).into_iter().filter(|component| component.len() > 1) {
            let circle = shortest_circle(&waits, &component);
            self.report_circle(&circle, edges);
        }
        topological(&waits)
    }

    fn report_circle(&mut self, circle: &[usize], edges: &[BTreeMap<StepIndex, Node<'d>>]) {
        let (first, second) = (circle[0], circle[1 % circle.len()]);
        let name = |step: &usize| cut(self.outline.steps[*step].name);
        let mut names: Vec<String> = circle.iter().chain(circle.first()).map(name).collect();
        if circle.len() > SHOWN {
            let left_out = format!("({} more)", circle.len() - SHOWN);
            names.splice(SHOWN / 2..=circle.len() - SHOWN / 2, [left_out]);
        }
        let text = names.join(" -> ");
        // An edge without a place in the text is that to the enclosing condition.
        let edge = edges[first].get(&StepIndex(second)).copied();
        let node = edge.unwrap_or(self.outline.steps[first].node);
        let message = format!("{} steps wait for each other in a circle: {text}", circle.len());
        let hint = "`A -> B` means that A waits for B: a reference, `DependsOn`, or B is the condition around A";
        let finding = Finding::at(node, Code::Cycle, message);
        self.report(finding.hint(Some(hint.to_owned())));
    }
}

/// Returns the strongly connected components, ordered by their first member. Members are in
/// ascending order. The last steps may be missing if they have no edges, because then they are in
/// no circle.
fn components(waits: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let edges = waits
        .iter()
        .enumerate()
        .flat_map(|(step, targets)| targets.iter().map(move |target| (step, *target)));
    let graph = DiGraph::<(), (), usize>::from_edges(edges);
    let sorted_members = |component: Vec<NodeIndex<usize>>| {
        let mut members: Vec<usize> = component.into_iter().map(NodeIndex::index).collect();
        members.sort_unstable();
        members
    };
    let mut components: Vec<_> = kosaraju_scc(&graph).into_iter().map(sorted_members).collect();
    components.sort_unstable();
    components
}

/// Returns a shortest circle through the first member of a component, beginning there.
fn shortest_circle(waits: &[Vec<usize>], component: &[usize]) -> Vec<usize> {
    let first = component[0];
    let mut reached_from = BTreeMap::new();
    let mut queue = VecDeque::from([first]);
    while let Some(step) = queue.pop_front() {
        for target in &waits[step] {
            if *target == first {
                let before = |step: &usize| reached_from.get(step).copied();
                let mut circle: Vec<_> = std::iter::successors(Some(step), before).collect();
                circle.reverse();
                return circle;
            }
            if component.binary_search(target).is_ok() && !reached_from.contains_key(target) {
                reached_from.insert(*target, step);
                queue.push_back(*target);
            }
        }
    }
    component.to_vec()
}

/// Returns each step after all that it waits for, ties in definition order, without steps in a
/// circle. The topological sort of `petgraph` does not keep definition order.
fn topological(waits: &[Vec<usize>]) -> Vec<StepIndex> {
    let mut waiting_for = vec![0_usize; waits.len()];
    let mut waited_by = vec![Vec::new(); waits.len()];
    for (step, targets) in waits.iter().enumerate() {
        // A step in a branch may also name its condition in `DependsOn`.
        let mut targets = targets.clone();
        targets.sort_unstable();
        targets.dedup();
        waiting_for[step] = targets.len();
        for target in targets {
            waited_by[target].push(step);
        }
    }
    let free = waiting_for.iter().enumerate().filter(|(_, count)| **count == 0);
    let mut ready: BinaryHeap<_> = free.map(|(step, _)| Reverse(step)).collect();
    let mut order = Vec::new();
    while let Some(Reverse(step)) = ready.pop() {
        order.push(StepIndex(step));
        for waiter in &waited_by[step] {
            waiting_for[*waiter] -= 1;
            if waiting_for[*waiter] == 0 {
                ready.push(Reverse(*waiter));
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_and_their_circles_are_found() {
        // 0 <-> 1, 2 waits for them, 3 -> 4 -> 5 -> 3 with a shortcut 3 -> 5.
        let waits = [vec![1], vec![0], vec![0], vec![4, 5], vec![5], vec![3]];
        let found = components(&waits);
        assert_eq!(found, [vec![0, 1], vec![2], vec![3, 4, 5]]);
        assert_eq!(shortest_circle(&waits, &found[0]), [0, 1]);
        assert_eq!(shortest_circle(&waits, &found[2]), [3, 5]);
    }

    #[test]
    fn a_long_chain_needs_no_stack_and_runs_from_its_end() {
        let count = 100_000;
        let waits: Vec<_> =
            (0..count).map(|i| Vec::from_iter((i + 1 < count).then_some(i + 1))).collect();
        assert_eq!(components(&waits).len(), count);
        let order = topological(&waits);
        assert_eq!(order.first(), Some(&StepIndex(count - 1)));
        assert_eq!(order.len(), count);
    }

    #[test]
    fn ties_run_in_definition_order() {
        let waits = [vec![2], vec![], vec![], vec![1, 1]];
        assert_eq!(topological(&waits), [1, 2, 0, 3].map(StepIndex));
    }
}
