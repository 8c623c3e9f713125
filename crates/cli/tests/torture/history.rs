//! What clients did, as they wrote it down: one line before each call and one after its answer.
//!
//! A line is one `write` of a few hundred bytes to a file, so a client that is killed leaves whole lines, and a call
//! without an answer is one that may have happened or not.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs,
    path::Path,
};

use serde::{Deserialize, Serialize};
use tidelock_testkit::etag;

use crate::wire::state;

/// Nanoseconds of `CLOCK_MONOTONIC`, which all processes of a machine share.
pub(crate) type Nanos = u64;

/// The number inside a lock's UUID.
pub(crate) type LockNumber = u64;

/// The form in which a lock is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Facet {
    File,
    Table,
    Http,
    /// The admin door.
    Operator,
}

/// A state as far as it matters: its serial, and which bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) serial: u64,
    pub(crate) content: u64,
}

/// By what right a state is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Right {
    /// By who the caller is (s3).
    Caller,
    /// The same, as the completion of the upload with this number.
    Upload(u64),
    /// By the lock ID in the request, if there is one (http).
    Lock(Option<LockNumber>),
}

/// What a client asks of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Call {
    Acquire {
        id: LockNumber,
        facet: Facet,
    },
    /// Without an ID whatever is held is meant: the door cannot carry one.
    Release {
        id: Option<LockNumber>,
        facet: Facet,
    },
    Look {
        facet: Facet,
    },
    /// A look through the admin door, which shows nothing that has ended.
    Status,
    Write {
        head: Head,
        right: Right,
    },
    Read,
    Delete,
}

/// Why a write was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Reason {
    Locked {
        holder: Option<LockNumber>,
    },
    Fenced,
    NotAdvancing,
    /// The http door has one status for the last two.
    Conflict,
}

/// What it was told.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Answer {
    Granted,
    /// The holder where the door names it.
    Refused {
        holder: Option<LockNumber>,
    },
    Released,
    /// Not released, because another ID holds or none.
    NotHeld,
    Shown {
        holder: Option<LockNumber>,
    },
    Status {
        /// How many locks were ever granted.
        fence: u64,
        holder: Option<LockNumber>,
    },
    Written,
    /// There is no such upload: it was completed before, and another state has come since.
    Gone,
    Deleted,
    /// A write or a deletion.
    WriteRefused {
        reason: Reason,
    },
    State {
        head: Option<Head>,
    },
    /// Nothing that the documents allow.
    Wrong {
        text: String,
    },
}

/// One line of a client's record.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Line {
    Call {
        at: Nanos,
        client: u64,
        caller: u64,
        /// Which life of the server the connection goes to.
        life: usize,
        address: usize,
        call: Call,
    },
    Answer {
        at: Nanos,
        answer: Answer,
    },
    /// There was no connection: it cannot have happened.
    Unsent,
}

/// One call with all that is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    pub(crate) client: u64,
    pub(crate) caller: u64,
    pub(crate) call: Call,
    /// `None`: it may have happened or not.
    pub(crate) answer: Option<Answer>,
    pub(crate) from: Nanos,
    /// When it had happened at the latest, if it happened at all.
    pub(crate) until: Nanos,
    /// Whether the caller had been refused the lock shortly before: it may be shown a lock that has just ended.
    pub(crate) refused_lately: bool,
    /// Whether a write of the caller may have been refused before, so that this one may be refused for that.
    pub(crate) goes_on_after_refusal: bool,
    /// Whether nothing that was answered can come from the lock that this call wants.
    pub(crate) is_forgotten: bool,
    /// Whether some look was shown the lock that this call wants.
    pub(crate) is_shown: bool,
    /// Which lock a release without an ID is about.
    pub(crate) meant: Meant,
}

/// A release without an ID is about the lock that its caller was shown just before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meant {
    /// This one, and no other.
    Lock(LockNumber),
    /// Nobody can say: several clients are this caller, or the server that showed the lock has been killed.
    Unknown,
}

/// Refused states that are kept for one address: `QUARANTINE_MAX`.
const QUARANTINE: usize = 100;

