//! Whether a history of one address can have come from the rules: for each call a moment between its start and its
//! answer at which it happened, so that every answer is what the rules say (Herlihy and Wing 1990).
//!
//! The search is Wing and Gong's with Lowe's refinements (2017): it walks through the history in order of time with
//! all the situations that can be the present one, and lets a call that is under way happen only when an answer asks for
//! it. Two more savings keep it linear in practice. A call that changes nothing happens as soon as its answer is right,
//! for that cannot hinder any other. And of two situations that differ only in calls without an answer, which
//! may happen or not, the one where fewer of them have happened can do all that the other can.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
};

use crate::{
    history::{Nanos, Op},
    model::{State, only_looks},
};

/// A set of calls under way, by their places.
type Places = u128;

/// What may be the present: the state, and which of the calls under way have happened.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Present {
    state: State,
    done: Places,
}

/// How much work it was.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Effort {
    /// Situations looked at.
    pub(crate) states: u64,
    /// Most calls under way at a time.
    pub(crate) widest: usize,
}

/// A history that the rules do not allow.
#[derive(Debug)]
pub(crate) struct Violation {
    /// The call whose answer cannot be.
    pub(crate) at: usize,
    /// What the rules could have made of everything before.
    before: Vec<State>,
    /// Calls under way then.
    pending: Vec<usize>,
}

impl Violation {
    /// The story for a person: the calls around, what was under way, and what is wrong.
    pub(crate) fn tell(&self, ops: &[Op]) -> String {
        const CALLS_TOLD: usize = 40;
        let wrong = &ops[self.at];
        let mut calls: Vec<&Op> = ops.iter().collect();
        calls.sort_by_key(|op| (op.until, op.from));
        let place = calls.partition_point(|op| op.until <= wrong.until);
        let around = place.saturating_sub(CALLS_TOLD)..calls.len().min(place + CALLS_TOLD / 2);
        let mut text = String::new();
        for op in &calls[around] {
            text += &format!("  {op}\n");
        }
        text += &format!("cannot be: {wrong}\nwhile there were under way:\n");
        for place in &self.pending {
            text += &format!("  {}\n", ops[*place]);
        }
        text += "and before it one of:\n";
        for state in self.before.iter().take(CALLS_TOLD) {
            text += &format!("  {state:?}\n");
        }
        text
    }
}

/// All calls in the order of their ends.
pub(crate) fn written_down(ops: &[Op]) -> String {
    let mut calls: Vec<&Op> = ops.iter().collect();
    calls.sort_by_key(|op| (op.until, op.from));
    calls.iter().map(|op| format!("{op}\n")).collect()
}

impl fmt::Display for Op {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |at: Nanos| at as f64 / 1e6;
        let (from, until) = (ms(self.from), ms(self.until));
        let Self {
            client,
            caller,
            call,
            answer,
            ..
        } = self;
        write!(
            out,
            "{from:.3}..{until:.3} client {client} as {caller}: {call:?} "
        )?;
        match answer {
            Some(answer) => write!(out, "-> {answer:?}"),
            None => write!(out, "without an answer"),
        }
    }
}

/// The order at one moment: what starts may overlap what ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Start,
    Answer,
    /// The last moment of calls without an answer: the server was killed.
    Kill,
}

/// Checks the history of one address.
pub(crate) fn check(ops: &[Op]) -> Result<Effort, Violation> {
    let mut events: Vec<(Nanos, Event, usize)> = Vec::new();
    for (number, op) in ops.iter().enumerate() {
        events.push((op.from, Event::Start, number));
        let end = if op.answer.is_some() {
            Event::Answer
        } else {
            Event::Kill
        };
        events.push((op.until, end, number));
    }
    events.sort_unstable();
    let mut search = Search::new(ops);
    let mut events = events.into_iter().peekable();
    while let Some((at, event, number)) = events.next() {
        match event {
            Event::Start => search.start(number),
            Event::Answer => search.answer(number)?,
            Event::Kill => {
                let mut killed = vec![number];
                while let Some((_, _, number)) =
                    events.next_if(|(time, event, _)| (*time, *event) == (at, Event::Kill))
                {
                    killed.push(number);
                }
                search.kill(&killed);
            }
        }
    }
    Ok(search.effort)
}

struct Search<'a> {
    ops: &'a [Op],
    /// Calls under way; a place is free where there is none.
    pending: Vec<Option<usize>>,
    presents: Vec<Present>,
    effort: Effort,
}

impl<'a> Search<'a> {
    fn new(ops: &'a [Op]) -> Self {
        let present = Present {
            state: State::default(),
            done: 0,
        };
        Self {
            ops,
            pending: Vec::new(),
            presents: vec![present],
            effort: Effort::default(),
        }
    }

