//! What can be sent as a whole message: borrowed, handed over, or prepared for many connections.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crate::error::Unsent;
use crate::event::{Kind, Message};
use crate::extension::Compress;
use crate::frame::{encode_frame, first_byte};
use crate::output::UNCOPIED;
use crate::payload::{HandedOver, Payload, SharedBytes, SharedText, Text, handed_over};

use super::Connection;
use super::handed::Handed;

/// What [`Connection::send`] takes: borrowed data is copied (and masked on the way), a `Vec<u8>`,
/// `String` or `Bytes` is handed over, and queued without a copy when it is large. So is a received
/// [`Message`] that was gathered and not lent from the input.
///
/// ```
/// # if cfg!(not(feature = "getrandom")) { return Ok(()) }
/// # use sansocket::{Connection, error::SendError};
/// # let mut ws = Connection::upgraded_client(&Default::default(), Default::default());
/// ws.send("text")?;
/// ws.send(&b"binary"[..])?;
/// ws.send(String::from("text"))?;
/// ws.send(vec![0; 1 << 20])?;
/// # Ok::<(), SendError>(())
/// ```
pub trait Outgoing: sealed::Sealed + Sized {
    /// What a refusal gives back: `()` for borrowed data, the value itself for owned data.
    type Back;

    /// [`send`](Connection::send) copies it, and [`send_through`](Connection::send_through) need not: it is
    /// borrowed, and nobody else has a share in it.
    ///
    /// ```
    /// # use sansocket::{Outgoing, Prepared};
    /// assert!(<&str>::COPIED && <&mut [u8]>::COPIED);
    /// assert!(!String::COPIED && !<&Prepared>::COPIED);
    /// ```
    const COPIED: bool = false;

    #[doc(hidden)]
    fn send_on(
        self,
        connection: &mut Connection,
        compress: Compress,
    ) -> Result<(), Unsent<Self::Back>>;

    #[doc(hidden)]
    fn send_through_on(
        self,
        connection: &mut Connection,
        write: impl FnOnce(&[&[u8]]) -> usize,
    ) -> Result<(), Unsent<Self::Back>> {
        self.send_on(connection, Compress::Auto)?;
        connection.write_queued(write);
        Ok(())
    }

    /// What it is, for a recording.
    #[doc(hidden)]
    fn handed(&self) -> Handed<'_>;
}

mod sealed {
    pub trait Sealed {}
}

/// Copied: the type, and its kind and bytes.
macro_rules! borrowed {
    ($([$($generic:tt)*] $type:ty, |$message:ident| $kind:expr, $bytes:expr;)*) => {$(
        impl<$($generic)*> sealed::Sealed for $type {}

        impl<$($generic)*> Outgoing for $type {
            type Back = ();

            const COPIED: bool = true;

            #[inline]
            fn send_on(
                self,
                connection: &mut Connection,
                compress: Compress,
            ) -> Result<(), Unsent<()>> {
                let $message = self;
                let sent = connection.send_borrowed($kind, $bytes, compress);
                sent.map_err(|why| Unsent { why, message: () })
            }

            #[inline]
            fn send_through_on(
                self,
                connection: &mut Connection,
                write: impl FnOnce(&[&[u8]]) -> usize,
            ) -> Result<(), Unsent<()>> {
                let $message = self;
                let sent = connection.send_lent($kind, $bytes, write);
                sent.map_err(|why| Unsent { why, message: () })
            }

            fn handed(&self) -> Handed<'_> {
                let $message = *self;
                Handed::copied($kind, $bytes)
            }
        }
    )*};
}

borrowed! {
    [] &str, |text| Kind::Text, text.as_bytes();
    [] &String, |text| Kind::Text, text.as_bytes();
    [] &[u8], |bytes| Kind::Binary, bytes;
    [const N: usize] &[u8; N], |bytes| Kind::Binary, bytes;
    [] &Vec<u8>, |bytes| Kind::Binary, bytes;
    [] &Text<'_>, |text| Kind::Text, text.as_bytes();
    [] &Payload<'_>, |bytes| Kind::Binary, bytes;
    [] &Message<'_>, |message| message.kind(), message.as_bytes();
}

/// Handed over: the type, its kind and bytes.
macro_rules! owned {
    ($($type:ty, $kind:expr, |$message:ident| $bytes:expr;)*) => {$(
        impl sealed::Sealed for $type {}

        impl Outgoing for $type {
            type Back = Self;

            #[inline]
            fn send_on(
                self,
                connection: &mut Connection,
                compress: Compress,
            ) -> Result<(), Unsent<Self>> {
                let $message = &self;
                let (kind, bytes): (Kind, &[u8]) = ($kind, $bytes);
                let len = bytes.len();
                if len < UNCOPIED {
                    let sent = connection.send_borrowed(kind, bytes, compress);
                    return sent.map_err(|why| Unsent { why, message: self });
                }
                connection.send_owned(kind, len, self, compress)
            }

            fn handed(&self) -> Handed<'_> {
                let $message = self;
                Handed::over($kind, $bytes, self.memory_held())
            }
        }
    )*};
}

