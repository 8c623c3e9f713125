//! Who came when, who got the lock when, and what lay in between: reckoned from what the proxy noted, and from nothing else.

/// What a request asks for, as far as a queue is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The conditional PUT of the lock file.
    Take,
    /// The DELETE of the lock file.
    Release,
    /// A PUT of the state.
    StateWrite,
    /// Anything else.
    Other,
}

/// One request and its answer, in seconds since the race's clock was at zero.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) client: usize,
    pub(crate) what: What,
    pub(crate) asked: f64,
    pub(crate) answered: Option<f64>,
    /// Zero without an answer.
    pub(crate) status: u16,
}

impl Exchange {
    fn succeeded(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the client was waiting for this answer at that time.
    fn is_open_at(&self, time: f64) -> bool {
        self.asked <= time && self.answered.is_none_or(|answered| answered > time)
    }
}

/// One client that asked for the lock.
#[derive(Clone, Debug)]
struct Turn {
    client: usize,
    /// Every time it asked.
    takes: Vec<Exchange>,
    /// The release, once there was one.
    release: Option<Exchange>,
    /// When its process was gone.
    ended: f64,
}

impl Turn {
    fn arrived(&self) -> f64 {
        self.takes.first().map_or(f64::INFINITY, |take| take.asked)
    }

    /// Whether this one had been told to wait before `other` asked for the first time. Requests that are under way at
    /// once have no order that anybody could tell.
    fn came_before(&self, other: &Turn) -> bool {
        let first_answer = self.takes.first().and_then(|take| take.answered);
        first_answer.is_some_and(|answered| answered < other.arrived())
    }

    fn granting(&self) -> Option<&Exchange> {
        self.takes.iter().find(|take| take.succeeded())
    }

    fn granted(&self) -> f64 {
        self.granting()
            .and_then(|take| take.answered)
            .unwrap_or(f64::INFINITY)
    }

    /// Seconds from the answer that granted the lock to the answer that released it.
    fn held(&self) -> Option<f64> {
        let released = self.release.as_ref()?.answered?;
        Some(released - self.granting()?.answered?)
    }

    /// Whether it wanted the lock at that time and did not have it.
    fn waits_at(&self, time: f64) -> bool {
        self.arrived() < time && self.granted() > time && self.ended > time
    }

    fn is_awake_at(&self, time: f64) -> bool {
        self.takes.iter().any(|take| take.is_open_at(time))
    }
}

/// One holder after another, while somebody waited.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct HandOver {
    /// From the answer to the release to the answer that grants. Below zero where the server has both ready at once
    /// and the grant is the first to get through.
    pub(crate) seconds: f64,
    /// Whether a waiter had its request at the server when the release came.
    pub(crate) somebody_awake: bool,
}

/// Those who had to let a later one go first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Overtaken {
    /// Clients, each counted once.
    pub(crate) clients: usize,
    /// Those of them whose request lay at the server while it gave the lock to another who had come later.
    pub(crate) while_awake: usize,
}

/// The line of one race.
pub(crate) struct Line {
    /// In the order of the grants; who was never granted comes last.
    turns: Vec<Turn>,
}

impl Line {
    /// `ended` is when each client's process was gone.
    pub(crate) fn of(exchanges: &[Exchange], ended: &[f64]) -> Self {
        let turn = |(client, ended): (usize, &f64)| {
            let own = |what| {
                let of_kind = move |exchange: &&Exchange| exchange.client == client && exchange.what == what;
                exchanges.iter().filter(of_kind).cloned()
            };
            Turn {
                client,
                takes: own(What::Take).collect(),
                release: own(What::Release).find(Exchange::succeeded),
                ended: *ended,
            }
        };
        let mut turns: Vec<Turn> = ended.iter().enumerate().map(turn).collect();
        turns.sort_by(|a, b| a.granted().total_cmp(&b.granted()));
        Self { turns }
    }

    /// How long each one held the lock, of those who released it.
    pub(crate) fn holds(&self) -> Vec<f64> {
        self.turns.iter().filter_map(Turn::held).collect()
    }

    /// The clients in the order of their first request.
    pub(crate) fn arrivals(&self) -> Vec<usize> {
        let mut turns: Vec<&Turn> = self.turns.iter().filter(|turn| !turn.takes.is_empty()).collect();
        turns.sort_by(|a, b| a.arrived().total_cmp(&b.arrived()));
        turns.iter().map(|turn| turn.client).collect()
    }

    /// The clients in the order in which they got the lock.
    pub(crate) fn grants(&self) -> Vec<usize> {
        self.granted().map(|turn| turn.client).collect()
    }

    /// Every grant that somebody had waited for when the holder before let go.
    pub(crate) fn hand_overs(&self) -> Vec<HandOver> {
        let handed = |(release, next): (&Exchange, &Turn)| {
            let (asked, released) = (release.asked, release.answered?);
            let waiting = |turn: &&Turn| turn.waits_at(asked);
            // The granted one waits no longer at a release whose answer comes after the grant.
            let somebody_awake = self
                .turns
                .iter()
                .filter(waiting)
                .any(|turn| turn.is_awake_at(asked));
            (next.granted() > asked && self.turns.iter().any(|turn| turn.waits_at(asked))).then(|| HandOver {
                seconds: next.granted() - released,
                somebody_awake,
            })
        };
        self.successions().filter_map(handed).collect()
    }

    /// Grants while another had the lock and had not begun to release it: two holders at once.
    pub(crate) fn double_grants(&self) -> usize {
        let granted: Vec<&Turn> = self.granted().collect();
        let held = |turn: &&&Turn, at: f64| {
            let until = turn.release.as_ref().map_or(turn.ended, |release| release.asked);
            turn.granted() < at && at < until
        };
        let doubled = |turn: &&&Turn| granted.iter().any(|other| held(&other, turn.granted()));
        granted.iter().filter(doubled).count()
    }

