//! Where a change is made, and what is written there.

use std::collections::BTreeMap;
use std::ops::Range;

use weave::switch;

use crate::directive::{Act, Directive, Words};
use crate::source::{Condition, Kind, Node, Scope, Source};

/// Text around a piece of the source.
struct Wrap {
    id: usize,
    range: Range<usize>,
    before: String,
    after: String,
}

#[derive(Default)]
pub struct Edits {
    wraps: Vec<Wrap>,
    /// Arms that may be off: where their patterns end, and the conditions.
    arms: BTreeMap<usize, Vec<(usize, String)>>,
}

impl Edits {
    fn wrap(&mut self, id: usize, range: &Range<usize>, before: &str, after: &str) {
        self.wraps.push(Wrap {
            id,
            range: range.clone(),
            before: format!("/*{{{id}*/ {before}"),
            after: format!("{after} /*{id}}}*/"),
        });
    }

    pub fn add(&mut self, other: Self) {
        self.wraps.extend(other.wraps);
        for (end, switches) in other.arms {
            self.arms.entry(end).or_default().extend(switches);
        }
    }

    /// The woven source.
    pub fn apply(self, source: &str) -> String {
        // At one place: what ends, the inner first; then what begins, the outer first.
        let mut pieces: Vec<(usize, u8, isize, isize, String)> = Vec::new();
        for wrap in self.wraps {
            let (len, id) = (wrap.range.len() as isize, wrap.id as isize);
            pieces.push((wrap.range.start, 1, -len, id, wrap.before));
            pieces.push((wrap.range.end, 0, len, -id, wrap.after));
        }
        for (end, switches) in self.arms {
            let ids: Vec<_> = switches.iter().map(|(id, _)| id.to_string()).collect();
            let ids = ids.join(",");
            let on: Vec<_> = switches.iter().map(|(_, on)| format!("!{on}")).collect();
            let text = format!(" /*{{{ids}*/ if {} /*{ids}}}*/", on.join(" && "));
            pieces.push((end, 0, 0, 0, text));
        }
        pieces.sort();
        let (mut text, mut done) = (String::new(), 0);
        for (at, .., piece) in pieces {
            text += &source[done..at];
            text += &piece;
            done = at;
        }
        text + &source[done..]
    }
}

impl Words {
    /// Where they stand in the function.
    fn places(&self, source: &Source, scope: &Scope) -> Vec<Range<usize>> {
        let inside = |range: &Range<usize>| contains(&scope.body, range);
        let tokens: Vec<_> = source
            .tokens
            .iter()
            .filter(|token| inside(&token.range))
            .collect();
        let fits = |at: usize, words: &[String]| {
            (tokens.get(at..at + words.len())).is_some_and(|found| {
                found
                    .iter()
                    .zip(words)
                    .all(|(token, word)| token.text == *word)
            })
        };
        let mut places = Vec::new();
        for at in (0..tokens.len()).filter(|&at| fits(at, &self.from)) {
            let mut last = at + self.from.len() - 1;
            if !self.to.is_empty() {
                let Some(to) = (last + 1..tokens.len()).find(|&at| fits(at, &self.to)) else {
                    continue;
                };
                last = to + self.to.len() - 1;
            }
            places.push(tokens[at].range.start..tokens[last].range.end);
        }
        places
    }

    /// The one place that `resolve` makes of them.
    fn resolve<T>(
        &self,
        source: &Source,
        scope: &Scope,
        resolve: impl Fn(&Range<usize>) -> Option<(Range<usize>, T)>,
    ) -> Result<(Range<usize>, T), String> {
        let words = format!(
            "{}{}",
            self.from.join(" "),
            if self.to.is_empty() { "" } else { " …" }
        );
        let places = self.places(source, scope);
        if places.is_empty() {
            return Err(format!("nothing to change: no `{words}` in the function"));
        }
        let mut found: Vec<_> = places.iter().filter_map(resolve).collect();
        if let Some(nth) = self.nth {
            return match nth.checked_sub(1).filter(|&at| at < found.len()) {
                Some(at) => Ok(found.swap_remove(at)),
                None => Err(format!(
                    "nothing to change: {} times `{words}`",
                    found.len()
                )),
            };
        }
        found.dedup_by(|one, other| one.0 == other.0);
        match found.len() {
            1 => Ok(found.swap_remove(0)),
            0 => Err(format!(
                "nothing to change: `{words}` stands where this cannot be done"
            )),
            n => Err(format!("{n} places with `{words}`: which one?")),
        }
    }
}