handed_over! {
    Message<'_>, |message| message.memory_held();
    Text<'_>, |text| text.memory_held();
    Payload<'_>, |bytes| bytes.memory_held();
}

owned! {
    String, Kind::Text, |text| text.as_bytes();
    Box<str>, Kind::Text, |text| text.as_bytes();
    Arc<str>, Kind::Text, |text| text.as_bytes();
    SharedText, Kind::Text, |text| text.as_bytes();
    Vec<u8>, Kind::Binary, |bytes| bytes;
    Box<[u8]>, Kind::Binary, |bytes| bytes;
    Arc<[u8]>, Kind::Binary, |bytes| bytes;
    SharedBytes, Kind::Binary, |bytes| bytes;
}

/// Handed over if it is owned, and copied if it is not: the type, what copies it, its kind and bytes,
/// and those of a lent one that may be changed where they are.
macro_rules! either {
    ($([$($generic:tt)*] $type:ty, |$message:ident| $copied:expr, $kind:expr, $bytes:expr, $lent:expr;)*) => {$(
        impl<$($generic)*> sealed::Sealed for $type {}

        impl<$($generic)*> Outgoing for $type {
            type Back = Self;

            fn send_on(
                self,
                connection: &mut Connection,
                compress: Compress,
            ) -> Result<(), Unsent<Self>> {
                let $message = &self;
                let (kind, bytes): (Kind, &[u8]) = ($kind, $bytes);
                let len = bytes.len();
                if len < UNCOPIED || $copied {
                    let sent = connection.send_borrowed(kind, bytes, compress);
                    return sent.map_err(|why| Unsent { why, message: self });
                }
                connection.send_owned(kind, len, self, compress)
            }

            fn send_through_on(
                mut self,
                connection: &mut Connection,
                write: impl FnOnce(&[&[u8]]) -> usize,
            ) -> Result<(), Unsent<Self>> {
                let $message = &mut self;
                let lent: Option<&mut [u8]> = $lent;
                if let Some(bytes) = lent {
                    let sent = connection.send_lent_mut(bytes, write);
                    return sent.map_err(|why| Unsent { why, message: self });
                }
                let $message = &self;
                if $copied {
                    let sent = connection.send_lent($kind, $bytes, write);
                    return sent.map_err(|why| Unsent { why, message: self });
                }
                self.send_on(connection, Compress::Auto)?;
                connection.write_queued(write);
                Ok(())
            }

            fn handed(&self) -> Handed<'_> {
                let $message = self;
                if $copied {
                    Handed::copied($kind, $bytes)
                } else {
                    Handed::over($kind, $bytes, self.memory_held())
                }
            }
        }
    )*};
}

either! {
    [] Message<'_>, |message| message.is_lent(), message.kind(), message.as_bytes(), message.lent_mut();
    [] Text<'_>, |text| text.is_lent(), Kind::Text, text.as_bytes(), { let _ = text; None };
    [] Payload<'_>, |bytes| bytes.is_lent(), Kind::Binary, bytes, bytes.lent_mut();
    [] Cow<'_, str>, |text| matches!(text, Cow::Borrowed(_)), Kind::Text, text.as_bytes(), { let _ = text; None };
    [] Cow<'_, [u8]>, |bytes| matches!(bytes, Cow::Borrowed(_)), Kind::Binary, bytes, { let _ = bytes; None };
}

impl sealed::Sealed for &mut [u8] {}

/// A client masks it in place where [`Connection::send_through`] takes it (RFC 6455 §5.3), so that what it
/// holds is lost; [`Connection::send`] copies it like a `&[u8]`.
impl Outgoing for &mut [u8] {
    type Back = ();

    const COPIED: bool = true;

    fn send_on(self, connection: &mut Connection, compress: Compress) -> Result<(), Unsent<()>> {
        (&*self).send_on(connection, compress)
    }

    fn send_through_on(
        self,
        connection: &mut Connection,
        write: impl FnOnce(&[&[u8]]) -> usize,
    ) -> Result<(), Unsent<()>> {
        let sent = connection.send_lent_mut(self, write);
        sent.map_err(|why| Unsent { why, message: () })
    }

    fn handed(&self) -> Handed<'_> {
        Handed::copied(Kind::Binary, self)
    }
}

impl<const N: usize> sealed::Sealed for [u8; N] {}

impl<const N: usize> Outgoing for [u8; N] {
    type Back = Self;

    fn send_on(self, connection: &mut Connection, compress: Compress) -> Result<(), Unsent<Self>> {
        let sent = connection.send_borrowed(Kind::Binary, &self, compress);
        sent.map_err(|why| Unsent { why, message: self })
    }

    fn handed(&self) -> Handed<'_> {
        Handed::copied(Kind::Binary, self)
    }
}

