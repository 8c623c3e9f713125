//! What clients do, and the requests that outlive them.

use tidelock_core::{Ticket, decide::Acquired};

use crate::{
    checks::Broken,
    serve::{Context, Whose},
    step::Fate,
    world::{Adrift, Door, NOW, Step, World, caller},
};

impl World {
    /// Whether a held request has a reason to look again before its time.
    pub(crate) fn is_woken(&self, client: usize, cycle: u8, ticket: Ticket) -> bool {
        let id = Whose { client, cycle }.id();
        let granted = self
            .record
            .lock(&id)
            .is_some_and(|lock| lock.ticket == Some(ticket));
        let is_over = |one: usize| self.clients[one].over && self.record.lock(&self.id(one)).is_some();
        granted || (0..3).any(is_over)
    }

    pub(crate) fn whose(&self, client: usize) -> Whose {
        let cycle = self.clients[client].cycle;
        Whose { client, cycle }
    }

    pub(crate) fn ask(&mut self, context: Context<'_>, one: usize, fate: Fate) -> Result<bool, Broken> {
        let Whose { client, cycle } = self.whose(one);
        let door = match self.clients[one].step {
            Step::Asking(door) => door,
            _ => 0,
        };
        if fate == Fate::Late {
            self.adrift.push(Adrift::Ask { client, cycle, door });
            self.clients[one].step = Step::Asking(door);
            return Ok(true);
        }
        let ticket = self.ticket();
        self.asked(context, one, door, ticket, fate)
    }

    pub(crate) fn wake(&mut self, context: Context<'_>, one: usize, fate: Fate) -> Result<bool, Broken> {
        match self.clients[one].step {
            Step::Held { door, ticket, .. } => self.asked(context, one, door, ticket, fate),
            _ => Ok(false),
        }
    }

