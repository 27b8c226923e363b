//! From a URL, or a stream, to a client's connection.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};

use http::header::{
    AUTHORIZATION, CONNECTION, COOKIE, HOST, HeaderName, HeaderValue, LOCATION,
    PROXY_AUTHORIZATION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::uri::{Scheme, Uri};

use crate::error::{Error, Result, UrlError};
use crate::handshake::HandshakeError;
use crate::handshake::client::{ClientHandshake, Request, Response, generate_key};
use crate::protocol::{WebSocket, WebSocketConfig};
use crate::stream::{MaybeTlsStream, Mode, NoDelay};
use crate::tls::client_tls_with_config;

/// Connects to a ws or wss URL, which needs a feature for TLS, and waits for the connection. Three redirections
/// are followed.
///
/// ```no_run
/// let (mut socket, response) = tungstenite::connect("ws://localhost:3012/socket")?;
/// println!("{}", response.status());
/// socket.send("Hello".into())?;
/// # Ok::<(), tungstenite::Error>(())
/// ```
///
/// # Errors
/// As [`connect_with_config`].
pub fn connect<Req: IntoClientRequest>(
    request: Req,
) -> Result<(WebSocket<MaybeTlsStream<TcpStream>>, Response)> {
    connect_with_config(request, None, 3)
}

/// [`connect`] with a configuration and a number of redirections to follow. To another origin goes no `Authorization`,
/// `Cookie` or `Proxy-Authorization`, not on the way back either; all other fields do. None leads from wss to ws.
///
/// # Errors
/// [`Error::Url`] for a URL that is of no use or leads nowhere, [`Error::Http`] where the server answers with
/// something else than a connection, and those of the stream and of the handshake.
pub fn connect_with_config<Req: IntoClientRequest>(
    request: Req,
    config: Option<WebSocketConfig>,
    max_redirects: u8,
) -> Result<(WebSocket<MaybeTlsStream<TcpStream>>, Response)> {
    let mut request = request.into_client_request()?;
    let mut left = max_redirects;
    loop {
        match connect_once(request.clone(), config) {
            Err(Error::Http(response)) if response.status().is_redirection() && left > 0 => {
                left -= 1;
                match redirected(request, &response)? {
                    Some(next) => request = next,
                    None => return Err(Error::Http(response)),
                }
            }
            done => return done,
        }
    }
}

fn connect_once(
    request: Request,
    config: Option<WebSocketConfig>,
) -> Result<(WebSocket<MaybeTlsStream<TcpStream>>, Response)> {
    let mut stream = dial(request.uri())?;
    NoDelay::set_nodelay(&mut stream, true)?;
    client_tls_with_config(request, stream, config, None).map_err(|error| match error {
        HandshakeError::Failure(error) => error,
        HandshakeError::Interrupted(_) => {
            // A socket that blocks, unless it has a timeout of somebody's.
            std::io::Error::from(std::io::ErrorKind::WouldBlock).into()
        }
    })
}

/// TCP to the first address that answers.
fn dial(uri: &Uri) -> Result<TcpStream> {
    let (mode, default_port) = match uri_mode(uri)? {
        Mode::Plain => (Mode::Plain, 80),
        Mode::Tls => (Mode::Tls, 443),
    };
    if matches!(mode, Mode::Tls) && cfg!(not(any(feature = "native-tls", feature = "__rustls-tls")))
    {
        return Err(UrlError::TlsFeatureNotEnabled.into());
    }
    let port = uri.port_u16().unwrap_or(default_port);
    let mut addresses = (host(uri)?, port).to_socket_addrs()?;
    let stream = addresses.find_map(|address| TcpStream::connect(address).ok());
    Ok(stream.ok_or_else(|| UrlError::UnableToConnect(uri.to_string()))?)
}

/// An address of IPv6 without its brackets, as resolvers and certificates have it.
#[doc(hidden)]
pub fn host(uri: &Uri) -> Result<&str> {
    let host = uri.host().ok_or(UrlError::NoHostName)?;
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    Ok(inner.unwrap_or(host))
}

/// What is not sent to another origin than the one that it was meant for.
const SECRETS: [HeaderName; 3] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION];

