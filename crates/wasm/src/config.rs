//! What connections are made from.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use sansocket::config::{Budgets, Delivery, Limits, Timeouts};
use sansocket::{ClientConfig, OriginPolicy, ServerConfig};

use crate::abi::duration;
use crate::entries::{Entries, Entry};
use crate::error::Refused;
use crate::numbers::{budgets, delivery, entry, flag, origins, preset};

/// The settings of a list, and what of it is no setting.
pub(crate) struct Settings {
    flags: u32,
    delivery: Delivery,
    limits: Limits,
    timeouts: Timeouts,
    fragment: u32,
    #[cfg(feature = "deflate")]
    deflate: Deflate,
    policy: u32,
    origins: Vec<String>,
    hosts: Vec<String>,
}

#[cfg(feature = "deflate")]
#[derive(Default)]
struct Deflate {
    level: Option<u8>,
    server_bits: Option<u8>,
    client_bits: Option<u8>,
}

impl Settings {
    /// Takes the settings out of a list, and gives every other entry to `other`.
    pub(crate) fn read<'a>(
        list: &'a [u8],
        limits: Limits,
        mut other: impl FnMut(&Entry<'a>) -> Result<(), Refused>,
    ) -> Result<Self, Refused> {
        let mut settings = Self {
            flags: 0,
            delivery: Delivery::Whole,
            limits,
            timeouts: Timeouts::default(),
            fragment: 0,
            #[cfg(feature = "deflate")]
            deflate: Deflate::default(),
            policy: origins::SAME_HOST,
            origins: Vec::new(),
            hosts: Vec::new(),
        };
        for entry in Entries(list) {
            let entry = entry?;
            let known = settings.set(&entry)? || settings.limit(&entry)?;
            if !(known || settings.time(&entry)?) {
                other(&entry)?;
            }
        }
        Ok(settings)
    }

