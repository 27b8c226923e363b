//! The opening handshake: making connections, and answering requests.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use sansocket::config::Limits;
use sansocket::handshake::Request;
use sansocket::{
    Accept, ClientConfig, ClientRequest, Connection, Negotiated, Response, ServerConfig, Uri,
};

use crate::abi::{bytes, ws_told};
use crate::config::Settings;
use crate::connection::{connection, ws_connection};
use crate::entries::{Entries, Entry, Field};
use crate::entropy::Source;
use crate::error::{Refused, did};
use crate::event::{Kept, list};
use crate::numbers::{entry, part};

/// Settings that all connections of a server share, together with the memory for compression.
pub struct ws_server(ServerConfig);

/// A handle, or null and in `told` why there is none.
///
/// # Safety
/// `told` may be written to.
unsafe fn made<T>(made: Result<*mut T, Refused>, told: *mut ws_told) -> *mut T {
    made.unwrap_or_else(|why| {
        // SAFETY: what the caller of this function promises.
        unsafe { why.tell(told) };
        core::ptr::null_mut()
    })
}

fn unknown(_: &Entry<'_>) -> Refused {
    Refused::argument("an entry that has no place here")
}

/// Makes the settings of a server's connections, or returns null and tells why not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_server_settings(
    list: *const u8,
    len: usize,
    told: *mut ws_told,
) -> *mut ws_server {
    // SAFETY: `list` points to `len` bytes.
    let list = unsafe { bytes(list, len) };
    let settings = Settings::read(list, Limits::server(), |entry| Err(unknown(entry)))
        .and_then(Settings::server);
    // SAFETY: what is asked of the caller.
    unsafe {
        made(
            settings.map(|config| Box::into_raw(Box::new(ws_server(config)))),
            told,
        )
    }
}

/// Gives the settings back; the connections that were made with them live on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_server_settings_free(settings: *mut ws_server) {
    // SAFETY: it was made by `ws_server_settings` and is not used afterwards.
    drop(unsafe { Box::from_raw(settings) });
}

/// A server's end, which waits for a request. `ws_free` frees it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_server_new(settings: *const ws_server) -> *mut ws_connection {
    // SAFETY: the settings were not freed.
    let settings = unsafe { &*settings };
    ws_connection::new(Connection::server(&settings.0))
}

/// A server's end of a stream that was upgraded elsewhere. The list may have `SUBPROTOCOL` and `EXTENSIONS`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_server_upgraded(
    settings: *const ws_server,
    list: *const u8,
    len: usize,
    told: *mut ws_told,
) -> *mut ws_connection {
    // SAFETY: the settings were not freed, and `list` points to `len` bytes.
    let (settings, list) = unsafe { (&*settings, bytes(list, len)) };
    let mut agreed = Agreed::default();
    let agreed = Entries(list)
        .try_for_each(|entry| agreed.take(&entry?))
        .map(|()| agreed.done());
    let server = agreed.map(|agreed| Connection::upgraded_server(&settings.0, agreed));
    // SAFETY: what is asked of the caller.
    unsafe { made(server.map(ws_connection::new), told) }
}

/// What was agreed on elsewhere.
#[derive(Default)]
struct Agreed(Negotiated);

impl Agreed {
    fn take(&mut self, entry: &Entry<'_>) -> Result<(), Refused> {
        let agreed = core::mem::take(&mut self.0);
        self.0 = match entry.what {
            entry::SUBPROTOCOL => agreed.subprotocol(entry.text()?),
            entry::EXTENSIONS => agreed.extensions(entry.text()?),
            _ => return Err(unknown(entry)),
        };
        Ok(())
    }

    fn done(self) -> Negotiated {
        self.0
    }
}

/// A client's end, whose request is in the output already, or null. `ws_free` frees it. Its randomness comes from the
/// caller's source of that number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_client_new(
    list: *const u8,
    len: usize,
    source: u32,
    told: *mut ws_told,
) -> *mut ws_connection {
    // SAFETY: `list` points to `len` bytes.
    let client = client(unsafe { bytes(list, len) }, source);
    // SAFETY: what is asked of the caller.
    unsafe { made(client.map(ws_connection::new), told) }
}

fn client(list: &[u8], source: u32) -> Result<Connection, Refused> {
    let mut wanted = Wanted::default();
    let config: ClientConfig =
        Settings::read(list, Limits::client(), |entry| wanted.take(entry))?.client()?;
    let Some(uri) = wanted.uri else {
        return Err(Refused::argument("no URI"));
    };
    let mut request = ClientRequest::new(Uri::parse(uri)?);
    for name in wanted.subprotocols {
        request = request.subprotocol(name)?;
    }
    for (name, value) in wanted.fields {
        request = request.header(name, value)?;
    }
    if let Some(origin) = wanted.origin {
        request = request.origin(origin)?;
    }
    Ok(Connection::client_with_entropy(
        &config,
        request,
        Box::new(Source(source)),
    )?)
}

/// What a client asks for.
#[derive(Default)]
struct Wanted<'a> {
    uri: Option<&'a str>,
    origin: Option<&'a str>,
    subprotocols: Vec<&'a str>,
    fields: Vec<(&'a str, &'a [u8])>,
    field: Field<'a>,
}

impl<'a> Wanted<'a> {
    fn take(&mut self, entry: &Entry<'a>) -> Result<(), Refused> {
        match entry.what {
            entry::URI => self.uri = Some(entry.text()?),
            entry::OWN_ORIGIN => self.origin = Some(entry.text()?),
            entry::SUBPROTOCOL => self.subprotocols.push(entry.text()?),
            entry::FIELD_NAME => self.field.name(entry)?,
            entry::FIELD_VALUE => self.fields.push(self.field.value(entry)?),
            _ => return Err(unknown(entry)),
        }
        Ok(())
    }
}

