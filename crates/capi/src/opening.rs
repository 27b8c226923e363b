//! The opening handshake: making connections, and answering requests.

use std::ffi::c_char;

use sansocket::{Accept, ClientRequest, Connection, Negotiated, Response, ServerConfig, Uri};

use crate::abi::{SS_NEVER, bytes, put, ss_field, ss_slice, text};
use crate::config::{ss_config, texts};
use crate::connection::{Callback, connection, given_fields, ss_connection};
use crate::error::{Refused, ss_status};
use crate::event::Kept;

/// Settings that all connections of a server share, together with the memory for compression. Any number of threads may
/// use it at once.
pub struct ss_server(ServerConfig);

/// What a client asks for. Set it to zeros first.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ss_request {
    /// A ws or wss URI, which ends with NUL.
    pub uri: *const c_char,
    /// Subprotocols, most wanted first.
    pub subprotocols: *const *const c_char,
    /// How many.
    pub subprotocols_len: usize,
    /// More header fields.
    pub fields: *const ss_field,
    /// How many.
    pub fields_len: usize,
    /// The origin, as a browser sends it; or NULL.
    pub origin: *const c_char,
}

/// What a request is accepted with. Set it to zeros first.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ss_accept_options {
    /// A subprotocol that the client offers; or NULL.
    pub subprotocol: *const c_char,
    /// Subprotocols of which the first that the client offers is chosen.
    pub prefer: *const *const c_char,
    /// How many.
    pub prefer_len: usize,
    /// More header fields of the answer.
    pub fields: *const ss_field,
    /// How many.
    pub fields_len: usize,
    /// This connection is not compressed, whatever the configuration says.
    pub uncompressed: bool,
}

/// Writes what was made, or why nothing was.
///
/// # Safety
/// `out` may be written to; `why` is NULL or may be written to, for `why_len` bytes.
unsafe fn made<T>(
    made: Result<*mut T, Refused>,
    out: *mut *mut T,
    why: *mut c_char,
    why_len: usize,
) -> ss_status {
    let (pointer, status, sentence) = match made {
        Ok(pointer) => (pointer, ss_status::SS_OK, String::new()),
        Err(refused) => (std::ptr::null_mut(), refused.status, refused.why),
    };
    // SAFETY: what is asked of the caller.
    unsafe {
        put(out, pointer);
        if !why.is_null() && why_len > 0 {
            let mut n = sentence.len().min(why_len - 1);
            while !sentence.is_char_boundary(n) {
                n -= 1;
            }
            std::ptr::copy_nonoverlapping(sentence.as_ptr(), why.cast(), n);
            why.add(n).write(0);
        }
    }
    status
}

/// Makes the settings of a server's connections. If they are refused, `out` is NULL and `why`, if it is not NULL, has a
/// sentence of at most `why_len` bytes with its NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_server_settings(
    config: *const ss_config,
    out: *mut *mut ss_server,
    why: *mut c_char,
    why_len: usize,
) -> ss_status {
    // SAFETY: what is asked of the caller.
    unsafe {
        let settings = ss_config::read(config).and_then(|config| config.server());
        let settings = settings.map(|config| Box::into_raw(Box::new(ss_server(config))));
        made(settings, out, why, why_len)
    }
}

/// Gives the settings back; the connections that were made with them live on. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_server_settings_free(settings: *mut ss_server) {
    if !settings.is_null() {
        // SAFETY: it was made by `ss_server_settings` and is not used afterwards.
        drop(unsafe { Box::from_raw(settings) });
    }
}

/// A server's end, which waits for a request. `ss_free` frees it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_server_new(settings: *const ss_server) -> *mut ss_connection {
    // SAFETY: the settings were not freed.
    let settings = unsafe { &*settings };
    ss_connection::new(Connection::server(&settings.0))
}

/// A server's end of a stream that was upgraded elsewhere. `subprotocol` and `extensions` are what was agreed on, or NULL;
/// the latter is the value of Sec-WebSocket-Extensions in the answer. NULL is returned for text that is not UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_server_upgraded(
    settings: *const ss_server,
    subprotocol: *const c_char,
    extensions: *const c_char,
) -> *mut ss_connection {
    // SAFETY: the settings were not freed, and the texts end with NUL.
    let (settings, negotiated) = unsafe { (&*settings, negotiated(subprotocol, extensions)) };
    negotiated.map_or(std::ptr::null_mut(), |negotiated| {
        ss_connection::new(Connection::upgraded_server(&settings.0, negotiated))
    })
}

/// # Safety
/// Both are NULL or end with NUL.
unsafe fn negotiated(subprotocol: *const c_char, extensions: *const c_char) -> Option<Negotiated> {
    let mut negotiated = Negotiated::new();
    if !subprotocol.is_null() {
        // SAFETY: what is asked of the caller.
        negotiated = negotiated.subprotocol(unsafe { text(subprotocol) }?);
    }
    if !extensions.is_null() {
        // SAFETY: the same.
        negotiated = negotiated.extensions(unsafe { text(extensions) }?);
    }
    Some(negotiated)
}

