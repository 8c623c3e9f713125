//! Checks the rules of the lock in every order of events: three clients, lost and late requests, kills, restarts,
//! forced releases, ended leases and the passing of time, up to a bound.
//!
//! `just model` goes further than `cargo test`; the bounds are in [`bounded`].
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod checks;
mod client;
mod drain;
mod mutants;
mod print;
mod search;
mod serve;
mod step;
mod world;

use search::search;
use serve::REAL;
use world::{Door, Kind, Setup};

const fn applies(door: Door, caller: &'static str) -> Kind {
    Kind {
        door,
        caller,
        plans: false,
    }
}

const fn plans(door: Door, caller: &'static str) -> Kind {
    Kind {
        door,
        caller,
        plans: true,
    }
}

const DOORS: Setup = Setup {
    name: "three doors",
    clients: [
        applies(Door::Both, "a"),
        applies(Door::File, "b"),
        applies(Door::Http, "c"),
    ],
    cycles: 1,
    writes: 1,
    faults: 1,
    passes: 1,
};

const ONE_CALLER: Setup = Setup {
    name: "two clients that are one caller",
    clients: [
        applies(Door::File, "a"),
        applies(Door::Table, "a"),
        applies(Door::Http, "c"),
    ],
    ..DOORS
};

const PLANS: Setup = Setup {
    name: "two plans and an apply",
    clients: [
        plans(Door::File, "a"),
        plans(Door::Http, "b"),
        applies(Door::Table, "c"),
    ],
    ..DOORS
};

const PLANS_OF_ONE: Setup = Setup {
    name: "two plans that cannot be told apart, and an apply",
    clients: [
        plans(Door::File, "a"),
        plans(Door::File, "a"),
        applies(Door::Both, "c"),
    ],
    ..DOORS
};

/// The setup with bounds from the environment, such as `TIDELOCK_MODEL_FAULTS=2`.
#[allow(clippy::disallowed_methods)] // The rules read no environment; this is how far a person wants their check to go.
fn bounded(setup: Setup) -> Setup {
    let bound = |name: &str, usual: u8| {
        let value = std::env::var(format!("TIDELOCK_MODEL_{name}"));
        value.map_or(usual, |value| value.parse().unwrap())
    };
    Setup {
        cycles: bound("CYCLES", setup.cycles),
        writes: bound("WRITES", setup.writes),
        faults: bound("FAULTS", setup.faults),
        passes: bound("PASSES", setup.passes),
        ..setup
    }
}

/// Visits all of the setup and says how much that was.
fn check(setup: Setup) {
    let setup = bounded(setup);
    let Setup {
        name,
        cycles,
        writes,
        faults,
        passes,
        ..
    } = setup;
    match search(&setup, &REAL) {
        Ok(visited) => println!(
            "{name}: {} states, {} decisions ({cycles} locks and {writes} writes each, {faults} faults, {passes} pauses)",
            visited.worlds, visited.steps
        ),
        Err(fault) => panic!(
            "{name}: it does not hold that {}: {:#?}",
            fault.property, fault.way
        ),
    }
}

#[test]
fn the_rules_hold_for_clients_of_three_doors_with_time() {
    check(DOORS);
}

#[test]
fn the_rules_hold_for_clients_of_three_doors_with_two_faults() {
    check(Setup {
        faults: 2,
        passes: 0,
        ..DOORS
    });
}

#[test]
fn the_rules_hold_for_clients_that_lock_and_write_twice() {
    check(Setup {
        cycles: 2,
        writes: 2,
        faults: 0,
        passes: 0,
        ..DOORS
    });
}

#[test]
fn the_rules_hold_for_clients_that_are_one_caller() {
    check(ONE_CALLER);
}

#[test]
fn the_rules_hold_for_plans_that_share() {
    check(PLANS);
}

#[test]
fn the_rules_hold_for_plans_that_cannot_be_told_apart() {
    check(PLANS_OF_ONE);
}
