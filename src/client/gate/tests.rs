#![allow(clippy::unwrap_used, reason = "tests")]

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::vec::Vec;
use core::net::SocketAddr;

use proptest::prelude::*;

use super::{Destination, Gate, Ticket};

fn address(text: &str) -> Destination {
    let address: SocketAddr = text.parse().unwrap();
    address.into()
}

/// RFC 6455 §4.1 and erratum 3473: one in progress for an address and port, whether it ends
/// established or failed; the rest in order.
#[test]
fn one_at_a_time_in_order() {
    let mut gate = Gate::default();
    let place = address("192.0.2.1:80");
    let tickets: Vec<_> = (0..4).map(|_| gate.request(place.clone())).collect();
    assert_eq!(gate.waiting_at(&place), 3);
    for (at, &ticket) in tickets.iter().enumerate() {
        for (other, &waiting) in tickets.iter().enumerate().skip(at) {
            assert_eq!(gate.may_start(waiting), other == at);
        }
        assert_eq!(gate.release(ticket), tickets.get(at + 1).copied());
        assert!(!gate.may_start(ticket));
    }
    assert!(gate.is_empty());
}

/// RFC 6455 §4.1, erratum 3473: the address and the port make the place, not the name.
#[test]
fn another_port_or_address_starts_at_once() {
    let mut gate = Gate::new(1);
    let first = gate.request(address("192.0.2.1:80"));
    let same = gate.request(Destination::name("192.0.2.1", 80));
    let mapped = gate.request(address("[::ffff:192.0.2.1]:80"));
    let port = gate.request(address("192.0.2.1:81"));
    let other = gate.request(address("192.0.2.2:80"));
    let v6 = gate.request(Destination::name("[::1]", 80));
    let bare = gate.request(Destination::name("::1", 80));
    let may: Vec<_> = [first, same, mapped, port, other, v6, bare]
        .map(|ticket| gate.may_start(ticket))
        .into();
    assert_eq!(may, [true, false, false, true, true, true, false]);
}

/// RFC 6455 §4.1: without addresses each name is a host of its own, and the total is bounded.
#[test]
fn names_are_bounded_in_all_and_take_turns() {
    let mut gate = Gate::new(2);
    let a1 = gate.request(Destination::name("a.example", 80));
    let a2 = gate.request(Destination::name("A.EXAMPLE", 80));
    let b1 = gate.request(Destination::name("b.example", 80));
    let c1 = gate.request(Destination::name("c.example", 80));
    let direct = gate.request(address("192.0.2.1:80"));
    assert!(gate.may_start(a1) && gate.may_start(b1) && gate.may_start(direct));
    assert!(!gate.may_start(a2) && !gate.may_start(c1));
    // c.example has waited for a slot since before a.example wants its second.
    assert_eq!(gate.release(direct), None);
    assert_eq!(gate.release(a1), Some(c1));
    assert_eq!(gate.release(b1), Some(a2));
    assert_eq!(gate.release(c1), None);
    assert_eq!(gate.release(a2), None);
    assert_eq!(gate.names_in_progress, 0);
}

/// A host with a thousand requests does not keep another one waiting (RFC 6455 §4.1: the limit is
/// there against a script that opens many).
#[test]
fn a_greedy_host_does_not_starve_others() {
    let mut gate = Gate::new(1);
    let mut greedy: VecDeque<_> = (0..1000)
        .map(|_| gate.request(Destination::name("greedy.example", 80)))
        .collect();
    let modest = gate.request(Destination::name("modest.example", 80));
    assert_eq!(gate.release(greedy.pop_front().unwrap()), Some(modest));
    assert_eq!(gate.release(modest), greedy.front().copied());
}

/// RFC 6455 §4.1 (note): established connections hold no place, and no memory either.
#[test]
fn established_connections_are_not_counted() {
    let mut gate = Gate::default();
    for _ in 0..1000 {
        let ticket = gate.request(address("192.0.2.1:80"));
        assert!(gate.may_start(ticket));
        assert_eq!(gate.release(ticket), None);
    }
    assert!(gate.lines.is_empty() && gate.places.is_empty() && gate.ready.is_empty());
}

#[test]
fn giving_up_waiting_moves_nobody_up() {
    let mut gate = Gate::new(1);
    let a1 = gate.request(Destination::name("a.example", 80));
    let a2 = gate.request(Destination::name("a.example", 80));
    let b1 = gate.request(Destination::name("b.example", 80));
    let c1 = gate.request(Destination::name("c.example", 80));
    assert_eq!(gate.release(b1), None);
    assert_eq!(gate.release(a2), None);
    assert_eq!(gate.release(a1), Some(c1));
    // Twice, or never issued: nothing happens.
    assert_eq!(gate.release(a1), None);
    assert_eq!(gate.release(Ticket(99)), None);
    assert!(gate.may_start(c1));
    assert_eq!(gate.release(c1), None);
    assert!(gate.is_empty() && gate.lines.is_empty() && gate.ready.is_empty());
}

