//! A source as tokens, and the places in it that a change can be made at.

use std::collections::HashSet;
use std::ops::Range;

use proc_macro2::TokenStream;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Arm, BinOp, Block, Expr, ExprBinary, ExprIf, ExprMatch, ExprMethodCall, ExprPath, ExprUnary,
    ExprWhile, ImplItemFn, ItemFn, ItemImpl, ItemMod, ItemTrait, Lit, Pat, PatIdent, ReturnType,
    Signature, Stmt, TraitItemFn, Type, UnOp,
};
use weave::{Token, flatten};

/// A condition that decides over a branch.
#[derive(Clone)]
pub struct Condition {
    pub range: Range<usize>,
    /// It binds something with `let`.
    pub binds: bool,
}

#[derive(Clone)]
pub enum Kind {
    Expr,
    /// Of the type bool; or `let`, which is none but may stand there.
    Bool {
        is_let: bool,
    },
    Then(Condition),
    Else(Condition),
    Arm {
        pattern_end: usize,
        guard: Option<Condition>,
    },
    Statement,
    /// The body of an arm that is no block.
    ArmBody,
    /// A method called on what stands before it.
    Call {
        name: Range<usize>,
        receiver: Range<usize>,
    },
    /// A path of one word.
    Name,
}

pub struct Node {
    pub range: Range<usize>,
    pub kind: Kind,
}

struct Function {
    names: [String; 3],
    body: Range<usize>,
    locals: HashSet<String>,
}

/// The function that a change is made in.
pub struct Scope {
    pub body: Range<usize>,
    pub locals: HashSet<String>,
}

pub struct Source {
    pub text: String,
    pub tokens: Vec<Token>,
    pub nodes: Vec<Node>,
    functions: Vec<Function>,
}

impl Source {
    pub fn read(text: String) -> Self {
        let stream: TokenStream = text.parse().expect("Rust");
        let mut reader = Reader::default();
        reader.visit_file(&syn::parse_file(&text).expect("Rust"));
        Self {
            tokens: flatten(stream),
            nodes: reader.nodes,
            functions: reader.functions,
            text,
        }
    }

    /// The functions of this name: `name`, `Type::name` or `Trait for Type::name`.
    pub fn scopes(&self, name: &str) -> Vec<Scope> {
        let named = |function: &&Function| function.names.iter().any(|own| own == name);
        let scope = |function: &Function| Scope {
            body: function.body.clone(),
            locals: function.locals.clone(),
        };
        self.functions.iter().filter(named).map(scope).collect()
    }
}

#[derive(Default)]
struct Reader {
    nodes: Vec<Node>,
    functions: Vec<Function>,
    /// Of the implementation that is being read: the type, and the trait if it is one of a trait.
    owner: String,
    of_trait: String,
    returns: Returns,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum Returns {
    Nothing,
    Bool,
    #[default]
    Other,
}

/// Names bound by patterns.
#[derive(Default)]
struct Locals(HashSet<String>);

impl<'ast> Visit<'ast> for Locals {
    fn visit_pat_ident(&mut self, pat: &'ast PatIdent) {
        let name = pat.ident.to_string();
        if !name.starts_with(|c: char| c.is_ascii_uppercase()) {
            self.0.insert(name);
        }
        visit::visit_pat_ident(self, pat);
    }
}

/// What takes a closure that says yes or no.
const ASKING: [&str; 12] = [
    "all",
    "any",
    "filter",
    "find",
    "is_none_or",
    "is_some_and",
    "position",
    "retain",
    "rposition",
    "skip_while",
    "take_while",
    "is_ok_and",
];

fn binds(expr: &Expr) -> bool {
    match expr {
        Expr::Let(_) => true,
        Expr::Binary(both) => binds(&both.left) || binds(&both.right),
        _ => false,
    }
}

impl Reader {
    fn push(&mut self, range: Range<usize>, kind: Kind) {
        self.nodes.push(Node { range, kind });
    }

    /// A place where a bool is asked for.
    fn asks(&mut self, expr: &Expr) {
        let is_let = matches!(expr, Expr::Let(_));
        self.push(expr.span().byte_range(), Kind::Bool { is_let });
        match expr {
            Expr::Binary(both) if matches!(both.op, BinOp::And(_) | BinOp::Or(_)) => {
                self.asks(&both.left);
                self.asks(&both.right);
            }
            Expr::Unary(unary) if matches!(unary.op, UnOp::Not(_)) => self.asks(&unary.expr),
            Expr::Paren(paren) => self.asks(&paren.expr),
            _ => {}
        }
    }

    fn condition(&mut self, expr: &Expr) -> Condition {
        self.asks(expr);
        Condition {
            range: expr.span().byte_range(),
            binds: binds(expr),
        }
    }

