//! How a connection behaves, and how that is told to the core.

use std::sync::OnceLock;

#[cfg(feature = "handshake")]
use http::header::{GetAll, HeaderValue};
use sansocket::config::Limits;
#[cfg(feature = "handshake")]
use sansocket::extension::{Extensions, MessageExtension};
use sansocket::{ClientConfig, Connection, Negotiated, Role, ServerConfig};

use crate::masks::OfThread;

/// How a connection behaves.
///
/// ```
/// use tungstenite::protocol::WebSocketConfig;
/// let config = WebSocketConfig::default().max_message_size(Some(1 << 20)).write_buffer_size(0);
/// assert_eq!(config.max_frame_size, Some(16 << 20));
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct WebSocketConfig {
    /// Bytes that one read asks for at most. 128 KiB; above 16 KiB it makes no difference, as the rest of a
    /// long message is read to where it is gathered. The buffer is the thread's: a connection has it while bytes
    /// move, and none while it is idle.
    pub read_buffer_size: usize,
    /// Bytes that may be queued before they are written without a flush; 0 writes every message at once.
    /// 128 KiB.
    pub write_buffer_size: usize,
    /// Bytes that may be queued before messages are refused with
    /// [`WriteBufferFull`](crate::Error::WriteBufferFull); more than `write_buffer_size`, or a connection with
    /// this configuration panics when it is made. No limit.
    pub max_write_buffer_size: usize,
    /// Bytes that a message may have, after decompression. `None`: no limit. 64 MiB.
    pub max_message_size: Option<usize>,
    /// Bytes that the payload of a frame may have. `None`: no limit. 16 MiB.
    pub max_frame_size: Option<usize>,
    /// A server takes frames without a mask too, against RFC 6455 §5.1: for clients that are known. No.
    pub accept_unmasked_frames: bool,
    /// permessage-deflate (RFC 7692) is offered or accepted in the opening handshakes of this crate:
    /// [`connect`](crate::connect), [`client`](crate::client()), [`accept`](crate::accept()) and their kin. Off:
    /// compressing secrets beside what others wrote can give them away (§8).
    ///
    /// ```
    /// use tungstenite::protocol::{Deflate, WebSocketConfig};
    /// let config = WebSocketConfig::default().deflate(Some(Deflate::default()));
    /// ```
    #[cfg(feature = "deflate")]
    pub deflate: Option<Deflate>,
}

impl Default for WebSocketConfig {
    fn default() -> Self {
        Self {
            read_buffer_size: 128 << 10,
            write_buffer_size: 128 << 10,
            max_write_buffer_size: usize::MAX,
            max_message_size: Some(64 << 20),
            max_frame_size: Some(16 << 20),
            accept_unmasked_frames: false,
            #[cfg(feature = "deflate")]
            deflate: None,
        }
    }
}