/// The request for the place that a redirection names (RFC 9110 §15.4); `None` where it leads nowhere, or out of TLS.
fn redirected(mut request: Request, response: &Response) -> Result<Option<Request>> {
    let Some(location) = response.headers().get(LOCATION) else {
        return Ok(None);
    };
    let before = request.uri().clone();
    let uri = resolved(&before, location.to_str()?)?;
    if let (Mode::Tls, Mode::Plain) = (uri_mode(&before)?, uri_mode(&uri)?) {
        return Ok(None);
    }
    let fresh = uri.clone().into_client_request()?;
    let (fields, fresh) = (request.headers_mut(), fresh.headers());
    fields.insert(SEC_WEBSOCKET_KEY, fresh[SEC_WEBSOCKET_KEY].clone());
    if (before.scheme(), before.authority()) != (uri.scheme(), uri.authority()) {
        fields.insert(HOST, fresh[HOST].clone());
        for secret in SECRETS {
            fields.remove(secret);
        }
    }
    *request.uri_mut() = uri;
    Ok(Some(request))
}

/// A reference as it is meant there (RFC 3986 §5.2); http stands for ws. Dots in a path are left to the server.
fn resolved(base: &Uri, location: &str) -> Result<Uri> {
    let scheme = base.scheme_str().unwrap_or_default();
    let authority = base.authority().map_or("", |authority| authority.as_str());
    let (path, folder) = (base.path(), base.path().rfind('/').map_or(0, |at| at + 1));
    let delimiter = location.find([':', '/', '?', '#']);
    let missing = match location.as_bytes() {
        [b'/', b'/', ..] => format!("{scheme}:"),
        [b'/', ..] => format!("{scheme}://{authority}"),
        [] | [b'?' | b'#', ..] => format!("{scheme}://{authority}{path}"),
        _ if delimiter.is_some_and(|at| location[at..].starts_with(':')) => String::new(),
        _ => format!("{scheme}://{authority}{}", &path[..folder]),
    };
    let mut parts = (missing + location).parse::<Uri>()?.into_parts();
    parts.scheme = match parts.scheme.as_ref().map(Scheme::as_str) {
        Some("http") => Some("ws".parse()?),
        Some("https") => Some("wss".parse()?),
        _ => parts.scheme,
    };
    Ok(Uri::from_parts(parts).map_err(http::Error::from)?)
}

/// Whether a URL asks for TLS.
///
/// # Errors
/// [`UrlError::UnsupportedUrlScheme`].
pub fn uri_mode(uri: &Uri) -> Result<Mode> {
    match uri.scheme_str() {
        Some("ws") => Ok(Mode::Plain),
        Some("wss") => Ok(Mode::Tls),
        _ => Err(UrlError::UnsupportedUrlScheme.into()),
    }
}

/// Does the opening handshake over a stream that leads to the server.
///
/// # Errors
/// [`HandshakeError::Interrupted`] where the stream would block, and [`HandshakeError::Failure`].
pub fn client<Stream, Req>(
    request: Req,
    stream: Stream,
) -> Result<(WebSocket<Stream>, Response), HandshakeError<ClientHandshake<Stream>>>
where
    Stream: Read + Write,
    Req: IntoClientRequest,
{
    client_with_config(request, stream, None)
}

/// [`client`] with a configuration.
pub fn client_with_config<Stream, Req>(
    request: Req,
    stream: Stream,
    config: Option<WebSocketConfig>,
) -> Result<(WebSocket<Stream>, Response), HandshakeError<ClientHandshake<Stream>>>
where
    Stream: Read + Write,
    Req: IntoClientRequest,
{
    ClientHandshake::start(stream, request.into_client_request()?, config)?.handshake()
}

/// What becomes the request of an opening handshake: a URL in any form, or a request as it is.
pub trait IntoClientRequest {
    /// The request.
    ///
    /// # Errors
    /// [`Error::HttpFormat`] for what is no URL, [`Error::Url`] for one of no use.
    fn into_client_request(self) -> Result<Request>;
}

/// As it is: all fields have to be there.
impl IntoClientRequest for Request {
    fn into_client_request(self) -> Result<Request> {
        Ok(self)
    }
}

