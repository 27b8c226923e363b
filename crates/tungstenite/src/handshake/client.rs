//! The client's part: a request out, and the response judged.

use std::io::{Read, Write};
use std::marker::PhantomData;

use http::header::{
    CONNECTION, HOST, HeaderName, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, Method, StatusCode, Version};
use httparse::Status;

use super::headers::{MAX_HEADERS, fields};
use super::machine::{HandshakeMachine, StageResult, TryParse};
use super::{HandshakeRole, MidHandshake, ProcessingResult, derive_accept_key, has_token};
use crate::error::{Error, ProtocolError, Result, SubProtocolError, UrlError};
use crate::protocol::{Role, WebSocket, WebSocketConfig};

/// A client's request.
pub type Request = http::Request<()>;

/// A server's response: its body is what came after the head, where it is none of 101.
pub type Response = http::Response<Option<Vec<u8>>>;

/// A client's part of the handshake.
#[derive(Debug)]
pub struct ClientHandshake<S> {
    accept: String,
    subprotocols: Option<Vec<String>>,
    /// The request had extensions of the application's own: so is the judgement.
    own_extensions: bool,
    config: Option<WebSocketConfig>,
    stream: PhantomData<S>,
}

impl<S: Read + Write> ClientHandshake<S> {
    /// Begins a handshake: nothing is written yet. Where `config` asks for compression and `request` has no
    /// extensions of its own, it is offered.
    ///
    /// # Errors
    /// [`ProtocolError::WrongHttpMethod`], [`ProtocolError::WrongHttpVersion`],
    /// [`UrlError::UnsupportedUrlScheme`], and those of [`generate_request`].
    pub fn start(
        stream: S,
        mut request: Request,
        config: Option<WebSocketConfig>,
    ) -> Result<MidHandshake<Self>> {
        if request.method() != Method::GET {
            return Err(ProtocolError::WrongHttpMethod.into());
        }
        if request.version() < Version::HTTP_11 {
            return Err(ProtocolError::WrongHttpVersion.into());
        }
        crate::client::uri_mode(request.uri())?;
        let subprotocols = offered_subprotocols(request.headers())?;
        let own_extensions = request.headers().contains_key(SEC_WEBSOCKET_EXTENSIONS);
        if let (false, Some(offer)) = (own_extensions, config.and_then(|config| config.offer())) {
            let fields = request.headers_mut();
            fields.insert(SEC_WEBSOCKET_EXTENSIONS, offer.parse()?);
        }
        let (head, key) = generate_request(request)?;
        let role = Self {
            accept: derive_accept_key(key.as_bytes()),
            subprotocols,
            own_extensions,
            config,
            stream: PhantomData,
        };
        let machine = HandshakeMachine::start_write(stream, head);
        Ok(MidHandshake { role, machine })
    }
}

impl<S: Read + Write> HandshakeRole for ClientHandshake<S> {
    type IncomingData = Response;
    type InternalStream = S;
    type FinalResult = (WebSocket<S>, Response);

    fn stage_finished(
        &mut self,
        finish: StageResult<Response, S>,
    ) -> Result<ProcessingResult<S, Self::FinalResult>> {
        let (stream, mut response, tail) = match finish {
            StageResult::DoneWriting(stream) => {
                let machine = HandshakeMachine::start_read(stream);
                return Ok(ProcessingResult::Continue(machine));
            }
            StageResult::DoneReading {
                stream,
                result,
                tail,
            } => (stream, result, tail),
        };
        // RFC 6455 §4.1: another status is handled as HTTP has it, whatever else is wrong.
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            *response.body_mut() = Some(tail);
            return Err(Error::Http(response.into()));
        }
        self.judge(&response)?;
        let extension = self.agreed_extension(response.headers())?;
        let socket = WebSocket::agreed(stream, tail, Role::Client, self.config, extension);
        Ok(ProcessingResult::Done((socket, response)))
    }
}

impl<S> ClientHandshake<S> {
    /// RFC 6455 §4.1, the rules for a 101.
    fn judge(&self, response: &Response) -> Result<(), ProtocolError> {
        if response.version() < Version::HTTP_11 {
            return Err(ProtocolError::WrongHttpVersion);
        }
        let fields = response.headers();
        if !has_token(fields, UPGRADE, "websocket") {
            return Err(ProtocolError::MissingUpgradeWebSocketHeader);
        }
        if !has_token(fields, CONNECTION, "upgrade") {
            return Err(ProtocolError::MissingConnectionUpgradeHeader);
        }
        let accept = fields.get(SEC_WEBSOCKET_ACCEPT);
        if accept.is_none_or(|accept| *accept != self.accept) {
            return Err(ProtocolError::SecWebSocketAcceptKeyMismatch);
        }
        let chosen = fields.get(SEC_WEBSOCKET_PROTOCOL);
        let wrong = match (&self.subprotocols, chosen) {
            (None, None) => return Ok(()),
            (None, Some(_)) => SubProtocolError::ServerSentSubProtocolNoneRequested,
            (Some(_), None) => SubProtocolError::NoSubProtocol,
            (Some(offered), Some(chosen)) => {
                if offered.iter().any(|offered| chosen == offered.as_str()) {
                    return Ok(());
                }
                SubProtocolError::InvalidSubProtocol
            }
        };
        Err(ProtocolError::SecWebSocketSubProtocolError(wrong))
    }

