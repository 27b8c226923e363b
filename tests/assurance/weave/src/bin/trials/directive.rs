//! How a change is told. Names in it should be those that live long: of functions, variants, fields and
//! constants, never of local variables.
//!
//! ```text
//! in FILE fn NAME: ACT            FILE below src/; NAME, Type::NAME or Trait for Type::NAME
//!
//! never WORDS                     the branch or arm with these words is not taken
//! always WORDS                    it is
//! true WORDS, false WORDS         the condition with these words, the smallest one
//! without WORDS                   the statement with these words is left out, or that call in a chain
//! returns EXPRESSION              at once
//! WORDS becomes WORDS             in the smallest expression they stand in; `$` is what stood there
//! constant NAME = EXPRESSION      wherever the function uses it
//! ACT when CONDITION              only then
//! in … : ACT and in … : ACT       both, where a rule is kept twice
//! ```
//!
//! Where both ways have to be of one type, the new words ask by themselves which one it is: `$.take(if BROKEN
//! { 1 } else { 9 })`.
//!
//! WORDS are tokens of the source, wherever the lines break: `Error::Port`, `2nd is_empty`, and `first … last`
//! for all that lies between.

use std::collections::HashSet;

use proc_macro2::TokenStream;

use weave::{Token, flatten};

pub struct Words {
    /// Which one of those that fit, from 1 on.
    pub nth: Option<usize>,
    pub from: Vec<String>,
    /// After `…`.
    pub to: Vec<String>,
}

pub enum Act {
    Never(Words),
    Always(Words),
    True(Words),
    False(Words),
    Without(Words),
    Returns(String),
    Becomes(Words, String),
    Constant(String, String),
}

pub struct Directive {
    pub file: String,
    pub function: String,
    pub act: Act,
    pub when: Option<String>,
    /// All of the act, to see which names it has.
    tokens: Vec<Token>,
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let stream: Result<TokenStream, _> = text.parse();
    stream.map(flatten).map_err(|_| format!("no Rust: {text}"))
}

impl Words {
    fn parse(text: &str) -> Result<Self, String> {
        let (nth, text) = match text.split_once(' ') {
            Some((first, rest)) => {
                let digits = first.trim_end_matches(|c: char| c.is_ascii_lowercase());
                match (digits.parse().ok(), first.len() - digits.len()) {
                    (Some(nth), 2) => (Some(nth), rest),
                    _ => (None, text),
                }
            }
            None => (None, text),
        };
        let words = |text: &str| -> Result<Vec<String>, String> {
            // Brackets may be open here: the ends of a piece stand by themselves.
            let spaced = text
                .replace('(', " \u{1} ")
                .replace(')', " \u{2} ")
                .replace('[', " \u{3} ")
                .replace(']', " \u{4} ")
                .replace('{', " \u{5} ")
                .replace('}', " \u{6} ");
            let mut words = Vec::new();
            for part in spaced.split_inclusive(|c| ('\u{1}'..='\u{6}').contains(&c)) {
                let bracket = part
                    .chars()
                    .last()
                    .filter(|c| ('\u{1}'..='\u{6}').contains(c));
                let rest = part.trim_end_matches(|c| ('\u{1}'..='\u{6}').contains(&c));
                words.extend(tokens(rest)?.into_iter().map(|token| token.text));
                words.extend(bracket.map(|c| "()[]{}"[c as usize - 1..c as usize].to_owned()));
            }
            Ok(words)
        };
        let (from, to) = text.split_once('…').unwrap_or((text, ""));
        let (from, to) = (words(from)?, words(to)?);
        if from.is_empty() {
            return Err("no words".into());
        }
        Ok(Self { nth, from, to })
    }
}

impl Directive {
    /// Without the `in`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("what is this? {text}");
        let (place, act) = text.split_once(": ").ok_or_else(wrong)?;
        let (file, function) = place.split_once(" fn ").ok_or_else(wrong)?;
        let (act, when) = match act.rsplit_once(" when ") {
            Some((act, when)) => (act, Some(when.to_owned())),
            None => (act, None),
        };
        let all = format!("{act} {}", when.clone().unwrap_or_default()).replace(['…', '$'], " ");
        let (verb, rest) = act.split_once(' ').ok_or_else(wrong)?;
        let act = match verb {
            _ if act.contains(" becomes ") => {
                let (words, with) = act.split_once(" becomes ").ok_or_else(wrong)?;
                Act::Becomes(Words::parse(words)?, with.into())
            }
            "never" => Act::Never(Words::parse(rest)?),
            "always" => Act::Always(Words::parse(rest)?),
            "true" => Act::True(Words::parse(rest)?),
            "false" => Act::False(Words::parse(rest)?),
            "without" => Act::Without(Words::parse(rest)?),
            "returns" => Act::Returns(rest.into()),
            "constant" => {
                let (name, with) = rest.split_once(" = ").ok_or_else(wrong)?;
                Act::Constant(name.into(), with.into())
            }
            _ => return Err(wrong()),
        };
        Ok(Self {
            file: file.into(),
            function: function.into(),
            act,
            when,
            tokens: tokens(&all).unwrap_or_default(),
        })
    }

    /// The local variables that it names.
    pub fn locals(&self, locals: &HashSet<String>) -> Vec<String> {
        let text = |at: usize| self.tokens.get(at).map_or("", |token| &*token.text);
        let named = (0..self.tokens.len()).filter(|&at| {
            locals.contains(text(at))
                && (at == 0 || ![".", ":"].contains(&text(at - 1)))
                && text(at + 1) != ":"
        });
        let mut names: Vec<_> = named.map(|at| text(at).to_owned()).collect();
        names.sort();
        names.dedup();
        names
    }
}
