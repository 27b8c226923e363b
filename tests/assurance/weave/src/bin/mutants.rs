//! Puts mutants into one program, each behind a switch, so that a thousand of them cost one build.
//!
//! ```text
//! cargo mutants --list --json | mutants TREE [EXCLUDED...]
//! ```
//!
//! Changes the files below TREE in place. A mutant is known by its place in the list, from 1 on;
//! `crate::mutant(id)` says whether it is the one that runs. Markers in comments tell which mutants
//! a piece of the woven text belongs to, for the reader of compile errors: `/*<3*/ … /*3>*/` is the
//! third mutant's own text, `/*{3,4*/ … /*3,4}*/` what was rewritten for both. Prints the woven ones,
//! and those that cannot be Rust.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::io::{Read as _, stdin};
use std::ops::Range;
use std::path::Path;
use std::{env, fs};

use proc_macro2::Span;
use serde::Deserialize;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Arm, BinOp, Expr, ExprBinary, ExprStruct, ExprUnary, ImplItemConst, ImplItemFn, ItemConst,
    ItemFn, ItemStatic, ReturnType, TraitItemFn, Type,
};
use weave::{add_switch, switch};

#[derive(Deserialize)]
struct Mutant {
    file: String,
    genre: String,
    replacement: String,
    span: Region,
}

#[derive(Deserialize)]
struct Region {
    start: Place,
}

#[derive(Deserialize)]
struct Place {
    line: usize,
    column: usize,
}

/// Where the change begins: line and column from 1 on.
type At = (usize, usize);

/// The mutants of one kind at one place: number and replacement.
type Group = Vec<(usize, String)>;

struct Edit {
    range: Range<usize>,
    /// What closes comes before what opens; inner before outer, or the other way round.
    order: (u8, isize),
    text: String,
}

struct Weaver<'s> {
    source: &'s str,
    mutants: HashMap<(&'static str, At), Group>,
    edits: Vec<Edit>,
    woven: Vec<usize>,
    unviable: Vec<usize>,
}

fn at(span: Span) -> At {
    (span.start().line, span.start().column + 1)
}

/// `if mutant(3) { replaced } else if … else { original }`
fn alternatives(group: &Group, original: &str, replaced: impl Fn(&str) -> String) -> String {
    let mut text = String::new();
    for (id, with) in group {
        let _ = write!(
            text,
            "/*<{id}*/ if {} {{ {} }} /*{id}>*/ else ",
            switch(*id),
            replaced(with)
        );
    }
    text + "{ " + original + " }"
}

impl Weaver<'_> {
    fn take(&mut self, genre: &'static str, span: Span) -> Option<Group> {
        let group = self.mutants.remove(&(genre, at(span)))?;
        self.woven.extend(group.iter().map(|(id, _)| id));
        Some(group)
    }

    fn open(&mut self, at: usize, text: String) {
        let order = (1, self.edits.len() as isize);
        self.edits.push(Edit {
            range: at..at,
            order,
            text,
        });
    }

    fn close(&mut self, at: usize, text: String) {
        let order = (0, -(self.edits.len() as isize));
        self.edits.push(Edit {
            range: at..at,
            order,
            text,
        });
    }

    fn replace(&mut self, range: Range<usize>, text: String) {
        self.edits.push(Edit {
            range,
            order: (2, 0),
            text,
        });
    }

    /// Text around a piece of the source.
    fn around(&mut self, group: &Group, range: &Range<usize>, before: &str, after: &str) {
        let ids: Vec<_> = group.iter().map(|(id, _)| id.to_string()).collect();
        let ids = ids.join(",");
        self.open(range.start, format!("/*{{{ids}*/ {before}"));
        self.close(range.end, format!("{after} /*{ids}}}*/"));
    }

    fn body(&mut self, output: &ReturnType, block: &syn::Block) {
        let Some(first) = block.stmts.first() else {
            return;
        };
        let Some(group) = self.take("FnValue", first.span()) else {
            return;
        };
        let mut text = String::new();
        if let ReturnType::Type(_, of) = output
            && matches!(**of, Type::ImplTrait(_))
        {
            return self.iterator(group, block);
        }
        for (id, with) in &group {
            let _ = write!(
                text,
                "/*<{id}*/ if {} {{ return {with}; }} /*{id}>*/ ",
                switch(*id)
            );
        }
        self.open(block.brace_token.span.open().byte_range().end, text);
    }

    /// An `impl Iterator` has one type: of the original and the other, one is cut to nothing.
    fn iterator(&mut self, group: Group, block: &syn::Block) {
        // What leaks is `&mut`, which no iterator here has.
        let (leaks, group): (Group, Group) =
            (group.into_iter()).partition(|(_, with)| with.contains("Vec::leak"));
        self.woven
            .retain(|id| leaks.iter().all(|(leak, _)| leak != id));
        self.unviable.extend(leaks.iter().map(|(id, _)| id));
        let mut text = String::new();
        for (id, with) in &group {
            let on = switch(*id);
            let _ = write!(
                text,
                "/*<{id}*/ .take(if {on} {{ 0 }} else {{ usize::MAX }})\
                 .chain(({with}).take(if {on} {{ usize::MAX }} else {{ 0 }})) /*{id}>*/"
            );
        }
        let braces = &block.brace_token.span;
        let inside = braces.open().byte_range().end..braces.close().byte_range().start;
        self.around(&group, &inside, "({", &format!("}}){text}"));
    }

    /// The woven source; prints the numbers.
    fn apply(mut self) -> String {
        self.edits
            .sort_by_key(|edit| (edit.range.start, edit.order));
        let (mut text, mut done) = (String::new(), 0);
        for edit in &self.edits {
            text += &self.source[done..edit.range.start];
            text += &edit.text;
            done = edit.range.end;
        }
        for id in self.woven {
            println!("{id}");
        }
        for id in self.unviable {
            println!("{id} unviable");
        }
        text + &self.source[done..]
    }
}