/// Longest time from a refusal over the end of that lock to a look that still shows it: twice `TOMBSTONE_MS`, and some
/// more since the server's clock and this one are not the same.
const REFUSED_LATELY: Nanos = 21_000_000_000;

/// Everything that all clients did, in histories of one address each.
pub(crate) struct History {
    pub(crate) addresses: Vec<Vec<Op>>,
    /// Answers that nothing allows.
    pub(crate) wrong: Vec<String>,
}

impl History {
    /// Reads the records of all clients. `ends` says when each life of the server was over for sure: what had no
    /// answer by then never happens, and what had one had happened.
    pub(crate) fn read(dir: &Path, addresses: usize, ends: &[Nanos]) -> Self {
        let mut history = Self {
            addresses: vec![Vec::new(); addresses],
            wrong: Vec::new(),
        };
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "jsonl") {
                history.read_client(&fs::read_to_string(path).unwrap(), ends);
            }
        }
        for (address, ops) in history.addresses.iter_mut().enumerate() {
            mark_refused(ops);
            mark_shown(ops);
            mark_going_on(ops);
            mark_forgotten(ops);
            let turned = turned_back(ops);
            history.wrong.extend(turned.map(|(before, after)| {
                format!("address {address}: the fence does not grow: {before}, but then {after}")
            }));
            let gone = gone_at_first(ops);
            history
                .wrong
                .extend(gone.map(|op| format!("address {address}: nobody had completed that upload: {op}")));
            let forsaken = forsaken(ops);
            let forsaken =
                forsaken.map(|(refused, look)| format!("address {address}: {refused}, but then {look}"));
            history.wrong.extend(forsaken);
        }
        history
    }

    pub(crate) fn len(&self) -> usize {
        self.addresses.iter().map(Vec::len).sum()
    }

    /// How many calls have no answer.
    pub(crate) fn unsure(&self) -> usize {
        let unsure = |ops: &Vec<Op>| ops.iter().filter(|op| op.answer.is_none()).count();
        self.addresses.iter().map(unsure).sum()
    }

    /// How often each answer was given.
    pub(crate) fn tally(&self) -> String {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for op in self.addresses.iter().flatten() {
            let first_word = |text: String| text.split([' ', '(']).next().unwrap_or_default().to_owned();
            let said = match &op.answer {
                None => "nothing".to_owned(),
                Some(Answer::WriteRefused { reason }) => first_word(format!("{reason:?}")),
                Some(answer) => first_word(format!("{answer:?}")),
            };
            *counts
                .entry(format!("{} {said}", first_word(format!("{:?}", op.call))))
                .or_default() += 1;
        }
        let counts: Vec<String> = counts
            .into_iter()
            .map(|(what, count)| format!("{what} {count}"))
            .collect();
        counts.join(", ")
    }

    fn read_client(&mut self, text: &str, ends: &[Nanos]) {
        let mut pending: Option<(usize, Op)> = None;
        let mut now = (0, 0);
        // The life, the address and the lock of the look before this call.
        let mut shown: Option<(usize, usize, LockNumber)> = None;
        for line in text.lines() {
            // Only the last line of a killed client can be torn, and then its call was not sent yet.
            let Ok(line) = serde_json::from_str(line) else {
                break;
            };
            match line {
                Line::Call {
                    at,
                    client,
                    caller,
                    life,
                    address,
                    call,
                } => {
                    self.keep(pending.take());
                    let op = Op {
                        client,
                        caller,
                        call,
                        answer: None,
                        from: at,
                        until: ends[life],
                        refused_lately: false,
                        goes_on_after_refusal: false,
                        is_forgotten: false,
                        is_shown: false,
                        meant: shown
                            .filter(|shown| (shown.0, shown.1) == (life, address) && client == caller)
                            .map_or(Meant::Unknown, |shown| Meant::Lock(shown.2)),
                    };
                    pending = (at < ends[life]).then_some((address, op));
                    (shown, now) = (None, (life, address));
                }
                Line::Answer { at, answer } => {
                    let (address, mut op) = pending.take().expect("an answer comes while the server lives");
                    op.until = op.until.min(at);
                    if let Answer::Shown { holder: Some(holder) } = &answer {
                        shown = Some((now.0, now.1, *holder));
                    }
                    if let Answer::Wrong { text } = &answer {
                        self.wrong
                            .push(format!("address {address}: {:?}: {text}", op.call));
                        continue;
                    }
                    op.answer = Some(answer);
                    self.keep(Some((address, op)));
                }
                Line::Unsent => pending = None,
            }
        }
        self.keep(pending);
    }

    /// What was refused must be in quarantine, of which `kept` has the MD5s, save what others have pushed out.
    pub(crate) fn look_for_refused_states(&mut self, kept: &[HashSet<String>]) {
        for (address, (ops, kept)) in self.addresses.iter().zip(kept).enumerate() {
            let writes: Vec<(Head, &Op)> = ops
                .iter()
                .filter_map(|op| match op.call {
                    Call::Write { head, .. } if op.answer != Some(Answer::Written) => Some((head, op)),
                    _ => None,
                })
                .collect();
            let is_refused = |op: &Op| matches!(op.answer, Some(Answer::WriteRefused { .. }));
            for (head, refused) in writes.iter().filter(|(_, op)| is_refused(op)) {
                let same = writes.iter().filter(|(other, _)| other == head);
                let first = same.map(|(_, op)| op.from).min().unwrap_or(refused.from);
                let later = writes.iter().filter(|(_, op)| op.until >= first).count();
                let body = etag(state(address, *head).as_bytes());
                if later <= QUARANTINE && !kept.contains(body.trim_matches('"')) {
                    self.wrong
                        .push(format!("address {address}: not in quarantine: {refused}"));
                }
            }
        }
    }

    fn keep(&mut self, op: Option<(usize, Op)>) {
        // A look or a read without an answer says nothing and does nothing.
        if let Some((address, op)) = op.filter(|(_, op)| {
            op.answer.is_some() || !matches!(op.call, Call::Look { .. } | Call::Status | Call::Read)
        }) {
            self.addresses[address].push(op);
        }
    }
}

