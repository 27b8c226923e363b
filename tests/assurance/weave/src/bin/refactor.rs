//! Changes the sources of a crate so that nothing changes for anybody who uses it.
//!
//! ```text
//! refactor TREE
//! ```
//!
//! In each file below TREE/src: in each function it can, renames a local variable; swaps two functions that
//! stand one after the other. Prints how many. Unit tests are left alone.

use std::collections::HashSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::{env, fs};

use proc_macro2::TokenStream;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Block, FieldPat, FieldValue, File, ImplItem, ImplItemFn, Item, ItemFn, ItemImpl, ItemMod,
    Local, Pat, PatIdent, Signature,
};
use weave::{Token, flatten};

/// What was changed in all.
#[derive(Default)]
struct Count {
    files: usize,
    renamed: usize,
    swapped: usize,
}

fn main() {
    let tree = env::args().nth(1).expect("a directory");
    let mut count = Count::default();
    for file in sources(&Path::new(&tree).join("src")) {
        let before = fs::read_to_string(&file).expect("a source");
        let mut text = before.clone();
        count.swapped += usize::from(swap(&mut text));
        count.renamed += rename(&mut text);
        count.files += usize::from(text != before);
        fs::write(&file, text).expect("the changed source");
    }
    let Count {
        files,
        renamed,
        swapped,
    } = count;
    println!("{files} files, {renamed} variables renamed, {swapped} pairs of functions swapped");
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ext| ext == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn parse(text: &str) -> File {
    syn::parse_file(text).expect("Rust")
}

// ── the order of functions

/// Swaps the first two methods, or functions, of which the second comes right after the first.
fn swap(text: &mut String) -> bool {
    let file = parse(text);
    let of_impl =
        |item: &ImplItem| matches!(item, ImplItem::Fn(_)).then(|| item.span().byte_range());
    let of_file = |item: &Item| matches!(item, Item::Fn(_)).then(|| item.span().byte_range());
    let impls = file.items.iter().filter_map(|item| match item {
        Item::Impl(item) => Some(item.items.iter().map(of_impl).collect::<Vec<_>>()),
        _ => None,
    });
    let all = impls.chain([file.items.iter().map(of_file).collect()]);
    let pairs = all.flat_map(|list| {
        let pairs = list
            .windows(2)
            .filter_map(|pair| Some((pair[0].clone()?, pair[1].clone()?)));
        pairs.collect::<Vec<_>>()
    });
    let Some((first, second)) = pairs.into_iter().next() else {
        return false;
    };
    *text = [
        &text[..first.start],
        &text[second.clone()],
        &text[first.end..second.start],
        &text[first],
        &text[second.end..],
    ]
    .concat();
    true
}

// ── names of local variables

#[derive(Default)]
struct Functions(Vec<(Range<usize>, Names)>);

/// The names of a function: those bound by `let`, and those that cannot be changed alone.
#[derive(Default)]
struct Names {
    bound: Vec<String>,
    fixed: HashSet<String>,
}

impl<'ast> Visit<'ast> for Names {
    fn visit_local(&mut self, local: &'ast Local) {
        if let Pat::Ident(pat) = &local.pat {
            self.bound.push(pat.ident.to_string());
        }
        visit::visit_local(self, local);
    }

    // `Point { x }`
    fn visit_field_value(&mut self, field: &'ast FieldValue) {
        if field.colon_token.is_none() {
            self.fixed.insert(flatten_member(&field.member));
        }
        visit::visit_field_value(self, field);
    }

    fn visit_field_pat(&mut self, field: &'ast FieldPat) {
        if field.colon_token.is_none() {
            self.fixed.insert(flatten_member(&field.member));
        }
        visit::visit_field_pat(self, field);
    }
}

fn flatten_member(member: &syn::Member) -> String {
    match member {
        syn::Member::Named(name) => name.to_string(),
        syn::Member::Unnamed(_) => String::new(),
    }
}

/// Names in a signature.
#[derive(Default)]
struct Bound(HashSet<String>);

impl<'ast> Visit<'ast> for Bound {
    fn visit_pat_ident(&mut self, pat: &'ast PatIdent) {
        self.0.insert(pat.ident.to_string());
    }
}

impl Functions {
    fn add(&mut self, sig: &Signature, block: &Block) {
        let mut parameters = Bound::default();
        parameters.visit_signature(sig);
        let mut names = Names::default();
        names.visit_block(block);
        names.fixed.extend(parameters.0);
        self.0.push((block.span().byte_range(), names));
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        visit::visit_item_impl(self, item);
    }

    // Not what stands in a function.
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.add(&item.sig, &item.block);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.add(&item.sig, &item.block);
    }
}

/// Renames one variable in each function where one can be told from everything else.
fn rename(text: &mut String) -> usize {
    let mut functions = Functions::default();
    functions.visit_file(&parse(text));
    let stream: TokenStream = text.parse().expect("Rust");
    let tokens = flatten(stream);
    let mut places: Vec<Range<usize>> = Vec::new();
    let mut count = 0;
    for (body, names) in &functions.0 {
        let inside =
            |token: &&Token| body.start <= token.range.start && token.range.end <= body.end;
        let tokens: Vec<_> = tokens.iter().filter(inside).collect();
        let text = |at: Option<usize>| {
            at.and_then(|at| tokens.get(at))
                .map_or("", |token| &*token.text)
        };
        let uses = |name: &str| -> Option<Vec<Range<usize>>> {
            let mut uses = Vec::new();
            for (at, token) in tokens.iter().enumerate() {
                // `format!("{name}")`
                if token.text.starts_with('"') && token.text.contains(name) {
                    return None;
                }
                if token.text != name
                    || text(at.checked_sub(1)) == "." && text(at.checked_sub(2)) != "."
                {
                    continue;
                }
                // A function, a path or a field of that name.
                if ["(", ":", "!"].contains(&text(Some(at + 1))) || text(at.checked_sub(1)) == ":" {
                    return None;
                }
                uses.push(token.range.clone());
            }
            Some(uses)
        };
        let free = names
            .bound
            .iter()
            .filter(|name| !names.fixed.contains(*name));
        if let Some(found) = free
            .filter_map(|name| uses(name))
            .find(|uses| uses.len() > 1)
        {
            places.extend(found);
            count += 1;
        }
    }
    places.sort_by_key(|place| place.start);
    for place in places.into_iter().rev() {
        text.insert_str(place.end, "_renamed");
    }
    count
}