    pub(crate) fn asked(
        &mut self,
        context: Context<'_>,
        one: usize,
        door: usize,
        ticket: Ticket,
        fate: Fate,
    ) -> Result<bool, Broken> {
        let outcome = self.serve_acquire(context, self.whose(one), door, ticket)?;
        let setup = context.setup;
        let id = self.id(one);
        let serial = self.serial();
        let client = &mut self.clients[one];
        match (outcome, fate) {
            (Acquired::Waits { until, .. }, Fate::Answered) => {
                client.step = Step::Held { door, ticket, until }
            }
            (Acquired::Granted { .. } | Acquired::Refused { .. }, Fate::Lost) => {
                client.step = Step::Asking(door)
            }
            (Acquired::Granted { .. }, Fate::LostKnown) => {
                client.step = Step::Asking(door);
                self.undone.push((id, ticket));
            }
            (Acquired::Granted { .. }, _) => {
                client.told = true;
                client.base = serial;
                client.writes = if setup.clients[one].plans { 0 } else { setup.writes };
                let more = door + 1 < setup.clients[one].door.facets().len();
                client.step = if more {
                    Step::Asking(door + 1)
                } else {
                    Step::Holding
                };
            }
            (Acquired::Refused { .. }, Fate::Answered) if door == 0 => client.step = Step::Asleep(NOW),
            (Acquired::Refused { .. }, Fate::Answered) => {
                client.told = false;
                client.step = Step::Releasing { door: 0, sent: false };
            }
            (Acquired::Waits { .. } | Acquired::Refused { .. } | Acquired::TooManyFacets, _) => {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(crate) fn serial(&self) -> u64 {
        let head = self.record.head.as_ref().and_then(|head| head.body.as_ref());
        head.and_then(|body| body.state.as_ref())
            .map_or(0, |state| state.serial)
    }

    pub(crate) fn write(&mut self, context: Context<'_>, one: usize, fate: Fate) -> Result<(), Broken> {
        let Whose { client, cycle } = self.whose(one);
        let serial = self.clients[one].base + 1;
        self.clients[one].step = Step::Writing;
        if fate == Fate::Late {
            self.adrift.push(Adrift::Write {
                client,
                cycle,
                serial,
            });
            return Ok(());
        }
        let accepted = self.serve_write(context, self.whose(one), serial)?;
        if fate == Fate::Answered {
            let client = &mut self.clients[one];
            client.step = Step::Holding;
            // Who is refused writes `errored.tfstate` and gives up.
            client.writes = if accepted { client.writes - 1 } else { 0 };
            client.base += u64::from(accepted);
        }
        Ok(())
    }

    pub(crate) fn give_back(&mut self, context: Context<'_>, one: usize, fate: Fate) -> Result<(), Broken> {
        let Whose { client, cycle } = self.whose(one);
        let (door, sent) = match self.clients[one].step {
            Step::Releasing { door, sent } => (door, sent),
            _ => (0, false),
        };
        self.clients[one].told = false;
        // Assumed, not enforced: no request for a lock outlives it. One that did would take it up again for nobody.
        self.adrift.retain(|request| match request {
            Adrift::Ask { client, .. } | Adrift::Waiting { client, .. } => *client != one,
            Adrift::Write { .. } | Adrift::Release { .. } => true,
        });
        let kind = context.setup.clients[one];
        // On S3 and DynamoDB a client first looks whether the lock is still its own.
        if kind.door != Door::Http && !sent {
            let facet = &kind.door.facets()[door];
            let seen = self.record.seen_by(&caller(kind.caller), facet, NOW);
            let seen = seen.map(|lock| lock.id.clone());
            self.shown(kind.caller, seen.clone());
            if seen != Some(self.id(one)) {
                self.next_door(context, one, door);
                return Ok(());
            }
        }
        self.clients[one].step = Step::Releasing { door, sent: true };
        if fate == Fate::Late {
            self.adrift.push(Adrift::Release { client, cycle, door });
            return Ok(());
        }
        self.serve_release(context, self.whose(one), door)?;
        if fate == Fate::Answered {
            self.next_door(context, one, door);
        }
        Ok(())
    }

    pub(crate) fn next_door(&mut self, context: Context<'_>, one: usize, door: usize) {
        let doors = context.setup.clients[one].door.facets().len();
        let client = &mut self.clients[one];
        if door + 1 < doors {
            client.step = Step::Releasing {
                door: door + 1,
                sent: false,
            };
            return;
        }
        client.step = Step::Idle;
        client.cycle += 1;
        (client.writes, client.base) = (0, 0);
        (client.robbed, client.over) = (false, false);
    }

    pub(crate) fn cut(&mut self, one: usize, noticed: bool) {
        let Step::Held { door, ticket, until } = self.clients[one].step else {
            return;
        };
        let Whose { client, cycle } = self.whose(one);
        self.clients[one].step = Step::Asking(door);
        if noticed {
            self.undone.push((self.id(one), ticket));
        } else {
            self.adrift.push(Adrift::Waiting {
                client,
                cycle,
                door,
                ticket,
                until,
            });
        }
    }

    pub(crate) fn restart(&mut self) {
        self.adrift.clear();
        self.undone.clear();
        self.looks.clear();
        for client in &mut self.clients {
            if let Step::Held { door, .. } = client.step {
                client.step = Step::Asking(door);
            }
        }
    }

    pub(crate) fn arrive(&mut self, context: Context<'_>, at: usize, noticed: bool) -> Result<bool, Broken> {
        let (whose, door, ticket) = match self.adrift[at].clone() {
            Adrift::Write {
                client,
                cycle,
                serial,
            } => {
                self.adrift.remove(at);
                self.serve_write(context, Whose { client, cycle }, serial)?;
                return Ok(true);
            }
            Adrift::Release { client, cycle, door } => {
                self.adrift.remove(at);
                self.serve_release(context, Whose { client, cycle }, door)?;
                return Ok(true);
            }
            Adrift::Ask { client, cycle, door } => {
                self.adrift.remove(at);
                (Whose { client, cycle }, door, self.ticket())
            }
            Adrift::Waiting {
                client,
                cycle,
                door,
                ticket,
                until,
            } => {
                if until > NOW && !self.is_woken(client, cycle, ticket) {
                    return Ok(false);
                }
                self.adrift.remove(at);
                (Whose { client, cycle }, door, ticket)
            }
        };
        let Whose { client, cycle } = whose;
        match (self.serve_acquire(context, whose, door, ticket)?, noticed) {
            (Acquired::Granted { .. }, true) => self.undone.push((whose.id(), ticket)),
            (Acquired::Waits { until, .. }, false) => {
                self.adrift.push(Adrift::Waiting {
                    client,
                    cycle,
                    door,
                    ticket,
                    until,
                });
            }
            (Acquired::Granted { .. } | Acquired::Refused { .. }, false) => {}
            (Acquired::Waits { .. } | Acquired::Refused { .. }, true) | (Acquired::TooManyFacets, _) => {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