/// A client's end, whose request is in the output already. `ss_free` frees it. If it is refused, `out` is NULL and `why`
/// says why, as for `ss_server_settings`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_client_new(
    config: *const ss_config,
    request: *const ss_request,
    out: *mut *mut ss_connection,
    why: *mut c_char,
    why_len: usize,
) -> ss_status {
    // SAFETY: what is asked of the caller.
    unsafe { made(client(config, request), out, why, why_len) }
}

/// # Safety
/// As `ss_client_new` asks.
unsafe fn client(
    config: *const ss_config,
    request: *const ss_request,
) -> Result<*mut ss_connection, Refused> {
    if request.is_null() {
        return Err(Refused::argument("no request"));
    }
    // SAFETY: what is asked of the caller.
    let (config, request) = unsafe { (ss_config::read(config)?, request.read()) };
    // SAFETY: the same.
    let asked = unsafe { asked(&request)? };
    let settings = config.client()?;
    let core = match config.entropy {
        None => Connection::client(&settings, asked)?,
        Some(function) => {
            let context = config.entropy_context;
            Connection::client_with_entropy(
                &settings,
                asked,
                Box::new(Callback { function, context }),
            )?
        }
    };
    Ok(ss_connection::new(core))
}

/// # Safety
/// The request is as documented.
unsafe fn asked(request: &ss_request) -> Result<ClientRequest, Refused> {
    // SAFETY: what is asked of the caller.
    let uri = unsafe { text(request.uri) };
    let uri = uri.ok_or_else(|| Refused::argument("no URI, or one that is not UTF-8"))?;
    let mut asked = ClientRequest::new(Uri::parse(uri)?);
    // SAFETY: the same.
    for name in unsafe { texts(request.subprotocols, request.subprotocols_len)? } {
        asked = asked.subprotocol(&name)?;
    }
    // SAFETY: the same.
    for (name, value) in unsafe { given_fields(request.fields, request.fields_len)? } {
        asked = asked.header(name, value)?;
    }
    if !request.origin.is_null() {
        // SAFETY: the same.
        let origin = unsafe { text(request.origin) };
        asked = asked
            .origin(origin.ok_or_else(|| Refused::argument("an origin that is not UTF-8"))?)?;
    }
    Ok(asked)
}

/// A client's end of a stream that was upgraded elsewhere, as `ss_server_upgraded`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_client_upgraded(
    config: *const ss_config,
    subprotocol: *const c_char,
    extensions: *const c_char,
    out: *mut *mut ss_connection,
    why: *mut c_char,
    why_len: usize,
) -> ss_status {
    // SAFETY: what is asked of the caller.
    unsafe {
        let client = ss_config::read(config).and_then(|config| {
            let settings = config.client()?;
            let negotiated = negotiated(subprotocol, extensions);
            let negotiated =
                negotiated.ok_or_else(|| Refused::argument("text that is not UTF-8"))?;
            Ok(match config.entropy {
                None => Connection::upgraded_client(&settings, negotiated),
                Some(function) => {
                    let context = config.entropy_context;
                    let entropy = Box::new(Callback { function, context });
                    Connection::upgraded_client_with_entropy(&settings, negotiated, entropy)
                }
            })
        });
        made(client.map(ss_connection::new), out, why, why_len)
    }
}

// ── requests and answers

/// For `ss_request_part`: the method.
pub const SS_METHOD: u32 = 0;
/// For `ss_request_part`: the request target as it was sent.
pub const SS_TARGET: u32 = 1;
/// For `ss_request_part`: its path.
pub const SS_PATH: u32 = 2;
/// For `ss_request_part`: its query, without the question mark.
pub const SS_QUERY: u32 = 3;
/// For `ss_request_part`: the host and port that were asked for.
pub const SS_AUTHORITY: u32 = 4;
/// For `ss_request_part`: the origin.
pub const SS_ORIGIN: u32 = 5;

/// A part of the request that the last event told of; its `data` is NULL if there is none. It is valid until the next
/// `ss_receive`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_request_part(connection: *mut ss_connection, part: u32) -> ss_slice {
    let Some(Kept::Request(request)) = &connection!(connection).kept else {
        return ss_slice::NONE;
    };
    let text = match part {
        SS_METHOD => Some(request.method()),
        SS_TARGET => Some(request.target()),
        SS_PATH => Some(request.path()),
        SS_QUERY => request.query(),
        SS_AUTHORITY => Some(request.authority()),
        SS_ORIGIN => request.origin(),
        _ => None,
    };
    text.map_or(ss_slice::NONE, |text| ss_slice::of(text.as_bytes()))
}

/// The header fields of what the last event told of: a request, a refusal, or for a client the answer that opened the
/// connection. Writes at most `n` of them to `fields`, and returns how many there are. They are valid until the next
/// `ss_receive`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_headers(
    connection: *mut ss_connection,
    fields: *mut ss_field,
    n: usize,
) -> usize {
    let found = headers(connection!(connection));
    for (at, field) in found.iter().take(n).enumerate() {
        // SAFETY: `fields` has room for `n` of them.
        unsafe { fields.add(at).write(*field) };
    }
    found.len()
}

