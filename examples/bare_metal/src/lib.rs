//! What the programs have of the board: a serial line, the time, how much stack was used, and an end.
#![no_std]

use core::hint;
use core::time::Duration;

use cortex_m::Peripherals;
use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_semihosting::{debug, hio};

/// None of the board's interrupts is used.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".vector_table.interrupts")]
static __INTERRUPTS: [usize; 1] = [0];

/// The first serial line of the board, by its registers (ARM DDI 0479, APB UART).
pub struct Serial;

impl Serial {
    const BASE: usize = 0x4000_4000;
    const STATE: usize = 4;
    const CONTROL: usize = 8;
    const BAUD: usize = 16;

    /// Turns both directions on.
    #[must_use]
    pub fn new() -> Self {
        set(Self::BASE + Self::BAUD, 16);
        set(Self::BASE + Self::CONTROL, 3);
        Self
    }

    /// The bytes that have come, as many as there is room for.
    pub fn read(&mut self, into: &mut [u8]) -> usize {
        let mut len = 0;
        // A few turns without a byte: a byte takes longer than one.
        let mut idle = 0;
        while len < into.len() && idle < 1000 {
            if get(Self::BASE + Self::STATE) & 2 == 0 {
                idle += 1;
                continue;
            }
            into[len] = get(Self::BASE).to_le_bytes()[0];
            len += 1;
            idle = 0;
        }
        len
    }

    /// Writes all of it.
    pub fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            while get(Self::BASE + Self::STATE) & 1 != 0 {
                hint::spin_loop();
            }
            set(Self::BASE, byte.into());
        }
    }
}

impl Default for Serial {
    fn default() -> Self {
        Self::new()
    }
}

fn get(register: usize) -> u32 {
    // SAFETY: the callers name registers of the serial line, which are always there.
    unsafe { (register as *const u32).read_volatile() }
}

fn set(register: usize, value: u32) {
    // SAFETY: the callers name registers of the serial line, which are always there.
    unsafe { (register as *mut u32).write_volatile(value) }
}

/// The time since the start, by the timer of the processor.
pub struct Time {
    timer: SYST,
    hundredths: u32,
}

impl Time {
    /// Starts the timer. `None` at the second call.
    #[must_use]
    pub fn start() -> Option<Self> {
        let mut timer = Peripherals::take()?.SYST;
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(25_000_000 / 100 - 1); // the board has 25 MHz
        timer.clear_current();
        timer.enable_counter();
        Some(Self {
            timer,
            hundredths: 0,
        })
    }

    /// What has passed: asked more often than a hundred times a second.
    pub fn now(&mut self) -> Duration {
        self.hundredths += u32::from(self.timer.has_wrapped());
        Duration::from_millis(u64::from(self.hundredths) * 10)
    }
}

/// The stack below the caller, marked to see how much of it is used.
pub struct Stack {
    top: usize,
}

/// Bytes that are marked.
const MARKED: usize = 16 << 10;
const MARK: u8 = 0xa5;

impl Stack {
    /// Marks what is free.
    #[must_use]
    #[inline(never)]
    pub fn mark() -> Self {
        let here = 0u8;
        let top = &raw const here as usize;
        // What this function itself uses stays as it is.
        for at in top - MARKED..top - 64 {
            // SAFETY: the board has 4 MiB of RAM below the stack's start, of which the programs use little.
            unsafe { (at as *mut u8).write_volatile(MARK) };
        }
        Self { top }
    }

    /// Bytes that have been used since.
    #[must_use]
    pub fn used(&self) -> usize {
        let mut at = self.top - MARKED;
        // SAFETY: as above.
        while at < self.top && unsafe { (at as *const u8).read_volatile() } == MARK {
            at += 1;
        }
        self.top - at
    }
}

/// Says a word and a number to who runs the board.
pub fn say(word: &str, mut number: usize) {
    let mut line = [b' '; 32];
    let mut at = line.len() - 1;
    line[at] = b'\n';
    loop {
        at -= 1;
        line[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    if let Ok(mut host) = hio::hstdout() {
        let _ = host.write_all(word.as_bytes());
        let _ = host.write_all(&line[at - 1..]);
    }
}

/// The end of the program.
pub fn end(ok: bool) -> ! {
    let status = if ok {
        debug::EXIT_SUCCESS
    } else {
        debug::EXIT_FAILURE
    };
    loop {
        debug::exit(status);
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    end(false)
}
