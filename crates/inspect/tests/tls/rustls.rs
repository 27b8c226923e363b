//! Both ends of a session, and the records between them.

use std::sync::{Arc, Mutex};

use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{self, kx_group};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection,
    SupportedCipherSuite, SupportedProtocolVersion,
};
use sansocket_tcp_streams::Sender::{self, Client, Server};

/// What one end has given to TCP at once.
pub(crate) struct Record {
    pub(crate) from: Sender,
    pub(crate) bytes: Vec<u8>,
    /// Not of the handshake.
    pub(crate) application: bool,
}

#[derive(Debug, Default)]
struct Lines(Mutex<String>);

impl rustls::KeyLog for Lines {
    fn log(&self, label: &str, random: &[u8], secret: &[u8]) {
        let hex =
            |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
        *self.0.lock().unwrap() += &format!("{label} {} {}\n", hex(random), hex(secret));
    }
}

pub(crate) struct Ends {
    pub(crate) client: ClientConnection,
    pub(crate) server: ServerConnection,
    pub(crate) records: Vec<Record>,
    /// By the client and the server.
    pub(crate) sent: [Vec<u8>; 2],
    lines: Arc<Lines>,
    count: u64,
}

/// Numbers that look as if by chance, the same each time (SplitMix64).
pub(crate) fn random(n: u64) -> u64 {
    let mut z = n
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(0x1234_5678);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The suites of a version, for a certificate with ECDSA.
pub(crate) fn suites(version: &SupportedProtocolVersion) -> Vec<CipherSuite> {
    let all = ring::ALL_CIPHER_SUITES.iter();
    all.filter(|suite| suite.version() == version)
        .map(SupportedCipherSuite::suite)
        .filter(|suite| !format!("{suite:?}").contains("RSA"))
        .collect()
}

fn provider(suite: Option<CipherSuite>) -> CryptoProvider {
    let mut provider = ring::default_provider();
    if let Some(suite) = suite {
        provider.cipher_suites.retain(|it| it.suite() == suite);
    }
    provider
}

struct Configs {
    client: ClientConfig,
    server: ServerConfig,
    lines: Arc<Lines>,
}

impl Configs {
    fn new(
        version: &'static SupportedProtocolVersion,
        client: CryptoProvider,
        server: CryptoProvider,
    ) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let certificate = made.cert.der().clone();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates([certificate.clone()]);
        let lines = Arc::new(Lines::default());
        let server = ServerConfig::builder_with_provider(Arc::new(server))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let mut client = ClientConfig::builder_with_provider(Arc::new(client))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.key_log = Arc::clone(&lines) as _;
        Self {
            client,
            server,
            lines,
        }
    }

    fn ends(&self) -> Ends {
        let name = ServerName::try_from("localhost").unwrap();
        Ends {
            client: ClientConnection::new(Arc::new(self.client.clone()), name).unwrap(),
            server: ServerConnection::new(Arc::new(self.server.clone())).unwrap(),
            records: Vec::new(),
            sent: Default::default(),
            lines: Arc::clone(&self.lines),
            count: 0,
        }
    }
}

impl Ends {
    /// After their handshake.
    pub(crate) fn new(
        version: &'static SupportedProtocolVersion,
        suite: Option<CipherSuite>,
    ) -> Self {
        let mut ends = Configs::new(version, provider(suite), provider(suite)).ends();
        ends.pump();
        ends
    }

    /// The client first offers a group that the server does not take.
    pub(crate) fn that_retry() -> Self {
        let (mut client, mut server) = (provider(None), provider(None));
        client.kx_groups = vec![kx_group::SECP384R1, kx_group::X25519];
        server.kx_groups = vec![kx_group::X25519];
        let mut ends = Configs::new(&rustls::version::TLS13, client, server).ends();
        ends.pump();
        ends
    }

    /// The client sends this before the server's answer.
    pub(crate) fn early(accepted: bool, data: &[u8]) -> Self {
        let mut configs = Configs::new(&rustls::version::TLS13, provider(None), provider(None));
        configs.client.enable_early_data = true;
        configs.server.max_early_data_size = 1000;
        let mut first = configs.ends();
        first.pump();
        first.talk(2, 10);
        if !accepted {
            configs.server.max_early_data_size = 0;
        }
        let mut ends = configs.ends();
        std::io::Write::write_all(&mut ends.client.early_data().unwrap(), data).unwrap();
        ends.pump();
        assert_eq!(ends.client.is_early_data_accepted(), accepted);
        if accepted {
            let mut early = Vec::new();
            let mut reader = ends.server.early_data().unwrap();
            std::io::Read::read_to_end(&mut reader, &mut early).unwrap();
            assert_eq!(early, data);
            ends.sent[0].extend(data);
        }
        ends
    }

    /// As it was logged.
    pub(crate) fn keys(&self) -> String {
        self.lines.0.lock().unwrap().clone()
    }

    /// The ends take turns, by chance.
    pub(crate) fn talk(&mut self, times: u64, most: u64) {
        for _ in 0..times {
            for from in [Client, Server] {
                self.count += 1;
                let length = random(self.count) % most + 1;
                let bytes: Vec<u8> = (0..length)
                    .map(|n| random(self.count << 32 | n) as u8)
                    .collect();
                self.send(from, &bytes);
            }
        }
    }

    pub(crate) fn send(&mut self, from: Sender, bytes: &[u8]) {
        use std::io::Write;
        match from {
            Client => self.client.writer().write_all(bytes).unwrap(),
            Server => self.server.writer().write_all(bytes).unwrap(),
        }
        self.sent[usize::from(from == Server)].extend(bytes);
        self.pump();
    }

    pub(crate) fn close(&mut self) {
        self.client.send_close_notify();
        self.pump();
        self.server.send_close_notify();
        self.pump();
    }

    /// Carries what each has to say to the other.
    fn pump(&mut self) {
        use std::io::Read;
        loop {
            let application = !self.client.is_handshaking() && !self.server.is_handshaking();
            let mut moved = false;
            for from in [Client, Server] {
                let mut bytes = Vec::new();
                match from {
                    Client => {
                        while self.client.wants_write() {
                            self.client.write_tls(&mut bytes).unwrap();
                        }
                    }
                    Server => {
                        while self.server.wants_write() {
                            self.server.write_tls(&mut bytes).unwrap();
                        }
                    }
                }
                if bytes.is_empty() {
                    continue;
                }
                moved = true;
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    match from {
                        Client => {
                            self.server.read_tls(&mut rest).unwrap();
                            self.server.process_new_packets().unwrap();
                            let _ = self.server.reader().read_to_end(&mut Vec::new());
                        }
                        Server => {
                            self.client.read_tls(&mut rest).unwrap();
                            self.client.process_new_packets().unwrap();
                            let _ = self.client.reader().read_to_end(&mut Vec::new());
                        }
                    }
                }
                self.records.push(Record {
                    from,
                    bytes,
                    application,
                });
            }
            if !moved {
                return;
            }
        }
    }
}
