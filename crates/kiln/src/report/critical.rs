//! The critical path: the chain of steps that a build could not have been faster than.

use std::collections::BTreeSet;

/// How much a step may seem to begin before the one that it waited for has ended: clocks are read one after the other.
const TOLERANCE: f64 = 0.02;

/// A step of a build. One that did no work has no times.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// Begin and end, in seconds.
    pub(super) times: Option<(f64, f64)>,
    /// Steps whose results it takes.
    pub(super) inputs: Vec<usize>,
}

/// The steps of the path, from first to last: from the one that ended last, again and again to the input that ended last.
///
/// Steps from the cache are passed through, as they only hand on what they waited for. BuildKit does not tell what its own steps (metadata,
/// exports) wait for; for a step without working inputs it is the one that had ended last when it began.
pub(super) fn path(nodes: &[Node]) -> Vec<usize> {
    let working = || nodes.iter().enumerate().filter_map(|(index, node)| Some((index, node.times?)));
    let latest = |candidates: &mut dyn Iterator<Item = (usize, (f64, f64))>| {
        candidates.max_by(|(_, a), (_, b)| a.1.total_cmp(&b.1)).map(|(index, _)| index)
    };
    let mut path = Vec::new();
    let mut seen = BTreeSet::new();
    let mut next = latest(&mut working());
    while let Some(index) = next.filter(|index| seen.insert(*index)) {
        path.push(index);
        let Some((begin, _)) = nodes[index].times else { break };
        let inputs = working_inputs(nodes, index);
        next = latest(&mut working().filter(|(other, _)| inputs.contains(other)));
        if next.is_none() {
            next = latest(&mut working().filter(|(other, (_, end))| *other != index && *end <= begin + TOLERANCE));
        }
    }
    path.reverse();
    path
}

/// Steps that did work and that a step waited for, directly or by way of steps that did none.
fn working_inputs(nodes: &[Node], index: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut seen = BTreeSet::from([index]);
    let mut open = vec![index];
    while let Some(index) = open.pop() {
        for input in nodes.get(index).map(|node| node.inputs.as_slice()).unwrap_or_default() {
            let Some(node) = nodes.get(*input).filter(|_| seen.insert(*input)) else { continue };
            if node.times.is_some() {
                found.insert(*input);
            } else {
                open.push(*input);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(times: Option<(f64, f64)>, inputs: &[usize]) -> Node {
        Node { times, inputs: inputs.to_vec() }
    }

    #[test]
    fn the_path_follows_the_input_that_ended_last() {
        let at = |begin, end| Some((begin, end));
        for (what, nodes, expected) in [
            ("nothing ran", vec![node(None, &[]), node(None, &[0])], vec![]),
            ("a chain", vec![node(at(0.0, 1.0), &[]), node(at(1.0, 2.0), &[0])], vec![0, 1]),
            (
                "the slower of two inputs",
                vec![node(at(0.0, 1.0), &[]), node(at(0.0, 5.0), &[]), node(at(5.0, 6.0), &[0, 1])],
                vec![1, 2],
            ),
            (
                "through a cached step",
                vec![node(at(0.0, 1.0), &[]), node(None, &[0]), node(at(1.0, 3.0), &[1]), node(at(0.0, 0.9), &[])],
                vec![0, 2],
            ),
            ("a step without known inputs", vec![node(at(0.0, 1.0), &[]), node(at(1.01, 2.0), &[])], vec![0, 1]),
            ("steps side by side", vec![node(at(0.0, 2.0), &[]), node(at(1.0, 3.0), &[])], vec![1]),
            ("inputs that are not there", vec![node(at(0.0, 2.0), &[7, 0])], vec![0]),
            ("a circle", vec![node(at(0.0, 2.0), &[1]), node(at(1.0, 3.0), &[0])], vec![0, 1]),
        ] {
            assert_eq!(path(&nodes), expected, "{what}");
        }
    }
}