/// A client's end of a stream that was upgraded elsewhere.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_client_upgraded(
    list: *const u8,
    len: usize,
    source: u32,
    told: *mut ws_told,
) -> *mut ws_connection {
    // SAFETY: `list` points to `len` bytes.
    let list = unsafe { bytes(list, len) };
    let mut agreed = Agreed::default();
    let config = Settings::read(list, Limits::client(), |entry| agreed.take(entry))
        .and_then(Settings::client);
    let client = config.map(|config| {
        let entropy = Box::new(Source(source));
        Connection::upgraded_client_with_entropy(&config, agreed.done(), entropy)
    });
    // SAFETY: what is asked of the caller.
    unsafe { made(client.map(ws_connection::new), told) }
}

// ── requests and answers

/// Points `told` to a [`part`] of the request that the last event told of, or of what was agreed on; to null if there is
/// none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_part(connection: *mut ws_connection, what: u32, told: *mut ws_told) {
    let ws = connection!(connection);
    let found = match what {
        part::SUBPROTOCOL => ws.core.subprotocol().map(str::as_bytes),
        part::EXTENSIONS => Some(ws.core.extensions().as_bytes()),
        part::OFFERED => {
            ws.list = asked(ws.kept.as_ref()).map(offered).unwrap_or_default();
            Some(&*ws.list)
        }
        _ => asked(ws.kept.as_ref()).and_then(|request| of_request(request, what)),
    };
    let found = found.map_or(ws_told::default(), |found| ws_told::default().bytes(found));
    // SAFETY: what is asked of the caller.
    unsafe { found.put(told) };
}

fn asked(kept: Option<&Kept>) -> Option<&Request<'static>> {
    match kept {
        Some(Kept::Request(request)) => Some(request),
        _ => None,
    }
}

fn of_request<'r>(request: &'r Request<'_>, what: u32) -> Option<&'r [u8]> {
    let text = match what {
        part::METHOD => Some(request.method()),
        part::TARGET => Some(request.target()),
        part::PATH => Some(request.path()),
        part::QUERY => request.query(),
        part::AUTHORITY => Some(request.authority()),
        part::ORIGIN => request.origin(),
        _ => None,
    };
    text.map(str::as_bytes)
}

fn offered(request: &Request<'_>) -> Vec<u8> {
    let mut names = Vec::new();
    for name in request.subprotocols() {
        if !names.is_empty() {
            names.push(b',');
        }
        names.extend_from_slice(name.as_bytes());
    }
    names
}

/// Points `told` to a list of the header fields of what the last event told of: a request, a refusal, or for a client the
/// answer that opened the connection.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_headers(connection: *mut ws_connection, told: *mut ws_told) {
    let ws = connection!(connection);
    ws.list = match (&ws.kept, ws.core.response()) {
        (Some(kept), _) => kept.fields(),
        (None, Some(answer)) => list(answer.headers()),
        (None, None) => Vec::new(),
    };
    // SAFETY: what is asked of the caller.
    unsafe { ws_told::default().bytes(&ws.list).put(told) };
}

/// Accepts the request that waits. The list may have `SUBPROTOCOL`, `PREFER`, header fields and `UNCOMPRESSED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_accept(
    connection: *mut ws_connection,
    list: *const u8,
    len: usize,
    told: *mut ws_told,
) -> u32 {
    let ws = connection!(connection);
    // SAFETY: `list` points to `len` bytes.
    let accepted = acceptance(unsafe { bytes(list, len) })
        .and_then(|accept| ws.core.accept(accept).map_err(Into::into));
    // SAFETY: what is asked of the caller.
    unsafe { did(accepted, told) }
}

fn acceptance(list: &[u8]) -> Result<Accept, Refused> {
    let mut accept = Accept::new();
    let mut prefer: Vec<String> = Vec::new();
    let mut field = Field::default();
    for entry in Entries(list) {
        let entry = entry?;
        match entry.what {
            entry::SUBPROTOCOL => accept = accept.subprotocol(entry.text()?),
            entry::PREFER => prefer.push(entry.string()?),
            entry::FIELD_NAME => field.name(&entry)?,
            entry::FIELD_VALUE => {
                let (name, value) = field.value(&entry)?;
                accept = accept.header(name, value)?;
            }
            entry::UNCOMPRESSED => accept = accept.uncompressed(),
            _ => return Err(unknown(&entry)),
        }
    }
    if !prefer.is_empty() {
        accept = accept.prefer(prefer);
    }
    Ok(accept)
}

/// Answers the request that waits over HTTP instead, with a page or a refusal. The list may have header fields.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_respond(
    connection: *mut ws_connection,
    status: u32,
    list: *const u8,
    len: usize,
    body: *const u8,
    body_len: usize,
    told: *mut ws_told,
) -> u32 {
    let ws = connection!(connection);
    // SAFETY: both point to so many bytes.
    let (list, body) = unsafe { (bytes(list, len), bytes(body, body_len)) };
    let answered = response(status, list)
        .and_then(|response| ws.core.respond(response.body(body)).map_err(Into::into));
    // SAFETY: what is asked of the caller.
    unsafe { did(answered, told) }
}

fn response(status: u32, list: &[u8]) -> Result<Response, Refused> {
    // What is no status at all is refused as one that is none.
    let mut response = Response::new(u16::try_from(status).unwrap_or(0));
    let mut field = Field::default();
    for entry in Entries(list) {
        let entry = entry?;
        match entry.what {
            entry::FIELD_NAME => field.name(&entry)?,
            entry::FIELD_VALUE => {
                let (name, value) = field.value(&entry)?;
                response = response.header(name, value)?;
            }
            _ => return Err(unknown(&entry)),
        }
    }
    Ok(response)
}
