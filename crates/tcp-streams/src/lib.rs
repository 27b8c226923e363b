#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod conversation;
mod early;
mod event;
mod half;
mod key;
mod segment;
mod streams;

pub use event::{Conversation, End, Event, Kind, Sender};
pub use segment::{Flags, Segment};
pub use streams::{Config, Streams};