/// No call looks at all hosts: with a scan this would be 2.5 billion steps.
#[test]
fn many_hosts() {
    let mut gate = Gate::new(1);
    let tickets: Vec<_> = (0..50_000)
        .map(|host| gate.request(Destination::name(&format!("{host}.example"), 443)))
        .collect();
    assert_eq!(gate.len(), tickets.len());
    assert!(!gate.is_empty());
    for pair in tickets.windows(2) {
        assert_eq!(gate.release(pair[0]), Some(pair[1]));
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Request(u8),
    /// Releases the ticket at this index of those out, in progress or waiting.
    Release(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..9u8).prop_map(Step::Request),
        any::<usize>().prop_map(Step::Release),
    ]
}

/// Even numbers are addresses, odd ones names.
fn place(number: u8) -> Destination {
    match number % 2 {
        0 => address(&format!("192.0.2.{number}:80")),
        _ => Destination::name(&format!("h{number}.example"), 80),
    }
}

/// What RFC 6455 §4.1 asks for, checked from outside: tickets in the order of asking, per place.
struct Watch {
    gate: Gate,
    limit: usize,
    out: BTreeMap<u8, VecDeque<Ticket>>,
}

impl Watch {
    fn all(&self) -> Vec<(u8, Ticket)> {
        let lines = self.out.iter();
        lines
            .flat_map(|(&place, line)| line.iter().map(move |&ticket| (place, ticket)))
            .collect()
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Request(number) => {
                let ticket = self.gate.request(place(number));
                self.out.entry(number).or_default().push_back(ticket);
            }
            Step::Release(index) => {
                let all = self.all();
                let Some(&(number, ticket)) = all.get(index % all.len().max(1)) else {
                    return;
                };
                let before: Vec<_> = self.in_progress();
                let next = self.gate.release(ticket);
                let line = self.out.get_mut(&number).unwrap();
                line.retain(|&other| other != ticket);
                let started: Vec<_> = self.in_progress();
                let new: Vec<_> = started.iter().filter(|t| !before.contains(t)).collect();
                assert_eq!(new, next.iter().collect::<Vec<_>>());
            }
        }
        self.check();
    }

    fn in_progress(&self) -> Vec<Ticket> {
        let all = self.all().into_iter();
        all.map(|(_, ticket)| ticket)
            .filter(|&ticket| self.gate.may_start(ticket))
            .collect()
    }

    fn check(&self) {
        let mut names = 0;
        let mut idle_names = 0;
        for (&number, line) in &self.out {
            // Never two for one key, and only the one that asked first.
            let in_progress: Vec<_> = line.iter().map(|&t| self.gate.may_start(t)).collect();
            let started = in_progress.first() == Some(&true);
            assert!(in_progress.iter().skip(1).all(|&started| !started));
            assert_eq!(
                self.gate.waiting_at(&place(number)),
                line.len() - usize::from(started)
            );
            if number % 2 == 0 {
                assert!(started || line.is_empty(), "an address waits for nothing");
            } else {
                names += usize::from(started);
                idle_names += usize::from(!started && !line.is_empty());
            }
        }
        assert!(names <= self.limit);
        assert!(idle_names == 0 || names == self.limit, "no slot stays free");
        assert_eq!(self.gate.len(), self.all().len());
    }
}

proptest! {
    /// Over random schedules: never two in progress for one place, never more names than the limit,
    /// in order, no free slot while somebody waits; and when all has been asked, all get their turn.
    #[test]
    fn fair_over_random_schedules(
        limit in 1..4usize,
        steps in prop::collection::vec(step(), 0..200),
        drain in prop::collection::vec(any::<usize>(), 1..50),
    ) {
        let mut watch = Watch { gate: Gate::new(limit), limit, out: BTreeMap::new() };
        for step in steps {
            watch.step(step);
        }
        // From here only attempts in progress end, in any order; each end lets the next begin.
        let mut left = watch.all().len();
        for pick in drain.iter().cycle() {
            let in_progress = watch.in_progress();
            prop_assert_eq!(in_progress.is_empty(), left == 0);
            if left == 0 {
                break;
            }
            let ticket = in_progress[pick % in_progress.len()];
            let index = watch.all().iter().position(|&(_, t)| t == ticket).unwrap();
            watch.step(Step::Release(index));
            left -= 1;
        }
        let gate = watch.gate;
        prop_assert!(gate.is_empty() && gate.lines.is_empty() && gate.ready.is_empty());
        prop_assert_eq!(gate.names_in_progress, 0);
    }

    /// Nobody waits for ever, however many keep asking: in each round all attempts in progress end and
    /// every place is asked for again. A ticket with `ahead` before it at its own place starts within
    /// as many turns of all the names.
    #[test]
    fn nobody_waits_for_ever(
        limit in 1..4usize,
        steps in prop::collection::vec((0..9u8).prop_map(Step::Request), 1..60),
        victim in any::<prop::sample::Index>(),
    ) {
        let mut watch = Watch { gate: Gate::new(limit), limit, out: BTreeMap::new() };
        for step in steps {
            watch.step(step);
        }
        let (number, ticket) = *victim.get(&watch.all());
        let ahead = watch.out[&number].iter().position(|&other| other == ticket).unwrap();
        let mut rounds = 0;
        while !watch.gate.may_start(ticket) {
            rounds += 1;
            prop_assert!(rounds <= (ahead + 1) * 5);
            for ended in watch.in_progress() {
                let index = watch.all().iter().position(|&(_, other)| other == ended);
                watch.step(Step::Release(index.unwrap()));
            }
            (0..9).for_each(|place| watch.step(Step::Request(place)));
        }
    }
}