    /// Who was overtaken. Nobody can know when the server decided, only that it had both the release and the request
    /// of the one it chose: a waiter counts as awake if its own request was there by then.
    pub(crate) fn overtaken(&self) -> Overtaken {
        let mut overtaken = Overtaken::default();
        for waiter in &self.turns {
            let passed: Vec<f64> = self
                .decisions()
                .filter_map(|(time, chosen)| {
                    let later = waiter.came_before(chosen);
                    (later && waiter.waits_at(time)).then_some(time)
                })
                .collect();
            overtaken.clients += usize::from(!passed.is_empty());
            overtaken.while_awake += usize::from(passed.iter().any(|time| waiter.is_awake_at(*time)));
        }
        overtaken
    }

    fn granted(&self) -> impl Iterator<Item = &Turn> {
        self.turns.iter().filter(|turn| turn.granting().is_some())
    }

    /// Each release with the grant that came next.
    fn successions(&self) -> impl Iterator<Item = (&Exchange, &Turn)> {
        let next = self.granted().skip(1);
        self.granted()
            .zip(next)
            .filter_map(|(before, next)| Some((before.release.as_ref()?, next)))
    }

    /// The earliest moment at which the server can have chosen each one after the first.
    fn decisions(&self) -> impl Iterator<Item = (f64, &Turn)> {
        self.successions()
            .filter_map(|(release, chosen)| Some((release.asked.max(chosen.granting()?.asked), chosen)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWAKE: u16 = 200;

    fn take(client: usize, asked: f64, answered: f64, status: u16) -> Exchange {
        Exchange {
            client,
            what: What::Take,
            asked,
            answered: Some(answered),
            status,
        }
    }

    fn release(client: usize, asked: f64) -> Exchange {
        Exchange {
            client,
            what: What::Release,
            asked,
            answered: Some(asked + 0.1),
            status: 204,
        }
    }

    /// Client 0 holds from 1 to 5, then 2, then 1; `client 1` comes before 2 and looks again when `again` says.
    fn overtaking(again: f64) -> Line {
        let exchanges = [
            take(0, 0.9, 1.0, AWAKE),
            take(1, 1.5, 1.6, 412),
            take(2, 2.0, 5.2, AWAKE),
            take(1, again, 8.0, AWAKE),
            release(0, 5.0),
            release(2, 7.0),
            release(1, 9.0),
        ];
        Line::of(&exchanges, &[6.0, 10.0, 8.0])
    }

    #[test]
    fn who_sleeps_at_the_release_is_overtaken_asleep() {
        assert_eq!(
            overtaking(6.0).overtaken(),
            Overtaken {
                clients: 1,
                while_awake: 0
            }
        );
    }

    #[test]
    fn who_is_passed_over_with_a_request_at_the_server_is_overtaken_awake() {
        let line = overtaking(4.0);
        assert_eq!(
            line.overtaken(),
            Overtaken {
                clients: 1,
                while_awake: 1
            }
        );
        assert_eq!((line.arrivals(), line.grants()), (vec![0, 1, 2], vec![0, 2, 1]));
    }

    #[test]
    fn first_requests_that_overlap_have_no_order() {
        let exchanges = [
            take(0, 0.0, 0.1, AWAKE),
            take(1, 0.2, 0.5, 412),
            take(2, 0.3, 0.4, 412),
            take(1, 1.2, 4.2, AWAKE),
            take(2, 1.3, 2.1, AWAKE),
            release(0, 2.0),
            release(2, 4.0),
        ];
        assert_eq!(
            Line::of(&exchanges, &[2.2, 9.0, 4.2]).overtaken(),
            Overtaken::default()
        );
    }

    #[test]
    fn a_hand_over_is_from_the_answered_release_to_the_answered_grant() {
        let handed: Vec<(i64, bool)> = overtaking(6.0)
            .hand_overs()
            .iter()
            .map(|one| ((one.seconds * 1e3).round() as i64, one.somebody_awake))
            .collect();
        assert_eq!(handed, [(100, true), (900, true)]);
    }

    #[test]
    fn a_release_that_nobody_waits_for_hands_nothing_over() {
        let exchanges = [
            take(0, 0.0, 0.1, AWAKE),
            release(0, 1.0),
            take(1, 2.0, 2.1, AWAKE),
            release(1, 3.0),
        ];
        let line = Line::of(&exchanges, &[1.2, 3.2]);
        assert_eq!(line.hand_overs(), []);
        assert_eq!(line.double_grants(), 0);
        assert_eq!(line.overtaken(), Overtaken::default());
    }

    #[test]
    fn two_holders_at_once_are_counted_and_hand_nothing_over() {
        let exchanges = [
            take(0, 0.0, 0.1, AWAKE),
            take(1, 0.0, 0.2, AWAKE),
            release(0, 1.0),
            release(1, 1.1),
        ];
        let line = Line::of(&exchanges, &[1.2, 1.2]);
        assert_eq!((line.double_grants(), line.hand_overs().len()), (1, 0));
    }

    #[test]
    fn who_gave_up_is_not_overtaken_afterwards() {
        let exchanges = [
            take(0, 0.0, 0.1, AWAKE),
            take(1, 0.2, 0.3, 412),
            take(2, 0.4, 5.1, AWAKE),
            release(0, 5.0),
        ];
        let line = Line::of(&exchanges, &[5.2, 0.5, 9.0]);
        assert_eq!(line.overtaken(), Overtaken::default());
        assert_eq!(line.holds().len(), 1);
    }
}
