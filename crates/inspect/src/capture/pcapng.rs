//! The format of newer programs: blocks of many kinds (draft-ietf-opsawg-pcapng).

use std::io::Read;
use std::time::Duration;

use super::source::Source;
use super::{LONGEST, Problem, Step};

/// Begins a file, and a section; the same in either byte order.
pub(super) const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const PACKET: u32 = 6;
const SECRETS: u32 = 10;

/// Secrets that are a key log of TLS.
const TLS_KEY_LOG: u32 = 0x544c_534b;

/// More interfaces than any section needs.
const INTERFACES: usize = 1 << 16;

/// A section, whose beginning says the byte order.
#[derive(Default)]
pub(super) struct Section {
    big: bool,
    interfaces: Vec<Interface>,
}

struct Interface {
    link: u32,
    snap: u32,
    /// Of its times: `if_tsresol`.
    resolution: u8,
    /// Seconds to be added.
    offset: i64,
}

impl Section {
    /// Reads one block.
    pub(super) fn step<R: Read>(&mut self, source: &mut Source<R>) -> Result<Step, Problem> {
        if !source.have(12)? {
            return Ok(Step::End {
                whole: source.peek().is_empty(),
            });
        }
        let kind = source.word(0, self.big);
        if kind == SECTION {
            self.big = match source.word(8, true) {
                0x1a2b_3c4d => true,
                0x4d3c_2b1a => false,
                other => return Err(Problem::ByteOrder(other)),
            };
            self.interfaces.clear();
        }
        let length = source.word(4, self.big);
        if length < 12 || !length.is_multiple_of(4) {
            return Err(Problem::BlockLength(length));
        }
        let body = length - 12;
        match kind {
            SECTION | INTERFACE | OLD_PACKET | SIMPLE_PACKET | PACKET | SECRETS => {}
            _ => {
                // Of any length, and nothing that is needed here.
                source.skip(length.into());
                return Ok(Step::Other);
            }
        }
        if body > LONGEST {
            return Err(Problem::TooLong(body));
        }
        let length = length as usize;
        if !source.have(length)? {
            return Ok(Step::End { whole: false });
        }
        let again = source.word(length - 4, self.big);
        if again as usize != length {
            return Err(Problem::Trailer(length as u32, again));
        }
        match kind {
            SECTION => self.section(source, length)?,
            INTERFACE => self.interface(source, length)?,
            SECRETS => return self.secrets(source, length),
            _ => return self.packet(kind, source, length),
        }
        source.skip(length as u64);
        Ok(Step::Other)
    }

    fn section<R: Read>(&self, source: &Source<R>, length: usize) -> Result<(), Problem> {
        if length < 28 {
            return Err(Problem::BlockLength(length as u32));
        }
        let version = (source.half(12, self.big), source.half(14, self.big));
        if version.0 == 1 {
            Ok(())
        } else {
            Err(Problem::Version(version.0, version.1))
        }
    }

    fn interface<R: Read>(&mut self, source: &Source<R>, length: usize) -> Result<(), Problem> {
        if length < 20 {
            return Err(Problem::BlockLength(length as u32));
        }
        if self.interfaces.len() == INTERFACES {
            return Err(Problem::Interfaces(INTERFACES));
        }
        let big = self.big;
        let link = u32::from(source.half(8, big));
        let snap = source.word(12, big);
        let mut interface = Interface {
            link,
            snap,
            resolution: 6,
            offset: 0,
        };
        let mut at = 16;
        while at + 4 <= length - 4 {
            let (code, size) = (source.half(at, big), usize::from(source.half(at + 2, big)));
            at += 4;
            if code == 0 || at + size > length - 4 {
                break;
            }
            match (code, size) {
                (9, 1) => interface.resolution = source.peek()[at],
                (14, 8) => {
                    let [first, second] = [source.word(at, big), source.word(at + 4, big)];
                    let [high, low] = if big {
                        [first, second]
                    } else {
                        [second, first]
                    };
                    interface.offset = (u64::from(high) << 32 | u64::from(low)).cast_signed();
                }
                _ => {}
            }
            at += size.next_multiple_of(4);
        }
        self.interfaces.push(interface);
        Ok(())
    }

    fn secrets<R: Read>(&self, source: &mut Source<R>, length: usize) -> Result<Step, Problem> {
        let header = 16;
        let Some(room) = length.checked_sub(header + 4) else {
            return Err(Problem::BlockLength(length as u32));
        };
        let [kind, has] = [8, 12].map(|at| source.word(at, self.big));
        if has as usize > room {
            return Err(Problem::SecretsInBlock(has, room));
        }
        let has = if kind == TLS_KEY_LOG { has as usize } else { 0 };
        source.take(header, 0);
        Ok(Step::Secrets {
            length: has,
            after: length - header - has,
        })
    }

    fn packet<R: Read>(
        &self,
        kind: u32,
        source: &mut Source<R>,
        length: usize,
    ) -> Result<Step, Problem> {
        let big = self.big;
        let header = if kind == SIMPLE_PACKET { 12 } else { 28 };
        let Some(room) = length.checked_sub(header + 4) else {
            return Err(Problem::BlockLength(length as u32));
        };
        let number = match kind {
            SIMPLE_PACKET => 0,
            OLD_PACKET => u32::from(source.half(8, big)),
            _ => source.word(8, big),
        };
        let interface = self.interfaces.get(number as usize);
        let Some(interface) = interface else {
            return Err(Problem::NoInterface(number, self.interfaces.len()));
        };
        let (time, captured, sent) = if kind == SIMPLE_PACKET {
            let sent = source.word(8, big);
            let snap = if interface.snap == 0 {
                u32::MAX
            } else {
                interface.snap
            };
            (Duration::ZERO, sent.min(snap).min(room as u32), sent)
        } else {
            let units = u64::from(source.word(12, big)) << 32 | u64::from(source.word(16, big));
            (
                interface.time(units),
                source.word(20, big),
                source.word(24, big),
            )
        };
        if captured as usize > room {
            return Err(Problem::PacketInBlock(captured, room));
        }
        let captured = captured as usize;
        source.take(header, 0);
        Ok(Step::Packet {
            time,
            link: interface.link,
            length: sent.max(captured as u32),
            captured,
            after: length - header - captured,
        })
    }
}

impl Interface {
    /// A time of its clock.
    fn time(&self, units: u64) -> Duration {
        let base: u128 = if self.resolution & 0x80 == 0 { 10 } else { 2 };
        let Some(second) = base.checked_pow(u32::from(self.resolution & 0x7f)) else {
            return Duration::ZERO; // finer than anything that has a name
        };
        let units = u128::from(units);
        // Both fit: there are no more seconds than units.
        let seconds = u64::try_from(units / second).unwrap_or(u64::MAX);
        let part = units % second;
        let nanoseconds = match part.checked_mul(1_000_000_000) {
            Some(part) => part / second,
            None => part / (second / 1_000_000_000),
        };
        let nanoseconds = u32::try_from(nanoseconds).unwrap_or(0).min(999_999_999);
        Duration::new(seconds.saturating_add_signed(self.offset), nanoseconds)
    }
}
