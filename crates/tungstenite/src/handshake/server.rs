//! The server's part: a request judged, and the response out.

use std::io::{Read, Write};
use std::marker::PhantomData;

use http::header::{
    ALLOW, CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Method, StatusCode, Version};
use httparse::Status;
use sansocket::handshake::accept_key::is_key;

use super::headers::{MAX_HEADERS, fields};
use super::machine::{HandshakeMachine, StageResult, TryParse};
use super::{HandshakeRole, MidHandshake, ProcessingResult, derive_accept_key, has_token};
use crate::error::{Error, ProtocolError, Result};
use crate::protocol::{Role, WebSocket, WebSocketConfig};

/// A client's request.
pub type Request = http::Request<()>;

/// The response that lets a client in.
pub type Response = http::Response<()>;

/// The response that does not.
pub type ErrorResponse = http::Response<Option<String>>;

/// Looks at a request before it is answered.
pub trait Callback: Sized {
    /// Gets the valid request, and the response that would be sent: `Ok` sends one like it, with fields that
    /// were added, and `Err` refuses the client.
    ///
    /// # Errors
    /// What the client gets instead. A status of success is refused
    /// ([`ProtocolError::CustomResponseSuccessful`]).
    fn on_request(self, request: &Request, response: Response) -> Result<Response, ErrorResponse>;
}

impl<F> Callback for F
where
    F: FnOnce(&Request, Response) -> Result<Response, ErrorResponse>,
{
    fn on_request(self, request: &Request, response: Response) -> Result<Response, ErrorResponse> {
        self(request, response)
    }
}

/// Lets everybody in.
#[derive(Debug, Clone, Copy)]
pub struct NoCallback;

impl Callback for NoCallback {
    fn on_request(self, _: &Request, response: Response) -> Result<Response, ErrorResponse> {
        Ok(response)
    }
}

/// A server's part of the handshake.
#[derive(Debug)]
pub struct ServerHandshake<S, C> {
    callback: Option<C>,
    config: Option<WebSocketConfig>,
    /// The extension that the response agrees to.
    extension: Option<String>,
    /// Why the client was refused: told when it knows.
    refused: Option<Error>,
    stream: PhantomData<S>,
}

impl<S: Read + Write, C: Callback> ServerHandshake<S, C> {
    /// Begins a handshake: nothing is read yet. Where `config` asks for compression, it is agreed to if the
    /// client offers it.
    pub fn start(stream: S, callback: C, config: Option<WebSocketConfig>) -> MidHandshake<Self> {
        let role = Self {
            callback: Some(callback),
            config,
            extension: None,
            refused: None,
            stream: PhantomData,
        };
        let machine = HandshakeMachine::start_read(stream);
        MidHandshake { role, machine }
    }

    /// The response that lets the client in.
    fn answer(&mut self, request: &Request, tail: &[u8]) -> Result<Response, Refusal> {
        if !tail.is_empty() {
            return Err(ProtocolError::JunkAfterRequest.into());
        }
        let mut response = judge(request)?;
        let offers = request.headers().get_all(SEC_WEBSOCKET_EXTENSIONS);
        let agreed = self.config.and_then(|config| config.answer(offers));
        if let Some(value) = agreed.as_ref().and_then(|agreed| agreed.parse().ok()) {
            response
                .headers_mut()
                .append(SEC_WEBSOCKET_EXTENSIONS, value);
        }
        let response = match self.callback.take() {
            Some(callback) => callback.on_request(request, response)?,
            None => response,
        };
        // The application may have agreed to something else.
        let answers = response.headers().get_all(SEC_WEBSOCKET_EXTENSIONS);
        self.extension = agreed.filter(|agreed| answers.iter().eq([agreed.as_str()]));
        Ok(response)
    }
}

impl<S: Read + Write, C: Callback> HandshakeRole for ServerHandshake<S, C> {
    type IncomingData = Request;
    type InternalStream = S;
    type FinalResult = WebSocket<S>;

    fn stage_finished(
        &mut self,
        finish: StageResult<Request, S>,
    ) -> Result<ProcessingResult<S, WebSocket<S>>> {
        let (stream, request, tail) = match finish {
            StageResult::DoneReading {
                stream,
                result,
                tail,
            } => (stream, result, tail),
            StageResult::DoneWriting(stream) => {
                if let Some(refused) = self.refused.take() {
                    return Err(refused);
                }
                let extension = self.extension.take();
                let (role, config) = (Role::Server, self.config);
                let socket = WebSocket::agreed(stream, Vec::new(), role, config, extension);
                return Ok(ProcessingResult::Done(socket));
            }
        };
        let mut head = Vec::new();
        match self.answer(&request, &tail) {
            Ok(response) => write_response(&mut head, &response)?,
            Err(Refusal { response, error }) => {
                write_response(&mut head, &response)?;
                head.extend_from_slice(response.body().as_deref().unwrap_or_default().as_bytes());
                self.refused = Some(error);
            }
        }
        let machine = HandshakeMachine::start_write(stream, head);
        Ok(ProcessingResult::Continue(machine))
    }

    /// Why the client was refused says more than that it did not hear of it.
    fn failed(&mut self, error: Error) -> Error {
        self.refused.take().unwrap_or(error)
    }
}

/// A client is not let in: what it is told, and why.
struct Refusal {
    response: ErrorResponse,
    error: Error,
}