/// One setter for each field.
macro_rules! setters {
    ($($(#[$cfg:meta])* $field:ident: $type:ty;)*) => {
        impl WebSocketConfig {$(
            $(#[$cfg])*
            #[doc = concat!("Sets [`", stringify!($field), "`](Self#structfield.", stringify!($field), ").")]
            pub const fn $field(mut self, $field: $type) -> Self {
                self.$field = $field;
                self
            }
        )*}
    };
}

setters! {
    read_buffer_size: usize;
    write_buffer_size: usize;
    max_write_buffer_size: usize;
    max_message_size: Option<usize>;
    max_frame_size: Option<usize>;
    accept_unmasked_frames: bool;
    #[cfg(feature = "deflate")]
    deflate: Option<Deflate>;
}

impl WebSocketConfig {
    pub(super) fn assert_valid(&self) {
        assert!(
            self.max_write_buffer_size > self.write_buffer_size,
            "max_write_buffer_size has to be above write_buffer_size"
        );
    }

    pub(super) fn limits(&self) -> Limits {
        let bytes = |max: Option<usize>| max.map_or(u64::MAX, |max| max as u64);
        let mut limits = Limits::trusted();
        limits.frame = bytes(self.max_frame_size);
        limits.message = bytes(self.max_message_size);
        // Fragments without payload take no memory, and the queue is bounded by this crate.
        limits.fragments = u32::MAX;
        limits.output = u32::MAX;
        limits
    }

    /// A connection over a stream whose opening handshake is done.
    pub(super) fn connection(&self, role: Role, agreed: Negotiated) -> Connection {
        static DEFAULT: OnceLock<(ServerConfig, ClientConfig)> = OnceLock::new();
        let both = || {
            let (server, client) = (ServerConfig::upgraded(), ClientConfig::new());
            let server = server.limits(self.limits()).manual_pong();
            let client = client.limits(self.limits()).manual_pong();
            (server.echo_close_reason(), client.echo_close_reason())
        };
        // Most connections share one configuration of the core's.
        let (server, client) = if self.limits() == Self::default().limits() {
            DEFAULT.get_or_init(both).clone()
        } else {
            both()
        };
        #[cfg(feature = "deflate")]
        let (server, client) = match self.deflate.map(|deflate| deflate.for_role(role)) {
            Some(deflate) => (server.deflate(deflate.clone()), client.deflate(deflate)),
            None => (server, client),
        };
        match role {
            Role::Server if self.accept_unmasked_frames => {
                Connection::upgraded_server(&server.accept_unmasked(), agreed)
            }
            Role::Server => Connection::upgraded_server(&server, agreed),
            Role::Client => {
                let masks = Box::new(OfThread); // of no size: nothing is allocated
                Connection::upgraded_client_with_entropy(&client, agreed, masks)
            }
        }
    }
}

/// Extensions in the opening handshakes of this crate: none without compression.
#[cfg(feature = "handshake")]
impl WebSocketConfig {
    fn extension(&self, role: Role) -> Option<Box<dyn MessageExtension>> {
        #[cfg(feature = "deflate")]
        return Some(Box::new(self.deflate?.for_role(role)));
        #[cfg(not(feature = "deflate"))]
        {
            let _ = role;
            None
        }
    }

    /// What a client offers.
    pub(crate) fn offer(&self) -> Option<String> {
        Some(self.extension(Role::Client)?.offer())
    }

    /// What a server answers to a client's offers.
    pub(crate) fn answer(&self, offers: GetAll<'_, HeaderValue>) -> Option<String> {
        let extension = self.extension(Role::Server)?;
        let offers: Vec<_> = offers.iter().map(HeaderValue::as_bytes).collect();
        let offers = Extensions::parse(offers).ok()?;
        let offers: Vec<_> = offers
            .filter(|offer| offer.name() == extension.name())
            .collect();
        extension.answer(&offers)
    }

    /// What a client and the server agree on by the server's answer; `None` where that does not meet the offer.
    pub(crate) fn agreed(&self, answer: &HeaderValue) -> Option<String> {
        let extension = self.extension(Role::Client)?;
        let mut answers = Extensions::parse([answer.as_bytes()]).ok()?;
        let (first, None) = (answers.next()?, answers.next()) else {
            return None;
        };
        let agreed = first.name() == extension.name() && extension.accepts(&first);
        agreed.then(|| answer.to_str().unwrap_or_default().to_owned())
    }
}

/// How messages are compressed (RFC 7692).
#[cfg(feature = "deflate")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deflate {
    level: u8,
    context_takeover: bool,
}

#[cfg(feature = "deflate")]
impl Default for Deflate {
    fn default() -> Self {
        Self {
            level: 3,
            context_takeover: false,
        }
    }
}

#[cfg(feature = "deflate")]
impl Deflate {
    /// How hard to compress, from 0 (not at all) to 9. 3.
    pub const fn level(mut self, level: u8) -> Self {
        self.level = level;
        self
    }

    /// Whether messages refer to those before them, where the peer agrees: shorter where they resemble each
    /// other, and some 300 KiB for each connection. No.
    pub const fn context_takeover(mut self, wanted: bool) -> Self {
        self.context_takeover = wanted;
        self
    }

    fn for_role(self, role: Role) -> sansocket::extension::PermessageDeflate {
        use sansocket::extension::PermessageDeflate;
        let fresh = !self.context_takeover;
        match role {
            Role::Server => PermessageDeflate::server()
                .server_no_context_takeover(fresh)
                .client_no_context_takeover(fresh),
            Role::Client => PermessageDeflate::client().client_no_context_takeover(fresh),
        }
        .level(self.level)
    }
}
