//! Opening handshakes of another HTTP stack, with the types of the `http` crate.

use alloc::string::ToString;
use alloc::vec::Vec;

use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};

use crate::config::ServerConfig;
use crate::error::HandshakeError;

use super::extended_connect;
use super::foreign::{ForeignResponse, Upgrade};
use super::head::HttpVersion;

impl Upgrade {
    /// Checks a request that hyper, or another stack with the types of the `http` crate, has parsed.
    /// For HTTP/2 and HTTP/3 see [`check_http_extended`](Self::check_http_extended).
    ///
    /// ```
    /// use sansocket::{Accept, OriginPolicy, ServerConfig, handshake::Upgrade};
    /// let request = http::Request::get("/ws")
    ///     .header("Host", "example.com")
    ///     .header("Upgrade", "websocket")
    ///     .header("Connection", "Upgrade")
    ///     .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
    ///     .header("Sec-WebSocket-Version", "13")
    ///     .body(())
    ///     .unwrap();
    /// let config = ServerConfig::new(OriginPolicy::SameHost);
    /// let upgrade = Upgrade::check_http(&config, &request).unwrap();
    /// let (response, ws) = upgrade.accept(Accept::new()).unwrap();
    /// assert_eq!(response.into_http().status(), 101);
    /// # let _ = ws;
    /// ```
    ///
    /// # Errors
    /// The rule that is broken, as in [`check`](Self::check).
    pub fn check_http<B>(
        config: &ServerConfig,
        request: &Request<B>,
    ) -> Result<Self, HandshakeError> {
        let version = match request.version() {
            Version::HTTP_11 => HttpVersion::Http11,
            Version::HTTP_09 | Version::HTTP_10 => HttpVersion::Http10,
            _ => return Err(HandshakeError::HttpVersion),
        };
        let target = request.uri().to_string();
        let fields = fields(request);
        let method = request.method().as_str();
        Self::check(config, method, &target, version, fields.iter().copied())
    }

    /// Checks a request of HTTP/2 or HTTP/3, where the value of `:protocol` is told apart from the
    /// request (RFC 8441 §4), as hyper does with an extension.
    ///
    /// # Errors
    /// The rule that is broken, as in [`extended_connect::check`].
    pub fn check_http_extended<B>(
        config: &ServerConfig,
        request: &Request<B>,
        protocol: Option<&str>,
    ) -> Result<Self, HandshakeError> {
        if request.method() != Method::CONNECT {
            return Err(HandshakeError::NotAnUpgrade);
        }
        let uri = request.uri();
        let parts = [
            (":method", Some("CONNECT")),
            (":protocol", protocol),
            (":scheme", uri.scheme_str()),
            (":path", uri.path_and_query().map(|path| path.as_str())),
            (
                ":authority",
                uri.authority().map(|authority| authority.as_str()),
            ),
        ];
        let parts = parts.into_iter();
        let pseudo = parts.filter_map(|(name, value)| Some((name, value?.as_bytes())));
        let fields: Vec<_> = pseudo.chain(fields(request)).collect();
        extended_connect::check(config, fields.iter().copied())
    }
}

impl ForeignResponse {
    /// The response in the types of the `http` crate.
    #[must_use]
    pub fn into_http(self) -> Response<Vec<u8>> {
        let mut response = Response::new(self.body);
        // Status, names and values were checked, so none of them is out of range.
        if let Ok(status) = StatusCode::from_u16(self.status) {
            *response.status_mut() = status;
        }
        for (name, value) in self.fields {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(&value)) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}

fn fields<B>(request: &Request<B>) -> Vec<(&str, &[u8])> {
    let fields = request.headers().iter();
    fields
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use http::Uri;

    use crate::error::Field;

    use super::super::accept::Accept;
    use super::super::foreign::tests::{SAMPLE, any_origin};
    use super::*;

    fn request(version: Version, uri: &'static str) -> Request<()> {
        let mut request = Request::new(());
        *request.version_mut() = version;
        *request.uri_mut() = Uri::from_static(uri);
        for (name, value) in SAMPLE {
            let value = HeaderValue::from_static(core::str::from_utf8(value).unwrap());
            request.headers_mut().append(name, value);
        }
        request
    }

    #[test]
    fn http_1() {
        for uri in ["/chat?a", "http://server.example.com/chat"] {
            let upgrade =
                Upgrade::check_http(&any_origin(), &request(Version::HTTP_11, uri)).unwrap();
            let (response, _) = upgrade
                .negotiate(Accept::new().subprotocol("chat"))
                .unwrap();
            let response = response.into_http();
            assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
            let fields = response.headers();
            assert_eq!(
                fields["sec-websocket-accept"],
                "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
            );
            assert_eq!(fields["upgrade"], "websocket");
            assert_eq!(fields["connection"], "Upgrade");
            assert_eq!(fields["sec-websocket-protocol"], "chat");
            assert!(response.body().is_empty());
        }
        for (version, error) in [
            (Version::HTTP_10, HandshakeError::Http10),
            (Version::HTTP_2, HandshakeError::HttpVersion),
        ] {
            let result = Upgrade::check_http(&any_origin(), &request(version, "/"));
            assert_eq!(result.unwrap_err(), error);
        }
        let response = ForeignResponse::refusal(HandshakeError::Version).into_http();
        assert_eq!(response.status(), StatusCode::UPGRADE_REQUIRED);
        assert_eq!(response.headers()["sec-websocket-version"], "13");
        assert!(!response.body().is_empty());
    }

    #[test]
    fn http_2() {
        let mut request = request(Version::HTTP_2, "https://server.example.com/chat");
        *request.method_mut() = Method::CONNECT;
        let check = |request: &Request<()>, protocol| {
            Upgrade::check_http_extended(&any_origin(), request, protocol)
        };
        let result = check(&request, Some("websocket"));
        assert_eq!(result.unwrap_err(), HandshakeError::Invalid(Field::Upgrade));
        request.headers_mut().remove("connection");
        request.headers_mut().remove("upgrade");
        let upgrade = check(&request, Some("websocket")).unwrap();
        let (response, _) = upgrade.negotiate(Accept::new()).unwrap();
        assert_eq!(response.into_http().status(), StatusCode::OK);
        let result = check(&request, Some("foo"));
        assert_eq!(result.unwrap_err(), HandshakeError::UnknownProtocol);
        assert_eq!(
            check(&request, None).unwrap_err(),
            HandshakeError::NotAnUpgrade
        );
        *request.method_mut() = Method::GET;
        let result = check(&request, Some("websocket"));
        assert_eq!(result.unwrap_err(), HandshakeError::NotAnUpgrade);
    }
}