impl Refusal {
    fn new(status: StatusCode, field: Option<(HeaderName, &'static str)>, error: Error) -> Self {
        let body = match &error {
            Error::Protocol(rule) if status != StatusCode::INTERNAL_SERVER_ERROR => {
                format!("{rule}\n")
            }
            _ => String::new(),
        };
        let mut response = ErrorResponse::new(None);
        *response.status_mut() = status;
        let fields = response.headers_mut();
        fields.extend(field.map(|(name, value)| (name, HeaderValue::from_static(value))));
        fields.insert(CONNECTION, HeaderValue::from_static("close"));
        fields.insert(CONTENT_LENGTH, body.len().into());
        *response.body_mut() = Some(body);
        Self { response, error }
    }
}

/// RFC 9110 §15.5.6, §15.5.22, §15.6.6, RFC 6455 §4.2.2 (4).
impl From<ProtocolError> for Refusal {
    fn from(rule: ProtocolError) -> Self {
        let (status, field) = match rule {
            ProtocolError::WrongHttpMethod => {
                (StatusCode::METHOD_NOT_ALLOWED, Some((ALLOW, "GET")))
            }
            ProtocolError::WrongHttpVersion => (StatusCode::HTTP_VERSION_NOT_SUPPORTED, None),
            ProtocolError::MissingUpgradeWebSocketHeader => {
                (StatusCode::UPGRADE_REQUIRED, Some((UPGRADE, "websocket")))
            }
            ProtocolError::MissingSecWebSocketVersionHeader => (
                StatusCode::UPGRADE_REQUIRED,
                Some((SEC_WEBSOCKET_VERSION, "13")),
            ),
            _ => (StatusCode::BAD_REQUEST, None),
        };
        Self::new(status, field, rule.into())
    }
}

/// The callback's.
impl From<ErrorResponse> for Refusal {
    fn from(response: ErrorResponse) -> Self {
        if response.status().is_success() {
            let error = ProtocolError::CustomResponseSuccessful.into();
            return Self::new(StatusCode::INTERNAL_SERVER_ERROR, None, error);
        }
        let told = response.clone().map(|body| body.map(String::into_bytes));
        let error = Error::Http(told.into());
        Self { response, error }
    }
}

/// RFC 6455 §4.2.1.
fn judge<T>(request: &http::Request<T>) -> Result<Response, ProtocolError> {
    let fields = request.headers();
    if request.method() != Method::GET {
        return Err(ProtocolError::WrongHttpMethod);
    }
    if request.version() < Version::HTTP_11 {
        return Err(ProtocolError::WrongHttpVersion);
    }
    if !has_token(fields, CONNECTION, "upgrade") {
        return Err(ProtocolError::MissingConnectionUpgradeHeader);
    }
    if !has_token(fields, UPGRADE, "websocket") {
        return Err(ProtocolError::MissingUpgradeWebSocketHeader);
    }
    if fields
        .get(SEC_WEBSOCKET_VERSION)
        .is_none_or(|version| version != "13")
    {
        return Err(ProtocolError::MissingSecWebSocketVersionHeader);
    }
    let key = fields
        .get(SEC_WEBSOCKET_KEY)
        .ok_or(ProtocolError::MissingSecWebSocketKey)?;
    if !is_key(key.as_bytes()) {
        return Err(ProtocolError::InvalidSecWebSocketKey);
    }
    let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes()));
    let accept = accept.map_err(|_| ProtocolError::InvalidSecWebSocketKey)?;
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.version_mut() = request.version();
    let fields = response.headers_mut();
    fields.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    fields.insert(UPGRADE, HeaderValue::from_static("websocket"));
    fields.insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

/// The response that lets a client in, for those who read and write heads themselves.
///
/// # Errors
/// The rule of RFC 6455 §4.2.1 that the request breaks.
pub fn create_response(request: &Request) -> Result<Response> {
    create_response_with_body(request, || ())
}

/// The same with a body.
///
/// # Errors
/// As [`create_response`].
pub fn create_response_with_body<T1, T2>(
    request: &http::Request<T1>,
    generate_body: impl FnOnce() -> T2,
) -> Result<http::Response<T2>> {
    Ok(judge(request)?.map(|()| generate_body()))
}

/// Writes the head of a response.
///
/// # Errors
/// [`ProtocolError::WrongHttpVersion`] after HTTP/1.1, and those of `w`.
pub fn write_response<T>(mut w: impl Write, response: &http::Response<T>) -> Result<()> {
    let version = super::version_text(response.version())?;
    write!(w, "{version} {}\r\n", response.status())?;
    for (name, value) in response.headers() {
        write!(w, "{name}: ")?;
        w.write_all(value.as_bytes())?;
        w.write_all(b"\r\n")?;
    }
    Ok(w.write_all(b"\r\n")?)
}

impl TryParse for Request {
    fn try_parse(data: &[u8]) -> Result<Option<(usize, Self)>> {
        let mut room = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut raw = httparse::Request::new(&mut room);
        let Status::Complete(len) = raw.parse(data)? else {
            return Ok(None);
        };
        Ok(Some((len, request(&raw)?)))
    }
}

/// Nothing of it is judged.
pub(crate) fn request(raw: &httparse::Request<'_, '_>) -> Result<Request> {
    let mut request = Request::new(());
    let method = Method::from_bytes(raw.method.unwrap_or_default().as_bytes());
    *request.method_mut() = method.map_err(|_| ProtocolError::WrongHttpMethod)?;
    *request.version_mut() = match raw.version {
        Some(1) => Version::HTTP_11,
        _ => Version::HTTP_10,
    };
    *request.uri_mut() = raw.path.unwrap_or_default().parse()?;
    *request.headers_mut() = fields(raw.headers)?;
    Ok(request)
}
