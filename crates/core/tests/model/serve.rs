//! The server: how a command reaches `decide`, as the service does it, and what is checked of each decision.

use std::rc::Rc;

use tidelock_core::{
    Body, Content, Facet, LockId, Record, StateHeader, Stored, Ticket, Time, Versioning, decide,
    decide::{Acquire, Acquired, Claim, Precondition, Refused, Release, Released, TakeBack, Write, Written},
};

use crate::{
    checks::{self, Broken},
    world::{Door, NOW, Setup, World, caller, lock_id, owner},
};

/// One rule of the product, or a wrong one in its place.
type Rule<C, O> = fn(&Record, &C, Time) -> (Record, O);

/// The rules that are checked.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) acquire: Rule<Acquire, Acquired>,
    pub(crate) release: Rule<Release, Released>,
    pub(crate) write: Rule<Write, Result<Written, Refused>>,
    pub(crate) take_back: Rule<TakeBack, bool>,
    /// Whether the server looks which of the held requests still have a client.
    pub(crate) lets_go: bool,
}

/// Those of the product.
pub(crate) const REAL: Rules = Rules {
    acquire: decide::<Acquire>,
    release: decide::<Release>,
    write: decide::<Write>,
    take_back: decide::<TakeBack>,
    lets_go: true,
};

/// What does not change from step to step.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) rules: &'a Rules,
}

/// One of the locks of a client.
#[derive(Clone, Copy)]
pub(crate) struct Whose {
    pub(crate) client: usize,
    pub(crate) cycle: u8,
}

impl Whose {
    pub(crate) fn id(self) -> LockId {
        lock_id(self.client, self.cycle)
    }
}

impl World {
    /// The record as the service loads it.
    fn load(&self, rules: &Rules, live: &[Ticket]) -> Record {
        let mut record = (*self.record).clone();
        if rules.lets_go {
            record.let_go(|ticket| live.contains(&ticket));
        }
        record
    }

    pub(crate) fn serve_acquire(
        &mut self,
        context: Context<'_>,
        whose: Whose,
        door: usize,
        ticket: Ticket,
    ) -> Result<Acquired, Broken> {
        let mut live = self.live();
        live.push(ticket);
        let before = self.load(context.rules, &live);
        let kind = context.setup.clients[whose.client];
        let is_over = |id: &LockId| self.clients[owner(id)].over && *id == self.id(owner(id));
        let ids = before.locks.iter().map(|lock| lock.id.clone());
        let command = Acquire {
            id: whose.id(),
            info: whose.id().to_string(),
            facet: kind.door.facets()[door].clone(),
            caller: caller(kind.caller),
            shared: kind.plans,
            ticket: Some(ticket),
            over: ids.filter(is_over).collect(),
        };
        let (after, outcome) = (context.rules.acquire)(&before, &command, NOW);
        checks::decision(&before, &after, &live)?;
        checks::acquired(&after, &command.id, &outcome)?;
        if matches!(outcome, Acquired::Granted { .. }) {
            self.shown(kind.caller, Some(command.id));
        }
        self.settle(context, &before, after, Some("an ended lease"));
        Ok(outcome)
    }

    pub(crate) fn serve_release(
        &mut self,
        context: Context<'_>,
        whose: Whose,
        door: usize,
    ) -> Result<Released, Broken> {
        let kind = context.setup.clients[whose.client];
        let facets = kind.door.facets();
        let look = self.looks.iter().find(|(who, _)| *who == kind.caller);
        let look = look.map(|(_, id)| id.clone());
        let command = Release {
            // S3 and DynamoDB carry no ID, but the name of the call; the server knows what it has shown.
            id: if kind.door == Door::Http {
                Some(whose.id())
            } else {
                look
            },
            facet: facets[door].clone(),
            caller: caller(kind.caller),
            invocation: (kind.door != Door::Http).then(|| format!("{}/{door}", whose.id())),
            may_force: true,
        };
        if kind.door != Door::Http {
            self.shown(kind.caller, None);
        }
        let last = door + 1 == facets.len();
        self.release(context, &command, &whose.id(), last)
    }

