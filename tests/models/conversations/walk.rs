//! Every sequence of inputs. What the model knows of a beginning is kept for all that go on from
//! it; a connection cannot be copied, so it lives through the beginning again.
//!
//! The work is shared out by the first two inputs: over threads, and over runs if it takes hours.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::alphabet::{Does, Input};
use crate::machine::{Machine, Modelled, Setup, Way, same};
use crate::reference::{Event, Refused};

/// The model's end of a conversation so far.
#[derive(Clone)]
struct Beginning {
    /// The reads were taken as they came.
    whole: Modelled,
    /// They were cut.
    cut: Modelled,
    /// What the last cut left for the next read.
    rest: Vec<u8>,
    /// There was something to cut.
    has_reads: bool,
}

/// The part of the work that a run does: those pairs of first inputs whose number is `one` modulo `of`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shard {
    pub(crate) one: usize,
    pub(crate) of: usize,
}

struct Walk<'a> {
    setup: &'a Setup,
    inputs: &'a [Input],
    longest: usize,
    path: Vec<usize>,
    /// The last first input, and what it came to.
    first: Option<(usize, Beginning)>,
    count: u64,
    scratch: Vec<u8>,
}

/// Tries the shard of all sequences of up to `longest` inputs, and says how many there were.
pub(crate) fn walk(setup: &Setup, inputs: &[Input], longest: usize, shard: Shard) -> u64 {
    let endpoint = setup.model();
    let model = Modelled { endpoint, now: 0 };
    let beginning = Beginning {
        whole: model.clone(),
        cut: model,
        rest: Vec::new(),
        has_reads: false,
    };
    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    let threads = std::thread::available_parallelism()
        .map_or(2, usize::from)
        .max(2);
    let work = || {
        let mut walk = Walk {
            setup,
            inputs,
            longest,
            path: Vec::new(),
            first: None,
            count: 0,
            scratch: Vec::new(),
        };
        loop {
            let pair = shard.one + shard.of * next.fetch_add(1, Ordering::Relaxed);
            if pair >= inputs.len() * inputs.len() || failure.lock().unwrap().is_some() {
                return walk.count;
            }
            let pair = [pair / inputs.len(), pair % inputs.len()];
            let result = catch_unwind(AssertUnwindSafe(|| walk.begin(&beginning, pair)));
            let result = result.unwrap_or_else(|panic| {
                let text = panic.downcast_ref::<String>().cloned();
                Err(text.unwrap_or_else(|| "it panicked".into()))
            });
            if let Err(what) = result {
                let names: Vec<_> = walk.path.iter().map(|i| &inputs[*i].name[..]).collect();
                let role = if setup.rules.server {
                    "server"
                } else {
                    "client"
                };
                let mut failure = failure.lock().unwrap();
                failure.get_or_insert(format!("{role}: [{}]: {what}", names.join("; ")));
            }
        }
    };
    let count = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .sum()
    });
    if let Some(failure) = failure.into_inner().unwrap() {
        panic!("{failure}");
    }
    count
}

/// One conversation by the names of its inputs.
pub(crate) fn one(setup: &Setup, inputs: &[Input], names: &[&str]) -> Result<(), String> {
    let endpoint = setup.model();
    let mut model = Modelled { endpoint, now: 0 };
    let mut real = setup.real();
    for (i, name) in names.iter().enumerate() {
        let input = inputs.iter().find(|input| input.name == *name);
        let does = &input.unwrap_or_else(|| panic!("no input {name}")).does;
        let (mut expected, mut seen) = (Vec::new(), Vec::new());
        let result = model.call(does, &mut expected);
        same("result", &real.call(does, &mut seen), &result)
            .and_then(|()| same("events", &seen, &expected))
            .and_then(|()| real.compare(&model.endpoint))
            .map_err(|what| format!("{:?}: {what}", &names[..=i]))?;
    }
    Ok(())
}