fn contains(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// The smallest node around a place for which there is an answer.
fn smallest<'s, T>(
    source: &'s Source,
    scope: &Scope,
    place: &Range<usize>,
    answer: impl Fn(&'s Node) -> Option<T>,
) -> Option<(Range<usize>, T)> {
    let around = source
        .nodes
        .iter()
        .filter(|node| contains(&node.range, place) && contains(&scope.body, &node.range));
    around
        .filter_map(|node| Some((node.range.clone(), answer(node)?)))
        .min_by_key(|(range, _)| range.len())
}

/// Writes one change.
pub fn put(
    id: usize,
    directive: &Directive,
    source: &Source,
    scope: &Scope,
    edits: &mut Edits,
) -> Result<(), String> {
    let on = match &directive.when {
        Some(when) => format!("({} && ({when}))", switch(id)),
        None => switch(id),
    };
    match &directive.act {
        Act::Never(words) => branch(id, words, &on, false, source, scope, edits),
        Act::Always(words) => branch(id, words, &on, true, source, scope, edits),
        Act::True(words) => condition(id, words, &on, true, source, scope, edits),
        Act::False(words) => condition(id, words, &on, false, source, scope, edits),
        Act::Without(words) => without(id, words, &on, source, scope, edits),
        Act::Returns(with) => {
            let inside = scope.body.start + 1..scope.body.end - 1;
            edits.wrap(id, &inside, &format!("if {on} {{ return {with}; }} "), "");
            Ok(())
        }
        Act::Becomes(words, with) => becomes(id, words, with, &on, source, scope, edits),
        Act::Constant(name, with) => {
            let named = source.nodes.iter().filter(|node| {
                matches!(node.kind, Kind::Name)
                    && contains(&scope.body, &node.range)
                    && source.text[node.range.clone()] == *name
            });
            let before = format!("(if {on} {{ {with} }} else {{ ");
            let mut uses = 0;
            for node in named {
                edits.wrap(id, &node.range, &before, " })");
                uses += 1;
            }
            (uses > 0)
                .then_some(())
                .ok_or_else(|| format!("nothing to change: no use of {name}"))
        }
    }
}

/// A branch that is taken always or never.
fn branch(
    id: usize,
    words: &Words,
    on: &str,
    taken: bool,
    source: &Source,
    scope: &Scope,
    edits: &mut Edits,
) -> Result<(), String> {
    let (_, kind) = words.resolve(source, scope, |place| {
        smallest(source, scope, place, |node| {
            let branch = matches!(node.kind, Kind::Then(_) | Kind::Else(_) | Kind::Arm { .. });
            branch.then_some(&node.kind)
        })
    })?;
    match kind {
        Kind::Then(condition) => decide(id, condition, on, taken, edits),
        Kind::Else(condition) => decide(id, condition, on, !taken, edits),
        Kind::Arm {
            guard: Some(guard), ..
        } => decide(id, guard, on, taken, edits),
        Kind::Arm {
            pattern_end,
            guard: None,
        } if !taken => {
            edits
                .arms
                .entry(*pattern_end)
                .or_default()
                .push((id, on.into()));
            Ok(())
        }
        _ => Err("nothing to change: the arm has no condition".into()),
    }
}

fn decide(
    id: usize,
    condition: &Condition,
    on: &str,
    holds: bool,
    edits: &mut Edits,
) -> Result<(), String> {
    match (condition.binds, holds) {
        (false, true) => edits.wrap(id, &condition.range, &format!("({on} || ("), "))"),
        (false, false) => edits.wrap(id, &condition.range, &format!("(!{on} && ("), "))"),
        (true, false) => edits.wrap(id, &condition.range, "", &format!(" && !{on}")),
        (true, true) => return Err("what `let` binds would be missing".into()),
    }
    Ok(())
}

/// A condition that holds always or never.
fn condition(
    id: usize,
    words: &Words,
    on: &str,
    holds: bool,
    source: &Source,
    scope: &Scope,
    edits: &mut Edits,
) -> Result<(), String> {
    let (range, is_let) = words.resolve(source, scope, |place| {
        smallest(source, scope, place, |node| match node.kind {
            Kind::Bool { is_let } => Some(is_let),
            _ => None,
        })
    })?;
    let condition = Condition {
        range,
        binds: is_let,
    };
    decide(id, &condition, on, holds, edits)
}

/// A statement that is left out, or a call in a chain.
fn without(
    id: usize,
    words: &Words,
    on: &str,
    source: &Source,
    scope: &Scope,
    edits: &mut Edits,
) -> Result<(), String> {
    let (range, of_chain) = words.resolve(source, scope, |place| {
        let call = smallest(source, scope, place, |node| match &node.kind {
            Kind::Call { name, receiver } if contains(place, name) => Some(receiver.clone()),
            _ => None,
        });
        let statement = smallest(source, scope, place, |node| match node.kind {
            Kind::Statement => Some(false),
            Kind::ArmBody => Some(true),
            _ => None,
        });
        // Of a statement that is nothing but the call, the statement goes.
        let whole = |statement: &Range<usize>, call: &Range<usize>| {
            let rest = source.text[call.end..statement.end]
                .trim_matches(|c: char| c == '?' || c == ';' || c.is_whitespace());
            statement.start == call.start && rest.is_empty()
        };
        match (call, statement) {
            (Some((call, receiver)), Some((statement, _))) if !whole(&statement, &call) => {
                Some((call, Some(receiver)))
            }
            (_, Some((statement, _))) => Some((statement, None)),
            (Some((call, receiver)), None) => Some((call, Some(receiver))),
            (None, None) => None,
        }
    })?;
    match of_chain {
        Some(receiver) => {
            let receiver = &source.text[receiver];
            edits.wrap(
                id,
                &range,
                &format!("(if {on} {{ {receiver} }} else {{ "),
                " })",
            );
        }
        None => edits.wrap(id, &range, &format!("if !{on} {{ "), " }"),
    }
    Ok(())
}

/// Other words, in the smallest expression around them.
fn becomes(
    id: usize,
    words: &Words,
    with: &str,
    on: &str,
    source: &Source,
    scope: &Scope,
    edits: &mut Edits,
) -> Result<(), String> {
    let (range, place) = words.resolve(source, scope, |place| {
        let (range, ()) = smallest(source, scope, place, |node| match node.kind {
            Kind::Expr => Some(()),
            _ => None,
        })
        // What stands in none, as a pattern of `let`, changes a second body.
        .unwrap_or((scope.body.clone(), ()));
        Some((range, place.clone()))
    })?;
    let text = &source.text;
    if with.contains("BROKEN") {
        let with = with.replace("BROKEN", on);
        let (before, after) = with
            .split_once('$')
            .ok_or("what asks for BROKEN needs a `$`")?;
        edits.wrap(id, &place, before, after);
        return Ok(());
    }
    let with = with.replace('$', &text[place.clone()]);
    let changed = format!(
        "{}{with}{}",
        &text[range.start..place.start],
        &text[place.end..range.end]
    );
    let own = format!("/*<{id}*/ {changed} /*{id}>*/");
    if range == scope.body {
        let inside = scope.body.start + 1..scope.body.end - 1;
        edits.wrap(id, &inside, &format!("if {on} {own} else {{ "), " }");
        return Ok(());
    }
    // As a statement of its own it takes no brackets: what follows would be an operand.
    let alone = source
        .nodes
        .iter()
        .any(|node| matches!(node.kind, Kind::Statement) && node.range == range);
    let (open, close) = if alone { ("", "") } else { ("(", ")") };
    let before = format!("{open}if {on} {{ {own} }} else {{ ");
    edits.wrap(id, &range, &before, &format!(" }}{close}"));
    Ok(())
}