    fn set(&mut self, entry: &Entry<'_>) -> Result<bool, Refused> {
        match entry.what {
            entry::FLAGS => self.flags = entry.count32()?,
            entry::DELIVERY => {
                self.delivery = match entry.count32()? {
                    delivery::WHOLE => Delivery::Whole,
                    delivery::CHUNKS => Delivery::Chunks,
                    delivery::ASK => Delivery::Ask,
                    _ => return Err(Refused::argument("a delivery that there is not")),
                }
            }
            entry::FRAGMENT => self.fragment = entry.count32()?,
            #[cfg(feature = "deflate")]
            entry::DEFLATE_LEVEL => self.deflate.level = Some(entry.count(9)? as u8),
            #[cfg(feature = "deflate")]
            entry::SERVER_MAX_WINDOW_BITS => self.deflate.server_bits = Some(window_bits(entry)?),
            #[cfg(feature = "deflate")]
            entry::CLIENT_MAX_WINDOW_BITS => self.deflate.client_bits = Some(window_bits(entry)?),
            entry::ORIGIN_POLICY => self.policy = entry.count32()?,
            entry::ORIGIN => self.origins.push(entry.string()?),
            entry::HOST => self.hosts.push(entry.string()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn limit(&mut self, entry: &Entry<'_>) -> Result<bool, Refused> {
        let limits = &mut self.limits;
        match entry.what {
            entry::PRESET => {
                *limits = match entry.count32()? {
                    preset::SERVER => Limits::server(),
                    preset::STRICT => Limits::strict(),
                    preset::CLIENT => Limits::client(),
                    preset::TRUSTED => Limits::trusted(),
                    _ => return Err(Refused::argument("a preset that there is not")),
                }
            }
            entry::MAX_HEAD => limits.head = entry.count32()?,
            entry::MAX_FIELDS => limits.fields = entry.count(u16::MAX.into())? as u16,
            entry::MAX_FRAME => limits.frame = entry.count(u64::MAX)?,
            entry::MAX_MESSAGE => limits.message = entry.count(u64::MAX)?,
            entry::MAX_FRAGMENTS => limits.fragments = entry.count32()?,
            entry::MAX_OUTPUT => limits.output = entry.count32()?,
            entry::MAX_HELD => limits.held = entry.count32()?,
            entry::MAX_BODY => limits.body = entry.count32()?,
            entry::MAX_MEMORY => limits.memory = entry.count(u64::MAX)?,
            entry::BUDGETS => match entry.count32()? {
                budgets::GENEROUS => {}
                budgets::TIGHT => limits.budgets = Budgets::tight(),
                budgets::NONE => limits.budgets = Budgets::NONE,
                _ => return Err(Refused::argument("budgets that there are not")),
            },
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn time(&mut self, entry: &Entry<'_>) -> Result<bool, Refused> {
        let timeouts = &mut self.timeouts;
        let time = || entry.number().map(duration);
        // These two cannot be off: the longest time stands for it.
        let some = || time().map(|time| time.unwrap_or(Duration::from_nanos(u64::MAX)));
        match entry.what {
            entry::HANDSHAKE_TIMEOUT => timeouts.handshake = some()?,
            entry::CLOSE_TIMEOUT => timeouts.close = some()?,
            entry::PING_INTERVAL => timeouts.ping = time()?,
            entry::PONG_TIMEOUT => timeouts.pong = time()?,
            entry::IDLE_TIMEOUT => timeouts.idle = time()?,
            entry::MESSAGE_TIMEOUT => timeouts.message = time()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    pub(crate) fn server(mut self) -> Result<ServerConfig, Refused> {
        let policy = match self.policy {
            origins::SAME_HOST => OriginPolicy::SameHost,
            origins::LIST => OriginPolicy::list(core::mem::take(&mut self.origins))?,
            origins::ANY => OriginPolicy::Any,
            _ => return Err(Refused::argument("an origin policy that there is not")),
        };
        let mut config = ServerConfig::new(policy).with(&self);
        if !self.hosts.is_empty() {
            config = config.hosts(core::mem::take(&mut self.hosts))?;
        }
        if self.has(flag::SERVE_HTTP) {
            config = config.serve_http();
        }
        if self.has(flag::ACCEPT_UNMASKED) {
            config = config.accept_unmasked();
        }
        if self.has(flag::REQUIRE_ORIGIN) {
            config = config.require_origin();
        }
        self.compressed(config)
    }

    pub(crate) fn client(self) -> Result<ClientConfig, Refused> {
        let mut config = ClientConfig::new().with(&self);
        if self.has(flag::REQUIRE_SUBPROTOCOL) {
            config = config.require_subprotocol();
        }
        self.compressed(config)
    }

    #[cfg(not(feature = "deflate"))]
    fn compressed<C: Both>(&self, config: C) -> Result<C, Refused> {
        if self.has(flag::DEFLATE) {
            return Err(Refused::argument(
                "compression, which this build does not have",
            ));
        }
        Ok(config)
    }

    #[cfg(feature = "deflate")]
    fn compressed<C: Both>(&self, config: C) -> Result<C, Refused> {
        if !self.has(flag::DEFLATE) {
            return Ok(config);
        }
        let mut deflate = C::deflate();
        if let Some(level) = self.deflate.level {
            deflate = deflate.level(level);
        }
        if self.has(flag::SERVER_NO_CONTEXT_TAKEOVER) {
            deflate = deflate.server_no_context_takeover(true);
        }
        if self.has(flag::CLIENT_NO_CONTEXT_TAKEOVER) {
            deflate = deflate.client_no_context_takeover(true);
        }
        if let Some(bits) = self.deflate.server_bits {
            deflate = deflate.server_max_window_bits(bits);
        }
        if let Some(bits) = self.deflate.client_bits {
            deflate = deflate.client_max_window_bits(bits);
        }
        Ok(config.with_deflate(deflate))
    }
}

#[cfg(feature = "deflate")]
fn window_bits(entry: &Entry<'_>) -> Result<u8, Refused> {
    match entry.count(15)? {
        bits @ 8.. => Ok(bits as u8),
        _ => Err(Refused::argument("window bits that are not from 8 to 15")),
    }
}

/// What both roles' configurations have by the same names.
trait Both: Sized {
    fn with(self, settings: &Settings) -> Self;
    #[cfg(feature = "deflate")]
    fn deflate() -> sansocket::extension::PermessageDeflate;
    #[cfg(feature = "deflate")]
    fn with_deflate(self, deflate: sansocket::extension::PermessageDeflate) -> Self;
}

macro_rules! both {
    ($($config:ty, $role:ident;)*) => {$(
        impl Both for $config {
            fn with(self, settings: &Settings) -> Self {
                let mut config = self.limits(settings.limits).timeouts(settings.timeouts);
                config = config.delivery(settings.delivery);
                if settings.has(flag::MANUAL_PONG) {
                    config = config.manual_pong();
                }
                if settings.has(flag::MANUAL_CLOSE) {
                    config = config.manual_close();
                }
                if settings.has(flag::SILENT_FAILURES) {
                    config = config.silent_failures();
                }
                if settings.has(flag::ECHO_CLOSE_REASON) {
                    config = config.echo_close_reason();
                }
                if settings.fragment != 0 {
                    config = config.fragment(settings.fragment);
                }
                config
            }

            #[cfg(feature = "deflate")]
            fn deflate() -> sansocket::extension::PermessageDeflate {
                sansocket::extension::PermessageDeflate::$role()
            }

            #[cfg(feature = "deflate")]
            fn with_deflate(self, deflate: sansocket::extension::PermessageDeflate) -> Self {
                self.deflate(deflate)
            }
        }
    )*};
}

both! {
    ServerConfig, server;
    ClientConfig, client;
}
