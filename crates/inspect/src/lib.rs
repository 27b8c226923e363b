#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod capture;
pub mod packet;
pub mod tls;
pub mod write;

mod args;
mod contexts;
mod dump;
mod follow;
mod indent;
mod keys;
#[doc(hidden)]
pub mod program;
mod proxy;
mod raw;
mod run;
mod screen;
mod text;
mod view;
