//! From any world, with no more faults: every holder gives the lock back, and everybody who waits must get it.

use std::collections::HashSet;

use crate::{
    checks::{self, Broken, STARVES},
    serve::Context,
    step::{Action, Fate},
    world::{Adrift, Step, World, owner},
};

/// More steps than three clients need to take the lock in turn, with every pause between their tries.
const STEPS_MAX: usize = 400;
/// The pause of a poll, in milliseconds.
const PAUSE_MS: i64 = 1_000;

/// The worlds from which everybody is known to get the lock.
#[derive(Default)]
pub(crate) struct Drain(HashSet<u64>);

impl Drain {
    pub(crate) fn run(&mut self, context: Context<'_>, world: &World) -> Result<(), Broken> {
        let mut world = calm(world);
        let mut passed = Vec::new();
        for _ in 0..STEPS_MAX {
            let print = world.fingerprint();
            if self.0.contains(&print) || is_done(&world) {
                self.0.extend(passed);
                return Ok(());
            }
            passed.push(print);
            step(context, &mut world)?;
            checks::always(context.setup, &world)?;
        }
        Err(STARVES)
    }
}

/// The same world without what is still to go wrong: nobody begins anew, nobody writes, and dead connections are noticed.
fn calm(world: &World) -> World {
    let mut world = world.clone();
    (world.faults, world.passes) = (0, 0);
    for client in &mut world.clients {
        client.writes = 0;
    }
    for request in std::mem::take(&mut world.adrift) {
        if let Adrift::Waiting {
            client,
            cycle,
            ticket,
            ..
        } = request
        {
            world.undone.push((crate::world::lock_id(client, cycle), ticket));
        }
    }
    world
}

fn is_done(world: &World) -> bool {
    world
        .clients
        .iter()
        .all(|client| matches!(client.step, Step::Idle | Step::Gone))
}

/// One step of the one way on.
fn step(context: Context<'_>, world: &mut World) -> Result<(), Broken> {
    if !world.undone.is_empty() {
        return world.act(context, Action::TakeBack(0)).map(drop);
    }
    let idle = |world: &World, one: usize| world.clients[one].step == Step::Idle;
    let ready = world.actions(context).into_iter().find(|action| match action {
        Action::Ask(one, Fate::Answered) => !idle(world, *one),
        Action::Wake(_, Fate::Answered) | Action::Release(_, Fate::Answered) => true,
        _ => false,
    });
    if let Some(action) = ready {
        return world.act(context, action).map(drop);
    }
    let orphan = world.record.locks.iter().position(|lock| {
        let one = owner(&lock.id);
        let done = matches!(world.clients[one].step, Step::Idle | Step::Gone | Step::Asleep(_));
        done || world.id(one) != lock.id
    });
    let action = orphan.map_or(Action::Pass(PAUSE_MS), Action::Break);
    world.act(context, action).map(drop)
}