impl Walk<'_> {
    /// All that begins with these two inputs; the first alone counts with the first pair.
    fn begin(&mut self, nothing: &Beginning, [first, second]: [usize; 2]) -> Result<(), String> {
        self.path.clear();
        let now = match self.first.take() {
            Some((own, now)) if own == first && second > 0 => {
                self.path.push(first);
                now
            }
            _ => {
                let before = self.count;
                let now = self.step(nothing, first)?;
                if second > 0 {
                    self.count = before;
                }
                now
            }
        };
        if self.longest > 1 {
            self.go_on(&now, second)?;
        }
        self.first = Some((first, now));
        Ok(())
    }

    /// The beginning with one more input, and all that can follow.
    fn go_on(&mut self, beginning: &Beginning, input: usize) -> Result<(), String> {
        let now = self.step(beginning, input)?;
        if self.path.len() < self.longest {
            for next in 0..self.inputs.len() {
                self.go_on(&now, next)?;
            }
        }
        self.path.pop();
        Ok(())
    }

    /// One more input at the end of the path.
    fn step(&mut self, beginning: &Beginning, input: usize) -> Result<Beginning, String> {
        let does = &self.inputs[input].does;
        let mut now = beginning.clone();
        let mut real = self.setup.real();
        for &input in &self.path {
            real.between(self.setup);
            real.call_unseen(&self.inputs[input].does, &mut self.scratch);
        }
        self.path.push(input);
        self.count += 1;
        let (mut expected, mut seen) = (Vec::new(), Vec::new());
        let result = now.whole.call(does, &mut expected);
        real.between(self.setup);
        same("result", &real.call(does, &mut seen), &result)?;
        same("events", &seen, &expected)?;
        real.compare(&now.whole.endpoint)?;

        now.has_reads |= matches!(does, Does::Read(..));
        expected.clear();
        let way = way(self.path.len() - 1);
        let result = cut_step(&mut now.cut, &mut now.rest, does, way, &mut expected);
        if now.has_reads {
            self.count += 1;
            self.with_cuts(&now, does, result, expected)
                .map_err(|what| format!("cut: {what}"))?;
        }
        Ok(now)
    }

    /// The same with cut reads, handed over in one way after the other. What the last cut left comes
    /// as a read of its own.
    fn with_cuts(
        &self,
        now: &Beginning,
        does: &Does,
        result: Result<(), Refused>,
        mut expected: Vec<Event>,
    ) -> Result<(), String> {
        let mut real = self.setup.real();
        let (mut rest, mut seen) = (Vec::new(), Vec::new());
        let last = self.path.len() - 1;
        for (i, &input) in self.path[..last].iter().enumerate() {
            let does = &self.inputs[input].does;
            real.between(self.setup);
            let _ = cut_step(&mut real, &mut rest, does, way(i), &mut seen);
        }
        seen.clear();
        real.between(self.setup);
        let got = cut_step(&mut real, &mut rest, does, way(last), &mut seen);
        same("result", &got, &result)?;
        let mut end = now.cut.clone();
        end.read(&now.rest, way(last + 1), &mut expected);
        real.read(&rest, way(last + 1), &mut seen);
        same("events", &seen, &expected)?;
        real.compare(&end.endpoint)
    }
}

/// An input in a conversation with cuts: a read up to its cut, after what the last one left.
fn cut_step<M: Machine>(
    machine: &mut M,
    rest: &mut Vec<u8>,
    does: &Does,
    way: Way,
    events: &mut Vec<Event>,
) -> Result<(), Refused> {
    if let Does::Read(bytes, cut) = does {
        rest.extend(&bytes[..*cut]);
        machine.read(rest, way, events);
        rest.clear();
        rest.extend(&bytes[*cut..]);
        return Ok(());
    }
    if !rest.is_empty() {
        machine.read(rest, way, events);
        rest.clear();
    }
    machine.call(does, events)
}

/// How the read that comes with the `i`th input is handed over where reads are cut.
const fn way(i: usize) -> Way {
    match i % 4 {
        0 => Way::Receive,
        1 => Way::Hold,
        2 => Way::Copy,
        _ => Way::Prepare,
    }
}