    fn start(&mut self, number: usize) {
        let place = self.pending.iter().position(Option::is_none);
        let place = place.unwrap_or(self.pending.len());
        assert!(
            place < Places::BITS as usize,
            "more calls at a time than the search has places"
        );
        if place == self.pending.len() {
            self.pending.push(None);
        }
        self.pending[place] = Some(number);
        let under_way = self.pending.iter().flatten().count();
        self.effort.widest = self.effort.widest.max(under_way);
        if only_looks(&self.ops[number]) {
            for present in &mut self.presents {
                if !present.state.after(&self.ops[number]).is_empty() {
                    present.done |= 1 << place;
                }
            }
        }
    }

    /// Keeps the situations in which the call has happened by now.
    fn answer(&mut self, number: usize) -> Result<(), Violation> {
        let bit = self.bit(number);
        let before = std::mem::take(&mut self.presents);
        let states = || before.iter().map(|present| present.state.clone()).collect();
        let after = self.explore(before.clone(), bit);
        let done = after.into_iter().filter(|present| present.done & bit != 0);
        let presents: Vec<Present> = done
            .map(|present| Present {
                done: present.done & !bit,
                ..present
            })
            .collect();
        if presents.is_empty() {
            return Err(Violation {
                at: number,
                before: states(),
                pending: self.pending.iter().flatten().copied().collect(),
            });
        }
        self.presents = presents;
        self.forget(number);
        Ok(())
    }

    /// The server is gone, and calls without an answer have happened or never will.
    fn kill(&mut self, killed: &[usize]) {
        let bits = killed.iter().fold(0, |bits, number| bits | self.bit(*number));
        let before = std::mem::take(&mut self.presents);
        let after = self.explore(before, 0);
        for number in killed {
            self.forget(*number);
        }
        let mut known = Known::default();
        for present in after {
            let present = Present {
                state: present.state.restarted(),
                done: present.done & !bits,
            };
            if known.is_new(&present, 0) {
                self.presents.push(present);
            }
        }
    }

    /// All situations that can be reached by letting calls under way happen; not beyond those where a call of `until` has.
    fn explore(&mut self, from: Vec<Present>, until: Places) -> Vec<Present> {
        let unsure = self.unsure();
        let mut known = Known::default();
        let mut found = Vec::new();
        let mut queue: VecDeque<Present> = from.into();
        while let Some(present) = queue.pop_front() {
            if !known.is_new(&present, unsure) {
                continue;
            }
            self.effort.states += 1;
            if present.done & until == 0 {
                self.next(&present, &mut queue);
            }
            found.push(present);
        }
        found
    }

    fn next(&self, present: &Present, queue: &mut VecDeque<Present>) {
        if let Some(state) = present.state.taken_back() {
            queue.push_back(self.with_looks(state, present.done));
        }
        for (place, op) in self.open(present.done).filter(|(_, op)| !only_looks(op)) {
            for state in present.state.after(op) {
                queue.push_back(self.with_looks(state, present.done | 1 << place));
            }
        }
    }

    /// Lets all calls happen that change nothing and whose answer is right now.
    fn with_looks(&self, state: State, mut done: Places) -> Present {
        for (place, op) in self.open(done).filter(|(_, op)| only_looks(op)) {
            if !state.after(op).is_empty() {
                done |= 1 << place;
            }
        }
        Present { state, done }
    }

    /// Calls under way that have not happened.
    fn open(&self, done: Places) -> impl Iterator<Item = (usize, &Op)> {
        let calls = self.pending.iter().enumerate();
        calls
            .filter(move |(place, _)| done & (1 << place) == 0)
            .filter_map(|(place, number)| number.map(|number| (place, &self.ops[number])))
    }

    /// The places of calls without an answer.
    fn unsure(&self) -> Places {
        let unsure = self.open(0).filter(|(_, op)| op.answer.is_none());
        unsure.fold(0, |bits, (place, _)| bits | 1 << place)
    }

    fn bit(&self, number: usize) -> Places {
        let place = self.pending.iter().position(|pending| *pending == Some(number));
        1 << place.expect("what ends has started")
    }

    fn forget(&mut self, number: usize) {
        for place in self.pending.iter_mut().filter(|place| **place == Some(number)) {
            *place = None;
        }
    }
}

/// Situations that were looked at.
#[derive(Default)]
struct Known(HashMap<(State, Places), Vec<Places>>);

impl Known {
    /// Whether no situation is known that can do all that this one can.
    fn is_new(&mut self, present: &Present, unsure: Places) -> bool {
        let key = (present.state.clone(), present.done & !unsure);
        let known = self.0.entry(key).or_default();
        let done = present.done & unsure;
        if known.iter().any(|fewer| fewer & !done == 0) {
            return false;
        }
        known.retain(|more| done & !more != 0);
        known.push(done);
        true
    }
}
