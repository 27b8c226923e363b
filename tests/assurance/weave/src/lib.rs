//! What the programs share: sources as tokens, and the switch that says which change runs.

use std::fs;
use std::ops::Range;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

pub struct Token {
    pub text: String,
    pub range: Range<usize>,
}

/// Words, signs and brackets, one after the other.
pub fn flatten(stream: TokenStream) -> Vec<Token> {
    let mut tokens = Vec::new();
    for tree in stream {
        match tree {
            TokenTree::Group(group) => {
                let signs = match group.delimiter() {
                    Delimiter::Parenthesis => ["(", ")"],
                    Delimiter::Bracket => ["[", "]"],
                    Delimiter::Brace => ["{", "}"],
                    Delimiter::None => ["", ""],
                };
                let token = |text: &str, range| Token {
                    text: text.into(),
                    range,
                };
                tokens.push(token(signs[0], group.span_open().byte_range()));
                tokens.extend(flatten(group.stream()));
                tokens.push(token(signs[1], group.span_close().byte_range()));
            }
            other => tokens.push(Token {
                text: other.to_string(),
                range: other.span().byte_range(),
            }),
        }
    }
    tokens
}

/// The expression that is true while the change with this number runs.
pub fn switch(id: usize) -> String {
    format!("crate::mutant({id})")
}

/// Puts the switch into the root of the crate below `tree`. `MUTANT` chooses the change.
pub fn add_switch(tree: &str) {
    let root = Path::new(tree).join("src/lib.rs");
    let source = fs::read_to_string(&root).expect("the root");
    let features = "#![feature(core_intrinsics, const_eval_select)] #![allow(warnings)] ";
    fs::write(&root, format!("{features}{source}{SWITCH}")).expect("the root");
}

/// In constants every change is off.
const SWITCH: &str = r#"
mod switch {
    extern crate std;
    use std::sync::OnceLock;
    static ACTIVE: OnceLock<u32> = OnceLock::new();
    fn active(id: u32) -> bool {
        *ACTIVE.get_or_init(|| std::env::var("MUTANT").map_or(0, |id| id.parse().unwrap())) == id
    }
    const fn inactive(_: u32) -> bool { false }
    pub(crate) const fn mutant(id: u32) -> bool {
        core::intrinsics::const_eval_select((id,), inactive, active)
    }
}
pub(crate) use switch::mutant;
"#;