/// Whether `let` binds something in this part of a condition.
fn binds(expr: &Expr) -> bool {
    match expr {
        Expr::Let(_) => true,
        Expr::Binary(both) => {
            matches!(both.op, BinOp::And(_)) && (binds(&both.left) || binds(&both.right))
        }
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Weaver<'_> {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.body(&item.sig.output, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.body(&item.sig.output, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(block) = &item.default {
            self.body(&item.sig.output, block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    // No switch is ever on while the compiler evaluates.
    fn visit_item_static(&mut self, _: &'ast ItemStatic) {}

    fn visit_item_const(&mut self, _: &'ast ItemConst) {}

    fn visit_impl_item_const(&mut self, _: &'ast ImplItemConst) {}

    fn visit_expr_binary(&mut self, expr: &'ast ExprBinary) {
        if binds(&expr.left) || binds(&expr.right) {
            // `||` beside a `let` is not Rust.
            let group = self.mutants.remove(&("BinaryOperator", at(expr.op.span())));
            self.unviable
                .extend(group.iter().flatten().map(|(id, _)| id));
        } else if let Some(group) = self.take("BinaryOperator", expr.op.span()) {
            let whole = expr.span().byte_range();
            let between = expr.left.span().byte_range().end..expr.right.span().byte_range().start;
            let op = &self.source[expr.op.span().byte_range()];
            match expr.op {
                // De Morgan: no operand twice, and the second only when it counts.
                BinOp::And(_) | BinOp::Or(_) => {
                    let id = switch(group[0].0);
                    self.around(
                        &group,
                        &whole,
                        &format!("((({id} ^ ("),
                        &format!("))) ^ {id})"),
                    );
                    self.replace(between, format!(")) {op} ({id} ^ ("));
                }
                BinOp::Eq(_)
                | BinOp::Ne(_)
                | BinOp::Lt(_)
                | BinOp::Le(_)
                | BinOp::Gt(_)
                | BinOp::Ge(_) => {
                    let choice = alternatives(&group, &format!("*l {op} *r"), |with| {
                        format!("*l {with} *r")
                    });
                    self.around(
                        &group,
                        &whole,
                        "(match (&(",
                        &format!(")) {{ (l, r) => {choice} }})"),
                    );
                    self.replace(between, "), &(".into());
                }
                BinOp::AddAssign(_)
                | BinOp::SubAssign(_)
                | BinOp::MulAssign(_)
                | BinOp::DivAssign(_)
                | BinOp::RemAssign(_)
                | BinOp::BitXorAssign(_)
                | BinOp::BitAndAssign(_)
                | BinOp::BitOrAssign(_)
                | BinOp::ShlAssign(_)
                | BinOp::ShrAssign(_) => {
                    let choice =
                        alternatives(&group, &format!("*l {op} r"), |with| format!("*l {with} r"));
                    let left = expr.left.span().byte_range();
                    let place = &self.source[left.clone()];
                    if place.contains(|c: char| !c.is_alphanumeric() && !"_.*".contains(c)) {
                        self.around(
                            &group,
                            &whole,
                            "{ let l = &mut (",
                            &format!("); {choice} }}"),
                        );
                        self.replace(between, "); let r = (".into());
                    } else {
                        // The right side may look at the place, and comes first.
                        let after = format!("); let l = &mut ({place}); {choice} }}");
                        self.around(&group, &whole, "", &after);
                        self.replace(left.start..between.end, "{ let r = (".into());
                    }
                }
                _ => {
                    let choice =
                        alternatives(&group, &format!("l {op} r"), |with| format!("l {with} r"));
                    self.around(
                        &group,
                        &whole,
                        "(match ((",
                        &format!(")) {{ (l, r) => {choice} }})"),
                    );
                    self.replace(between, "), (".into());
                }
            }
        }
        visit::visit_expr_binary(self, expr);
    }

    fn visit_expr_unary(&mut self, expr: &'ast ExprUnary) {
        if let Some(group) = self.take("UnaryOperator", expr.op.span()) {
            let (whole, op) = (expr.span().byte_range(), expr.op.span().byte_range());
            let choice = alternatives(&group, &format!("{}v", &self.source[op.clone()]), |_| {
                "v".into()
            });
            self.around(
                &group,
                &whole,
                "(match (",
                &format!(") {{ v => {choice} }})"),
            );
            self.replace(op, String::new());
        }
        visit::visit_expr_unary(self, expr);
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        let deleted = self.take("MatchArm", arm.span());
        let guard = arm.guard.as_ref().map(|(_, guard)| guard);
        let changed = guard.and_then(|guard| self.take("MatchArmGuard", guard.span()));
        let alive = deleted
            .as_ref()
            .map(|group| format!("!{}", switch(group[0].0)));
        if let Some(guard) = guard {
            let mut before = String::new();
            for (id, with) in changed.iter().flatten() {
                before += &if with == "true" {
                    format!("{} || ", switch(*id))
                } else {
                    format!("!{} && ", switch(*id))
                };
            }
            // `false` binds closer than `true`: they are never on together.
            let alive = alive.map_or(String::new(), |alive| format!("{alive} && "));
            let group: Group = deleted.into_iter().chain(changed).flatten().collect();
            if !group.is_empty() {
                self.around(
                    &group,
                    &guard.span().byte_range(),
                    &format!("{alive}({before}("),
                    "))",
                );
            }
        } else if let Some(alive) = alive {
            let end = arm.pat.span().byte_range().end;
            let id = deleted.unwrap_or_default()[0].0;
            self.replace(end..end, format!(" /*{{{id}*/ if {alive} /*{id}}}*/"));
        }
        visit::visit_arm(self, arm);
    }

    fn visit_expr_struct(&mut self, expr: &'ast ExprStruct) {
        if let Some(rest) = &expr.rest {
            let rest = self.source[rest.span().byte_range()].to_owned();
            for field in &expr.fields {
                let Some(group) = self.take("StructField", field.span()) else {
                    continue;
                };
                let name = self.source[field.member.span().byte_range()].to_owned();
                let id = group[0].0;
                let before = format!(
                    "/*<{id}*/ if {} {{ ({rest}).{name} }} /*{id}>*/ else {{ ",
                    switch(id)
                );
                let label = if field.colon_token.is_none() {
                    format!("{name}: ")
                } else {
                    String::new()
                };
                self.around(
                    &group,
                    &field.expr.span().byte_range(),
                    &(label + &before),
                    " }",
                );
            }
        }
        visit::visit_expr_struct(self, expr);
    }
}

fn main() {
    let mut arguments = env::args().skip(1);
    let tree = arguments.next().expect("a directory");
    let excluded: HashSet<usize> = arguments.map(|id| id.parse().expect("a number")).collect();
    let mut list = String::new();
    stdin().read_to_string(&mut list).expect("a list");
    let list: Vec<Mutant> =
        serde_json::from_str(&list).expect("what cargo mutants --list --json says");

    let mut files: BTreeMap<String, HashMap<(&'static str, At), Group>> = BTreeMap::new();
    for (mutant, id) in list.into_iter().zip(1..) {
        let genres = [
            "FnValue",
            "BinaryOperator",
            "UnaryOperator",
            "MatchArm",
            "MatchArmGuard",
            "StructField",
        ];
        let Some(genre) = genres.into_iter().find(|genre| *genre == mutant.genre) else {
            continue;
        };
        if !excluded.contains(&id) {
            let at = (mutant.span.start.line, mutant.span.start.column);
            let file = files.entry(mutant.file).or_default();
            file.entry((genre, at))
                .or_default()
                .push((id, mutant.replacement));
        }
    }
    for (name, mutants) in files {
        let path = Path::new(&tree).join(&name);
        let source = fs::read_to_string(&path).expect("a source");
        let mut weaver = Weaver {
            source: &source,
            mutants,
            edits: Vec::new(),
            woven: Vec::new(),
            unviable: Vec::new(),
        };
        weaver.visit_file(&syn::parse_file(&source).expect("Rust"));
        fs::write(&path, weaver.apply()).expect("the woven source");
    }
    add_switch(&tree);
}