/// Finds the looks that may see a lock that has just ended.
pub(crate) fn mark_refused(ops: &mut [Op]) {
    let mut refusals: HashMap<u64, Vec<(Nanos, Nanos)>> = HashMap::new();
    for op in ops.iter() {
        let refused = matches!(op.answer, None | Some(Answer::Refused { .. }));
        if matches!(op.call, Call::Acquire { .. }) && refused {
            refusals.entry(op.caller).or_default().push((op.from, op.until));
        }
    }
    for op in ops.iter_mut().filter(|op| matches!(op.call, Call::Look { .. })) {
        let lately = |&(from, until): &(Nanos, Nanos)| {
            from < op.until && until.saturating_add(REFUSED_LATELY) > op.from
        };
        op.refused_lately = refusals
            .get(&op.caller)
            .is_some_and(|refusals| refusals.iter().any(lately));
    }
}

/// Finds the writes whose caller may have had another one refused.
pub(crate) fn mark_going_on(ops: &mut [Op]) {
    let by_caller = |op: &Op| match op.call {
        Call::Write { right, .. } => !matches!(right, Right::Lock(Some(_))),
        _ => false,
    };
    let mut refused: HashMap<u64, Vec<(usize, Nanos)>> = HashMap::new();
    for (number, op) in ops.iter().enumerate().filter(|(_, op)| by_caller(op)) {
        if matches!(op.answer, None | Some(Answer::WriteRefused { .. })) {
            refused.entry(op.caller).or_default().push((number, op.from));
        }
    }
    for (number, op) in ops.iter_mut().enumerate().filter(|(_, op)| by_caller(op)) {
        let another = |&(other, from): &(usize, Nanos)| other != number && from < op.until;
        op.goes_on_after_refusal = refused
            .get(&op.caller)
            .is_some_and(|refused| refused.iter().any(another));
    }
}

/// Finds the acquires whose locks somebody saw: of no other need it be known when it ended.
pub(crate) fn mark_shown(ops: &mut [Op]) {
    let shown: HashSet<LockNumber> = ops
        .iter()
        .filter_map(|op| match op.answer {
            Some(Answer::Shown { holder }) => holder,
            _ => None,
        })
        .collect();
    for op in ops.iter_mut() {
        if let Call::Acquire { id, .. } = op.call {
            op.is_shown = shown.contains(&id);
        }
    }
}

