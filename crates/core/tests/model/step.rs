//! What can happen next, and what it does to the world.

use crate::{
    checks::Broken,
    serve::{Context, Whose},
    world::{Adrift, NOW, POLL_MS, Step, World},
};

/// What becomes of a request and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Answered,
    /// It reaches the server when its client does not listen any more, or never.
    Late,
    /// The answer is lost.
    Lost,
    /// The answer is lost, and the server knows.
    LostKnown,
}

/// One step.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    Ask(usize, Fate),
    /// A held request is woken, or its time is up.
    Wake(usize, Fate),
    /// The connection of a held request is cut; whether the server notices.
    Cut(usize, bool),
    Write(usize, Fate),
    Release(usize, Fate),
    /// As `Cut`, and the client does not come again.
    Kill(usize, bool),
    /// A request that is adrift is served; whether the server notices that nobody takes the answer.
    Arrive(usize, bool),
    /// The server notices that the connection of a held request is dead.
    Notice(usize),
    TakeBack(usize),
    Restart,
    /// An operator breaks a lock.
    Break(usize),
    LeaseEnds(usize),
    Pass(i64),
}

/// The pauses that step over the thresholds of the rules: a waiter is back, a waiter is asleep, all else is over.
const PAUSES_MS: [i64; 3] = [POLL_MS, 21_000, 61_000];

impl World {
    pub(crate) fn actions(&self, context: Context<'_>) -> Vec<Action> {
        let mut actions = Vec::new();
        for one in 0..3 {
            self.actions_of(context, one, &mut actions);
        }
        for (at, request) in self.adrift.iter().enumerate() {
            match request {
                Adrift::Waiting { .. } => actions.extend([Action::Notice(at), Action::Arrive(at, true)]),
                Adrift::Ask { .. } => actions.push(Action::Arrive(at, true)),
                Adrift::Write { .. } | Adrift::Release { .. } => {}
            }
            actions.push(Action::Arrive(at, false));
        }
        actions.extend((0..self.undone.len()).map(Action::TakeBack));
        if self.faults > 0 {
            actions.push(Action::Restart);
            actions.extend((0..self.record.locks.len()).map(Action::Break));
        }
        if self.passes > 0 {
            actions.extend(PAUSES_MS.map(Action::Pass));
        }
        actions
    }

    fn actions_of(&self, context: Context<'_>, one: usize, actions: &mut Vec<Action>) {
        let client = &self.clients[one];
        let mut fates = |action: fn(usize, Fate) -> Action, loses_grants: bool| {
            actions.push(action(one, Fate::Answered));
            if self.faults > 0 {
                actions.push(action(one, Fate::Lost));
                if loses_grants {
                    actions.push(action(one, Fate::LostKnown));
                }
            }
        };
        match &client.step {
            Step::Idle if client.cycle >= context.setup.cycles => return,
            Step::Gone => return,
            Step::Asleep(since) if NOW.since(*since) < POLL_MS => {}
            Step::Idle | Step::Asking(_) | Step::Asleep(_) => fates(Action::Ask, true),
            Step::Held { ticket, until, .. } => {
                if self.is_woken(one, client.cycle, *ticket) || *until <= NOW {
                    fates(Action::Wake, true);
                }
            }
            Step::Holding if client.writes == 0 => fates(Action::Release, false),
            Step::Holding | Step::Writing => {
                fates(Action::Write, false);
                fates(Action::Release, false);
            }
            Step::Releasing { .. } => fates(Action::Release, false),
        }
        if self.faults == 0 {
            return;
        }
        let late: &[fn(usize, Fate) -> Action] = match &client.step {
            Step::Idle | Step::Asking(_) => &[Action::Ask],
            Step::Writing => &[Action::Write, Action::Release],
            Step::Holding if client.writes > 0 => &[Action::Write, Action::Release],
            Step::Holding | Step::Releasing { .. } => &[Action::Release],
            Step::Asleep(_) | Step::Held { .. } | Step::Gone => &[],
        };
        actions.extend(late.iter().map(|action| action(one, Fate::Late)));
        actions.push(Action::Kill(one, false));
        if matches!(client.step, Step::Held { .. }) {
            actions.extend([
                Action::Cut(one, false),
                Action::Cut(one, true),
                Action::Kill(one, true),
            ]);
        }
        if client.told && !client.over {
            actions.push(Action::LeaseEnds(one));
        }
    }

    /// The world after a step; `None` where the same happens in another step.
    pub(crate) fn after(&self, context: Context<'_>, action: Action) -> Result<Option<World>, Broken> {
        let mut next = self.clone();
        let is_fault = match action {
            Action::Ask(_, fate)
            | Action::Wake(_, fate)
            | Action::Write(_, fate)
            | Action::Release(_, fate) => fate != Fate::Answered,
            Action::Cut(..)
            | Action::Kill(..)
            | Action::Restart
            | Action::Break(_)
            | Action::LeaseEnds(_) => true,
            Action::Arrive(..) | Action::Notice(_) | Action::TakeBack(_) | Action::Pass(_) => false,
        };
        next.faults -= u8::from(is_fault);
        let is_new = next.act(context, action)?;
        Ok(is_new.then_some(next))
    }

    /// Does it; `false` where the same happens in another step.
    pub(crate) fn act(&mut self, context: Context<'_>, action: Action) -> Result<bool, Broken> {
        match action {
            Action::Ask(one, fate) => return self.ask(context, one, fate),
            Action::Wake(one, fate) => return self.wake(context, one, fate),
            Action::Write(one, fate) => self.write(context, one, fate)?,
            Action::Release(one, fate) => self.give_back(context, one, fate)?,
            Action::Cut(one, noticed) => self.cut(one, noticed),
            Action::Kill(one, noticed) => {
                self.cut(one, noticed);
                self.clients[one].step = Step::Gone;
            }
            Action::Arrive(at, noticed) => return self.arrive(context, at, noticed),
            Action::Notice(at) => {
                if let Adrift::Waiting {
                    client,
                    cycle,
                    ticket,
                    ..
                } = self.adrift.remove(at)
                {
                    self.undone.push((Whose { client, cycle }.id(), ticket));
                }
            }
            Action::TakeBack(at) => {
                let (id, ticket) = self.undone.remove(at);
                self.serve_take_back(context, id, ticket)?;
            }
            Action::Restart => self.restart(),
            Action::Break(at) => {
                let id = self.record.locks[at].id.clone();
                self.serve_break(context, &id)?;
            }
            Action::LeaseEnds(one) => self.clients[one].over = true,
            Action::Pass(ms) => {
                self.passes = self.passes.saturating_sub(1);
                self.pass(ms);
            }
        }
        Ok(true)
    }
}
