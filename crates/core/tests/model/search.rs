//! Visits every world that can be reached, nearest first, and shows the way to one in which a property does not hold.

use std::collections::{HashSet, VecDeque};

use crate::{
    checks::{self, Broken},
    drain::Drain,
    serve::{Context, Rules},
    step::Action,
    world::{Setup, World},
};

/// What was visited.
#[derive(Default)]
pub(crate) struct Visited {
    pub(crate) worlds: usize,
    pub(crate) steps: usize,
}

/// A property that does not hold, and how it came to that.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) property: Broken,
    pub(crate) way: Vec<Action>,
}

/// Which world a world was reached from, and by what.
type From = Option<(u32, Action)>;

/// Visits every world of `setup` under `rules`.
pub(crate) fn search(setup: &Setup, rules: &Rules) -> Result<Visited, Fault> {
    let context = Context { setup, rules };
    let first = World::new(setup);
    let mut seen = HashSet::from([first.fingerprint()]);
    let mut ways: Vec<From> = vec![None];
    let mut next = VecDeque::from([(first, 0)]);
    let mut drain = Drain::default();
    let mut visited = Visited { worlds: 1, steps: 0 };
    while let Some((world, at)) = next.pop_front() {
        let fault = |property, last| Fault {
            property,
            way: way(&ways, at, last),
        };
        drain
            .run(context, &world)
            .map_err(|property| fault(property, None))?;
        let mut found = Vec::new();
        for action in world.actions(context) {
            visited.steps += 1;
            let after = world.after(context, action).and_then(|after| match after {
                Some(after) => checks::always(setup, &after).map(|()| Some(after)),
                None => Ok(None),
            });
            let after = after.map_err(|property| fault(property, Some(action)))?;
            found.extend(
                after
                    .filter(|after| seen.insert(after.fingerprint()))
                    .map(|after| (after, action)),
            );
        }
        for (after, action) in found {
            next.push_back((after, u32::try_from(ways.len()).unwrap()));
            ways.push(Some((at, action)));
        }
    }
    visited.worlds = seen.len();
    Ok(visited)
}

fn way(ways: &[From], mut at: u32, last: Option<Action>) -> Vec<Action> {
    let mut way: Vec<Action> = last.into_iter().collect();
    while let Some((from, action)) = ways[at as usize] {
        way.push(action);
        at = from;
    }
    way.reverse();
    way
}