    fn function(&mut self, sig: &Signature, block: &Block) -> Returns {
        let mut locals = Locals::default();
        locals.visit_signature(sig);
        locals.visit_block(block);
        let name = sig.ident.to_string();
        self.functions.push(Function {
            names: [
                format!("{} for {}::{name}", self.of_trait, self.owner),
                format!("{}::{name}", self.owner),
                name,
            ],
            body: block.span().byte_range(),
            locals: locals.0,
        });
        let returns = match &sig.output {
            ReturnType::Default => Returns::Nothing,
            ReturnType::Type(_, of) => match &**of {
                Type::Path(path) if path.path.is_ident("bool") => Returns::Bool,
                _ => Returns::Other,
            },
        };
        if let (Returns::Bool, Some(Stmt::Expr(tail, None))) = (returns, block.stmts.last()) {
            self.asks(tail);
        }
        std::mem::replace(&mut self.returns, returns)
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !item.attrs.iter().any(|attr| {
            attr.path().is_ident("cfg")
                && (attr.parse_args::<syn::Ident>()).is_ok_and(|word| word == "test")
        }) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        if let Type::Path(path) = &*item.self_ty
            && let Some(last) = path.path.segments.last()
        {
            self.owner = last.ident.to_string();
        }
        let of_trait = item.trait_.as_ref();
        if let Some(last) = of_trait.and_then(|(_, path, _)| path.segments.last()) {
            self.of_trait = last.ident.to_string();
        }
        visit::visit_item_impl(self, item);
        self.owner.clear();
        self.of_trait.clear();
    }

    fn visit_item_trait(&mut self, item: &'ast ItemTrait) {
        self.owner = item.ident.to_string();
        visit::visit_item_trait(self, item);
        self.owner.clear();
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        let outer = self.function(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
        self.returns = outer;
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        let outer = self.function(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
        self.returns = outer;
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(block) = &item.default {
            let outer = self.function(&item.sig, block);
            visit::visit_trait_item_fn(self, item);
            self.returns = outer;
        }
    }

    // What is computed when the crate is built.
    fn visit_type(&mut self, _: &'ast Type) {}

    fn visit_pat(&mut self, _: &'ast Pat) {}

    fn visit_block(&mut self, block: &'ast Block) {
        for (at, stmt) in block.stmts.iter().enumerate() {
            let last = at + 1 == block.stmts.len();
            let stands_alone = match stmt {
                Stmt::Expr(_, None) => !last || self.returns == Returns::Nothing,
                Stmt::Expr(..) | Stmt::Macro(_) => true,
                _ => false,
            };
            if stands_alone {
                self.push(stmt.span().byte_range(), Kind::Statement);
            }
        }
        visit::visit_block(self, block);
    }

    fn visit_expr(&mut self, expr: &'ast Expr) {
        if !matches!(expr, Expr::Let(_)) {
            self.push(expr.span().byte_range(), Kind::Expr);
        }
        visit::visit_expr(self, expr);
    }

    fn visit_expr_if(&mut self, expr: &'ast ExprIf) {
        let condition = self.condition(&expr.cond);
        self.push(
            expr.then_branch.span().byte_range(),
            Kind::Then(condition.clone()),
        );
        if let Some((_, other)) = &expr.else_branch {
            self.push(other.span().byte_range(), Kind::Else(condition));
        }
        visit::visit_expr_if(self, expr);
    }

    fn visit_expr_while(&mut self, expr: &'ast ExprWhile) {
        let condition = self.condition(&expr.cond);
        self.push(expr.body.span().byte_range(), Kind::Then(condition));
        visit::visit_expr_while(self, expr);
    }

    fn visit_expr_match(&mut self, expr: &'ast ExprMatch) {
        let of_bool =
            |arm: &Arm| matches!(&arm.pat, Pat::Lit(lit) if matches!(lit.lit, Lit::Bool(_)));
        if expr.arms.iter().any(of_bool) {
            self.asks(&expr.expr);
        }
        visit::visit_expr_match(self, expr);
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        let guard = arm.guard.as_ref().map(|(_, guard)| self.condition(guard));
        let body = arm.body.span().byte_range();
        if !matches!(*arm.body, Expr::Block(_)) {
            self.push(body.clone(), Kind::ArmBody);
        }
        let pattern_end = arm.pat.span().byte_range().end;
        self.push(body, Kind::Arm { pattern_end, guard });
        visit::visit_arm(self, arm);
    }

    fn visit_expr_binary(&mut self, expr: &'ast ExprBinary) {
        let range = expr.span().byte_range();
        match expr.op {
            BinOp::And(_) | BinOp::Or(_) => {
                if !binds(&expr.left) && !binds(&expr.right) {
                    self.push(range, Kind::Bool { is_let: false });
                }
                self.asks(&expr.left);
                self.asks(&expr.right);
            }
            BinOp::Eq(_)
            | BinOp::Ne(_)
            | BinOp::Lt(_)
            | BinOp::Le(_)
            | BinOp::Gt(_)
            | BinOp::Ge(_) => {
                self.push(range, Kind::Bool { is_let: false });
            }
            _ => {}
        }
        visit::visit_expr_binary(self, expr);
    }

    fn visit_expr_unary(&mut self, expr: &'ast ExprUnary) {
        if matches!(expr.op, UnOp::Not(_)) {
            self.asks(&expr.expr);
        }
        visit::visit_expr_unary(self, expr);
    }

    fn visit_expr_method_call(&mut self, expr: &'ast ExprMethodCall) {
        let name = expr.method.to_string();
        for argument in &expr.args {
            if let Expr::Closure(closure) = argument
                && ASKING.contains(&&*name)
            {
                self.asks(&closure.body);
            }
        }
        if name == "then" || name == "then_some" {
            self.asks(&expr.receiver);
        }
        self.push(
            expr.span().byte_range(),
            Kind::Call {
                name: expr.method.span().byte_range(),
                receiver: expr.receiver.span().byte_range(),
            },
        );
        visit::visit_expr_method_call(self, expr);
    }

    fn visit_expr_path(&mut self, expr: &'ast ExprPath) {
        if expr.path.segments.len() == 1 {
            self.push(expr.span().byte_range(), Kind::Name);
        }
    }
}