fn headers(ws: &ss_connection) -> Vec<ss_field> {
    if let Some(kept) = &ws.kept {
        return kept.fields();
    }
    let answer = ws
        .core
        .response()
        .into_iter()
        .flat_map(|head| head.headers());
    let fields = answer.map(|(name, value)| ss_field {
        name: ss_slice::of(name.as_bytes()),
        value: ss_slice::of(value),
    });
    fields.collect()
}

/// The first value of a header field of that name, which ends with NUL, without regard to case; `data` is NULL if there is
/// none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_header(
    connection: *mut ss_connection,
    name: *const c_char,
) -> ss_slice {
    // SAFETY: the name ends with NUL.
    let Some(name) = (unsafe { text(name) }) else {
        return ss_slice::NONE;
    };
    for field in headers(connection!(connection)) {
        // SAFETY: they are those of this connection.
        let found = unsafe { bytes(field.name.data, field.name.len) };
        if found.eq_ignore_ascii_case(name.as_bytes()) {
            return field.value;
        }
    }
    ss_slice::NONE
}

/// Accepts the request that waits; NULL for no options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_accept(
    connection: *mut ss_connection,
    options: *const ss_accept_options,
) -> ss_status {
    let ws = connection!(connection);
    // SAFETY: the options are as documented.
    let accepted = unsafe { acceptance(options) }
        .and_then(|accept| ws.core.accept(accept).map_err(Into::into));
    ws.did(accepted)
}

/// # Safety
/// The options are NULL or as documented.
unsafe fn acceptance(options: *const ss_accept_options) -> Result<Accept, Refused> {
    let mut accept = Accept::new();
    if options.is_null() {
        return Ok(accept);
    }
    // SAFETY: what is asked of the caller.
    let options = unsafe { options.read() };
    // SAFETY: the same.
    let (prefer, fields) = unsafe {
        (
            texts(options.prefer, options.prefer_len)?,
            given_fields(options.fields, options.fields_len)?,
        )
    };
    if !prefer.is_empty() {
        accept = accept.prefer(prefer);
    }
    if !options.subprotocol.is_null() {
        // SAFETY: the same.
        let name = unsafe { text(options.subprotocol) };
        accept = accept
            .subprotocol(name.ok_or_else(|| Refused::argument("a subprotocol that is not UTF-8"))?);
    }
    if options.uncompressed {
        accept = accept.uncompressed();
    }
    for (name, value) in fields {
        accept = accept.header(name, value)?;
    }
    Ok(accept)
}

/// Answers the request that waits over HTTP instead, with a page or a refusal.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_respond(
    connection: *mut ss_connection,
    status: u16,
    fields: *const ss_field,
    fields_len: usize,
    body: *const u8,
    body_len: usize,
) -> ss_status {
    let ws = connection!(connection);
    // SAFETY: the fields and the body are as documented.
    let response = unsafe { response(status, fields, fields_len, body, body_len) };
    let answered = response.and_then(|response| ws.core.respond(response).map_err(Into::into));
    ws.did(answered)
}

/// # Safety
/// The fields and the body are as documented.
unsafe fn response(
    status: u16,
    fields: *const ss_field,
    fields_len: usize,
    body: *const u8,
    body_len: usize,
) -> Result<Response, Refused> {
    // SAFETY: what is asked of the caller.
    let (fields, body) = unsafe { (given_fields(fields, fields_len)?, bytes(body, body_len)) };
    let mut response = Response::new(status).body(body);
    for (name, value) in fields {
        response = response.header(name, value)?;
    }
    Ok(response)
}

/// Begins such an answer whose body comes in pieces, with `ss_write_response` and `ss_end_response`. `total` is the length
/// of the whole body, or `SS_NEVER` if it is not known.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_begin_response(
    connection: *mut ss_connection,
    status: u16,
    fields: *const ss_field,
    fields_len: usize,
    total: u64,
) -> ss_status {
    let ws = connection!(connection);
    // SAFETY: the fields are as documented.
    let response = unsafe { response(status, fields, fields_len, std::ptr::null(), 0) };
    let begun = response.and_then(|response| {
        let total = (total != SS_NEVER).then_some(total);
        ws.core.begin_response(response, total).map_err(Into::into)
    });
    ws.did(begun)
}

/// Queues the next piece of that body.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_write_response(
    connection: *mut ss_connection,
    piece: *const u8,
    len: usize,
) -> ss_status {
    let ws = connection!(connection);
    // SAFETY: `piece` points to `len` bytes.
    let written = ws.core.write_response(unsafe { bytes(piece, len) });
    ws.did(written)
}

/// Ends that body.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_end_response(connection: *mut ss_connection) -> ss_status {
    let ws = connection!(connection);
    let ended = ws.core.end_response();
    ws.did(ended)
}