/// A message encoded once, to be sent to any number of connections. Servers' connections share its
/// bytes by reference count; a client's masks a copy, as it has to (RFC 6455 §5.3).
///
/// ```
/// # use sansocket::{Connection, Negotiated, Prepared, ServerConfig};
/// # let config = ServerConfig::upgraded();
/// # let mut connections = [Connection::upgraded_server(&config, Negotiated::default())];
/// let news = Prepared::text("to all of you");
/// for ws in &mut connections {
///     let _ = ws.send(&news); // an error: that one is closing, or does not read
/// }
/// assert_eq!(connections[0].output(), b"\x81\x0dto all of you");
/// ```
#[derive(Clone)]
pub struct Prepared {
    kind: Kind,
    /// A server's frame.
    frame: Arc<[u8]>,
    payload_len: usize,
    /// Its compressed forms.
    forms: Arc<[CompressedForm]>,
}

impl Prepared {
    /// A text message.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::new(Kind::Text, text.as_bytes())
    }

    /// A binary message.
    #[must_use]
    pub fn binary(bytes: &[u8]) -> Self {
        Self::new(Kind::Binary, bytes)
    }

    fn new(kind: Kind, payload: &[u8]) -> Self {
        Self {
            kind,
            frame: server_frame(kind, 0, payload),
            payload_len: payload.len(),
            forms: Arc::default(),
        }
    }

    /// Adds the compressed forms, for connections that agreed on compression without server
    /// context takeover: one for each of these window sizes (8 to 15), made now and shared by
    /// all. Others get the message as usual.
    ///
    /// ```
    /// use sansocket::Prepared;
    /// let text = "the same for all of you, ".repeat(100);
    /// let news = Prepared::text(&text).with_deflate(6, &[15]);
    /// # let _ = news;
    /// ```
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn with_deflate(self, level: u8, windows: &[u8]) -> Self {
        let settings = crate::extension::PermessageDeflate::server().level(level);
        let form = |&bits: &u8| {
            let window_bits = bits.clamp(8, 15);
            let payload = settings.compress(window_bits, self.payload());
            CompressedForm {
                window_bits,
                frame: server_frame(self.kind, crate::frame::RSV1, &payload),
            }
        };
        let forms = windows.iter().map(form).collect();
        Self { forms, ..self }
    }

    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) const fn payload_len(&self) -> usize {
        self.payload_len
    }

    pub(super) fn payload(&self) -> &[u8] {
        &self.frame[self.frame.len() - self.payload_len..]
    }

    /// The server's frame, uncompressed.
    pub(super) const fn frame(&self) -> &Arc<[u8]> {
        &self.frame
    }

    /// The best compressed frame for a peer whose window has this size.
    pub(super) fn compressed(&self, window_bits: u8) -> Option<&Arc<[u8]>> {
        let forms = self.forms.iter();
        let fit = forms.filter(|form| form.window_bits <= window_bits);
        let largest = fit.max_by_key(|form| form.window_bits)?;
        Some(&largest.frame)
    }
}

#[cfg(feature = "replay")]
impl Prepared {
    /// The windows of its compressed forms, and their frames.
    pub(crate) fn compressed_forms(&self) -> impl Iterator<Item = (u8, &[u8])> {
        let forms = self.forms.iter();
        forms.map(|form| (form.window_bits, &*form.frame))
    }

    /// One with these forms.
    pub(crate) fn of_forms(kind: Kind, payload: &[u8], forms: Vec<(u8, Vec<u8>)>) -> Self {
        let form = |(window_bits, frame): (u8, Vec<u8>)| CompressedForm {
            window_bits,
            frame: frame.into(),
        };
        Self {
            forms: forms.into_iter().map(form).collect(),
            ..Self::new(kind, payload)
        }
    }
}

impl sealed::Sealed for &Prepared {}

impl Outgoing for &Prepared {
    type Back = ();

    fn send_on(self, connection: &mut Connection, compress: Compress) -> Result<(), Unsent<()>> {
        let sent = connection.send_prepared(self, compress);
        sent.map_err(|why| Unsent { why, message: () })
    }

    fn send_through_on(
        self,
        connection: &mut Connection,
        write: impl FnOnce(&[&[u8]]) -> usize,
    ) -> Result<(), Unsent<()>> {
        let sent = connection.send_prepared_through(self, write);
        sent.map_err(|why| Unsent { why, message: () })
    }

    fn handed(&self) -> Handed<'_> {
        Handed::prepared(self)
    }
}

/// Kind and length only.
impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prepared({:?}, {} bytes)", self.kind, self.payload_len)
    }
}

/// A server's frame, compressed for windows of at least this size.
struct CompressedForm {
    window_bits: u8,
    frame: Arc<[u8]>,
}

fn server_frame(kind: Kind, rsv: u8, payload: &[u8]) -> Arc<[u8]> {
    let mut frame = Vec::new();
    let first = first_byte(true, rsv, kind.opcode());
    encode_frame(&mut frame, first, None, payload);
    frame.into()
}