/// Finds the acquires without an answer whose locks explain nothing: nobody was told that they are held, nobody wrote by
/// their ID, and nobody was called fenced who could have been by their end.
pub(crate) fn mark_forgotten(ops: &mut [Op]) {
    let (mut needed, mut fenced) = (HashSet::new(), HashSet::new());
    for op in ops.iter() {
        let (call, Some(answer)) = (op.call, &op.answer) else {
            continue;
        };
        match (call, answer) {
            (Call::Acquire { id, .. }, Answer::Granted) => {
                needed.insert(id);
            }
            (
                Call::Write {
                    right: Right::Lock(Some(id)),
                    ..
                },
                Answer::Written,
            ) => {
                needed.insert(id);
            }
            (_, Answer::Shown { holder: Some(id) } | Answer::Status { holder: Some(id), .. }) => {
                needed.insert(*id);
            }
            (
                _,
                Answer::Refused { holder }
                | Answer::WriteRefused {
                    reason: Reason::Locked { holder },
                },
            ) => {
                // Some holder or other: it may be any.
                let Some(id) = holder else { return };
                needed.insert(*id);
            }
            (
                _,
                Answer::WriteRefused {
                    reason: Reason::Fenced | Reason::Conflict,
                },
            ) => {
                fenced.insert(op.caller);
            }
            _ => {}
        }
    }
    for op in ops.iter_mut().filter(|op| op.answer.is_none()) {
        if let Call::Acquire { id, facet } = op.call {
            op.is_forgotten = !needed.contains(&id) && (facet == Facet::Http || !fenced.contains(&op.caller));
        }
    }
}

/// Completions of an upload that is said to be gone, though no earlier one was sent.
pub(crate) fn gone_at_first(ops: &[Op]) -> impl Iterator<Item = &Op> {
    let gone = ops.iter().filter(|op| op.answer == Some(Answer::Gone));
    gone.filter(|gone| {
        let same = |op: &&Op| match (op.call, gone.call) {
            (Call::Write { right, .. }, Call::Write { right: other, .. }) => right == other,
            _ => false,
        };
        !ops.iter().filter(same).any(|op| op.from < gone.from)
    })
}

/// How long after a refusal its caller finds a holder for sure: `TOMBSTONE_MS`, less some since the clocks differ.
const HOLDER_SHOWN: Nanos = 9_000_000_000;

/// Looks of one client, one after the other, between which the fence fell, or stayed though the lock was granted.
pub(crate) fn turned_back(ops: &[Op]) -> impl Iterator<Item = (&Op, &Op)> {
    let status = |op: &Op| match op.answer {
        Some(Answer::Status { fence, holder }) => Some((fence, holder)),
        _ => None,
    };
    let looks: Vec<&Op> = ops.iter().filter(|op| status(op).is_some()).collect();
    let pairs: Vec<(&Op, &Op)> = looks.windows(2).map(|pair| (pair[0], pair[1])).collect();
    pairs.into_iter().filter(move |(before, after)| {
        let (Some((old, was)), Some((new, is))) = (status(before), status(after)) else {
            return false;
        };
        let granted = is.is_some() && is != was;
        before.client == after.client && (new < old || (granted && new == old))
    })
}

/// Callers who were refused the lock and then told that nobody holds it: a stock client gives up for good
/// (hashicorp/terraform#32690). The calls of each client stand together, in their order.
pub(crate) fn forsaken(ops: &[Op]) -> impl Iterator<Item = (&Op, &Op)> {
    let pairs = ops.windows(2).map(|pair| (&pair[0], &pair[1]));
    pairs.filter(|(refused, look)| {
        // Who cannot be told from other clients was refused and granted at once; nobody can say what it should see.
        let is_one = refused.caller == refused.client && look.client == refused.client;
        let was_refused = matches!(refused.answer, Some(Answer::Refused { .. }))
            && matches!(refused.call, Call::Acquire { .. });
        let in_time = look.until < refused.from + HOLDER_SHOWN;
        is_one && was_refused && in_time && look.answer == Some(Answer::Shown { holder: None })
    })
}