    /// An operator breaks a lock.
    pub(crate) fn serve_break(&mut self, context: Context<'_>, id: &LockId) -> Result<Released, Broken> {
        let command = Release {
            id: Some(id.clone()),
            facet: Facet::Operator,
            caller: caller("operator"),
            invocation: None,
            may_force: true,
        };
        self.release(context, &command, id, true)
    }

    fn release(
        &mut self,
        context: Context<'_>,
        command: &Release,
        id: &LockId,
        last: bool,
    ) -> Result<Released, Broken> {
        let live = self.live();
        let before = self.load(context.rules, &live);
        let (after, outcome) = (context.rules.release)(&before, command, NOW);
        checks::decision(&before, &after, &live)?;
        checks::released(&after, id, last, &outcome)?;
        // A late delete that names no lock can hit another's, as on AWS. That is force, and the other is fenced.
        let may_take = command.id.as_ref() != Some(id) || command.facet == Facet::Operator;
        self.settle(
            context,
            &before,
            after,
            may_take.then_some(&command.caller.principal),
        );
        Ok(outcome)
    }

    pub(crate) fn serve_take_back(
        &mut self,
        context: Context<'_>,
        id: LockId,
        ticket: Ticket,
    ) -> Result<(), Broken> {
        let live = self.live();
        let before = self.load(context.rules, &live);
        let (after, _) = (context.rules.take_back)(&before, &TakeBack { id, ticket }, NOW);
        checks::decision(&before, &after, &live)?;
        self.settle(context, &before, after, None);
        Ok(())
    }

    /// Whether the write was accepted.
    pub(crate) fn serve_write(
        &mut self,
        context: Context<'_>,
        whose: Whose,
        serial: u64,
    ) -> Result<bool, Broken> {
        let before = self.load(context.rules, &self.live());
        let kind = context.setup.clients[whose.client];
        let command = Write {
            restores: false,
            body: state(format!("{}-{serial}", whose.id()), serial),
            random: 0,
            versioning: Versioning::Unversioned,
            precondition: Precondition::default(),
            caller: caller(kind.caller),
            claim: match kind.door {
                Door::Http => Claim::Lock(Some(whose.id())),
                Door::File | Door::Table | Door::Both => Claim::Caller,
            },
            older_null: None,
        };
        let (after, outcome) = (context.rules.write)(&before, &command, NOW);
        checks::written(&before, &after, &command, &outcome, &self.fenced)?;
        self.record = Rc::new(after);
        Ok(outcome.is_ok())
    }

    /// Keeps the record, and remembers whose lock was taken by force and who has one again.
    fn settle(&mut self, context: Context<'_>, before: &Record, after: Record, taker: Option<&str>) {
        for lock in &before.locks {
            let Some(taker) = taker.filter(|_| after.lock(&lock.id).is_none()) else {
                continue;
            };
            let one = owner(&lock.id);
            if self.clients[one].told && self.id(one) == lock.id {
                self.clients[one].robbed = true;
            }
            let kind = context.setup.clients[one];
            if kind.door != Door::Http && !kind.plans && taker != kind.caller {
                self.fenced.retain(|fenced| *fenced != kind.caller);
                self.fenced.push(kind.caller);
            }
        }
        for lock in after.locks.iter().filter(|lock| !lock.shared) {
            if before.lock(&lock.id).is_none() {
                self.fenced.retain(|fenced| *fenced != lock.holder.principal);
            }
        }
        self.record = Rc::new(after);
    }
}

fn state(md5: String, serial: u64) -> Body {
    Body {
        stored: Stored::default(),
        size: 1,
        etag: String::new(),
        md5,
        state: Some(StateHeader {
            serial,
            lineage: "l".to_owned(),
            version: Some(4),
            terraform_version: None,
            encrypted: false,
            empty: false,
        }),
        content: Content::default(),
        part_sizes: Vec::new(),
        upload: None,
    }
}