impl IntoClientRequest for Uri {
    fn into_client_request(self) -> Result<Request> {
        let authority = self.authority().ok_or(UrlError::NoHostName)?.as_str();
        // Without the user and the password.
        let host = authority
            .rsplit_once('@')
            .map_or(authority, |(_, host)| host);
        if host.is_empty() {
            return Err(UrlError::EmptyHostName.into());
        }
        let mut request = Request::new(());
        let fields = request.headers_mut();
        fields.insert(HOST, host.parse()?);
        fields.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        fields.insert(UPGRADE, HeaderValue::from_static("websocket"));
        fields.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        fields.insert(SEC_WEBSOCKET_KEY, generate_key().parse()?);
        *request.uri_mut() = self;
        Ok(request)
    }
}

/// By way of another form.
macro_rules! forms {
    ($($(#[$cfg:meta])* $form:ty, |$url:ident| $other:expr;)*) => {$(
        $(#[$cfg])*
        impl IntoClientRequest for $form {
            fn into_client_request(self) -> Result<Request> {
                let $url = self;
                $other.into_client_request()
            }
        }
    )*};
}

forms! {
    &str, |url| url.parse::<Uri>()?;
    &String, |url| url.as_str();
    String, |url| url.as_str();
    &Uri, |url| url.clone();
    #[cfg(feature = "url")]
    &url::Url, |url| url.as_str();
    #[cfg(feature = "url")]
    url::Url, |url| url.as_str();
    httparse::Request<'_, '_>, |raw| crate::handshake::server::request(&raw)?;
}

/// A URL with fields and subprotocols for its request.
///
/// ```
/// use tungstenite::{ClientRequestBuilder, client::IntoClientRequest};
/// let url = "ws://localhost:3012/socket".parse().unwrap();
/// let request = ClientRequestBuilder::new(url)
///     .with_header("Authorization", "Bearer secret")
///     .with_sub_protocol("chat");
/// assert_eq!(request.into_client_request()?.headers()["sec-websocket-protocol"], "chat");
/// # Ok::<(), tungstenite::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ClientRequestBuilder {
    uri: Uri,
    fields: Vec<(String, String)>,
    subprotocols: Vec<String>,
}

impl ClientRequestBuilder {
    /// The URL alone.
    pub const fn new(uri: Uri) -> Self {
        Self {
            uri,
            fields: Vec::new(),
            subprotocols: Vec::new(),
        }
    }

    /// Adds a field.
    pub fn with_header<K: Into<String>, V: Into<String>>(mut self, key: K, value: V) -> Self {
        self.fields.push((key.into(), value.into()));
        self
    }

    /// Offers a subprotocol, after those before (RFC 6455 §1.9).
    pub fn with_sub_protocol<P: Into<String>>(mut self, protocol: P) -> Self {
        self.subprotocols.push(protocol.into());
        self
    }
}

impl IntoClientRequest for ClientRequestBuilder {
    fn into_client_request(self) -> Result<Request> {
        let mut request = self.uri.into_client_request()?;
        let fields = request.headers_mut();
        for (name, value) in self.fields {
            fields.append(HeaderName::try_from(name)?, value.parse()?);
        }
        if !self.subprotocols.is_empty() {
            fields.append(
                SEC_WEBSOCKET_PROTOCOL,
                self.subprotocols.join(", ").parse()?,
            );
        }
        Ok(request)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// RFC 3986 §5.4.1, but for dots.
    #[test]
    fn where_redirections_lead() {
        let base = "wss://a:9/b/c?q".parse().unwrap();
        for (location, uri) in [
            ("https://h/x", "wss://h/x"),
            ("ws://h", "ws://h/"),
            ("//h/x", "wss://h/x"),
            ("/x?ws://h/", "wss://a:9/x?ws://h/"),
            ("x:y", "x:y"),
            ("x/y:z", "wss://a:9/b/x/y:z"),
            ("x", "wss://a:9/b/x"),
            ("?y", "wss://a:9/b/c?y"),
            ("#s", "wss://a:9/b/c"),
            ("", "wss://a:9/b/c"),
        ] {
            let resolved = resolved(&base, location).map(|uri| uri.to_string());
            assert_eq!(resolved.unwrap_or_default(), uri, "{location}");
        }
        let led = |from: &str, to: &str| {
            let mut response = Response::new(None);
            response.headers_mut().insert(LOCATION, to.parse().unwrap());
            redirected(from.into_client_request().unwrap(), &response)
                .unwrap()
                .is_some()
        };
        assert!(led("wss://a/", "https://h/") && led("ws://a/", "/") && led("ws://a/", "wss://h/"));
        assert!(!led("wss://a/", "http://a/") && !led("wss://a/", "ws://a/"));
    }
}