    /// RFC 6455 §4.1: an extension that was not offered fails the connection.
    fn agreed_extension(&self, fields: &HeaderMap) -> Result<Option<String>, ProtocolError> {
        let mut answers = fields.get_all(SEC_WEBSOCKET_EXTENSIONS).iter();
        let (false, Some(answer)) = (self.own_extensions, answers.next()) else {
            return Ok(None);
        };
        let agreed = self.config.and_then(|config| config.agreed(answer));
        match (agreed, answers.next()) {
            (Some(agreed), None) => Ok(Some(agreed)),
            _ => Err(ProtocolError::InvalidHeader(
                SEC_WEBSOCKET_EXTENSIONS.into(),
            )),
        }
    }
}

fn offered_subprotocols(fields: &HeaderMap) -> Result<Option<Vec<String>>> {
    let Some(offered) = fields.get(SEC_WEBSOCKET_PROTOCOL) else {
        return Ok(None);
    };
    let offered = offered.to_str()?.split(',');
    Ok(Some(offered.map(|name| name.trim().to_owned()).collect()))
}

/// The bytes of a request, and its key. `Host`, `Connection`, `Upgrade`, `Sec-WebSocket-Version` and
/// `Sec-WebSocket-Key` have to be there; of several the first is sent.
///
/// # Errors
/// [`ProtocolError::InvalidHeader`] for one that is not; [`UrlError::NoPathOrQuery`],
/// [`ProtocolError::WrongHttpVersion`], and [`Error::Utf8`] for one of the five that is no text.
pub fn generate_request(mut request: Request) -> Result<(Vec<u8>, String)> {
    let target = request
        .uri()
        .path_and_query()
        .ok_or(UrlError::NoPathOrQuery)?;
    let version = super::version_text(request.version())?;
    let mut head = format!("GET {target} {version}\r\n").into_bytes();
    let mut key = String::new();
    for (name, shown) in REQUIRED {
        let Some(value) = request.headers_mut().remove(&name) else {
            return Err(ProtocolError::InvalidHeader(name.into()).into());
        };
        key = value.to_str()?.to_owned(); // the last one is the key
        write!(head, "{shown}: {key}\r\n")?;
    }
    for (name, value) in request.headers() {
        // For servers that look for these in the case of the RFC.
        let shown = match name {
            name if name == SEC_WEBSOCKET_PROTOCOL => "Sec-WebSocket-Protocol",
            name if name == SEC_WEBSOCKET_EXTENSIONS => "Sec-WebSocket-Extensions",
            name if name == ORIGIN => "Origin",
            name => name.as_str(),
        };
        for part in [shown.as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.extend_from_slice(part);
        }
    }
    head.extend_from_slice(b"\r\n");
    Ok((head, key))
}

/// The key is the last.
const REQUIRED: [(HeaderName, &str); 5] = [
    (HOST, "Host"),
    (CONNECTION, "Connection"),
    (UPGRADE, "Upgrade"),
    (SEC_WEBSOCKET_VERSION, "Sec-WebSocket-Version"),
    (SEC_WEBSOCKET_KEY, "Sec-WebSocket-Key"),
];

/// A fresh value for `Sec-WebSocket-Key` (RFC 6455 §4.1).
///
/// # Panics
/// If the operating system gives no randomness.
pub fn generate_key() -> String {
    #[allow(
        clippy::expect_used,
        reason = "the signature is tungstenite's, and a nonce that can be guessed proves nothing"
    )]
    let nonce = crate::masks::random().expect("the operating system gives no randomness");
    let key = sansocket::handshake::accept_key::key_text(&nonce);
    key.map(char::from).iter().collect()
}

impl TryParse for Response {
    fn try_parse(data: &[u8]) -> Result<Option<(usize, Self)>> {
        let mut room = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut raw = httparse::Response::new(&mut room);
        let Status::Complete(len) = raw.parse(data)? else {
            return Ok(None);
        };
        let mut response = Self::new(None);
        *response.status_mut() = StatusCode::from_u16(raw.code.unwrap_or_default())?;
        *response.version_mut() = match raw.version {
            Some(1) => Version::HTTP_11,
            _ => Version::HTTP_10,
        };
        *response.headers_mut() = fields(raw.headers)?;
        Ok(Some((len, response)))
    }
}
