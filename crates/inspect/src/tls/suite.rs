//! Cipher suites: the keys that come of a secret, and records that are opened with them.

use aes_gcm::{Aes128Gcm, Aes256Gcm};
use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::{AeadInOut, KeyInit, Tag};
use hkdf::Hkdf;
use hkdf::hmac::{Hmac, Mac};
use sha2::{Sha256, Sha384};

/// The bytes of a tag.
pub(super) const TAG: usize = 16;

/// The header of a record.
pub(super) const HEADER: usize = 5;

/// A cipher suite that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suite {
    cipher: Cipher,
    hash: Hash,
    /// Of TLS 1.3, which has others.
    tls13: bool,
    name: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cipher {
    Aes128,
    Aes256,
    ChaCha,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
}

/// What records of one end are opened with.
pub(super) struct Keys {
    suite: Suite,
    cipher: Opener,
    iv: [u8; 12],
    /// Of TLS 1.3: what the next key comes from.
    secret: Vec<u8>,
}

enum Opener {
    Aes128(Box<Aes128Gcm>),
    Aes256(Box<Aes256Gcm>),
    ChaCha(Box<ChaCha20Poly1305>),
}

impl Suite {
    /// The one of this number (RFC 8446 §B.4, RFC 5288, RFC 5289, RFC 7905).
    #[must_use]
    pub const fn of(number: u16) -> Option<Self> {
        use Cipher::{Aes128, Aes256, ChaCha};
        use Hash::{Sha256, Sha384};
        let (cipher, hash, tls13, name) = match number {
            0x1301 => (Aes128, Sha256, true, "TLS_AES_128_GCM_SHA256"),
            0x1302 => (Aes256, Sha384, true, "TLS_AES_256_GCM_SHA384"),
            0x1303 => (ChaCha, Sha256, true, "TLS_CHACHA20_POLY1305_SHA256"),
            0x009c => (Aes128, Sha256, false, "TLS_RSA_WITH_AES_128_GCM_SHA256"),
            0x009d => (Aes256, Sha384, false, "TLS_RSA_WITH_AES_256_GCM_SHA384"),
            0x009e => (Aes128, Sha256, false, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"),
            0x009f => (Aes256, Sha384, false, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384"),
            0xc02b => (
                Aes128,
                Sha256,
                false,
                "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            ),
            0xc02c => (
                Aes256,
                Sha384,
                false,
                "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            ),
            0xc02f => (
                Aes128,
                Sha256,
                false,
                "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            ),
            0xc030 => (
                Aes256,
                Sha384,
                false,
                "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            ),
            0xcca8 => (
                ChaCha,
                Sha256,
                false,
                "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
            ),
            0xcca9 => (
                ChaCha,
                Sha256,
                false,
                "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
            ),
            0xccaa => (
                ChaCha,
                Sha256,
                false,
                "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
            ),
            _ => return None,
        };
        Some(Self {
            cipher,
            hash,
            tls13,
            name,
        })
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Whether it is one of TLS 1.3.
    pub(super) const fn is_tls13(self) -> bool {
        self.tls13
    }

    const fn key(self) -> usize {
        match self.cipher {
            Cipher::Aes128 => 16,
            Cipher::Aes256 | Cipher::ChaCha => 32,
        }
    }

    /// What a record has in front of what is encrypted (RFC 5288 §3).
    const fn explicit(self) -> usize {
        if self.tls13 || matches!(self.cipher, Cipher::ChaCha) {
            0
        } else {
            8
        }
    }

    /// What a record has beside what the application gave it, without its header, if it is not padded.
    pub(super) const fn overhead(self) -> usize {
        self.explicit() + TAG + self.tls13 as usize
    }

    /// RFC 8446 §7.1, without a context.
    fn expand(self, secret: &[u8], label: &[u8], out: &mut [u8]) -> Option<()> {
        let mut info = u16::try_from(out.len()).ok()?.to_be_bytes().to_vec();
        info.push(u8::try_from(6 + label.len()).ok()?);
        info.extend(b"tls13 ");
        info.extend(label);
        info.push(0);
        match self.hash {
            Hash::Sha256 => Hkdf::<Sha256>::from_prk(secret).ok()?.expand(&info, out),
            Hash::Sha384 => Hkdf::<Sha384>::from_prk(secret).ok()?.expand(&info, out),
        }
        .ok()
    }

    /// RFC 5246 §5.
    fn prf(self, secret: &[u8], seed: &[u8], length: usize) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let mut a = self.hmac(secret, &[seed])?;
        while out.len() < length {
            out.extend(self.hmac(secret, &[&a, seed])?);
            a = self.hmac(secret, &[&a])?;
        }
        out.truncate(length);
        Some(out)
    }

    fn hmac(self, secret: &[u8], parts: &[&[u8]]) -> Option<Vec<u8>> {
        fn of<M: Mac + KeyInit>(secret: &[u8], parts: &[&[u8]]) -> Option<Vec<u8>> {
            let mut mac = <M as KeyInit>::new_from_slice(secret).ok()?;
            parts.iter().for_each(|part| mac.update(part));
            Some(mac.finalize().into_bytes().to_vec())
        }
        match self.hash {
            Hash::Sha256 => of::<Hmac<Sha256>>(secret, parts),
            Hash::Sha384 => of::<Hmac<Sha384>>(secret, parts),
        }
    }

    fn opener(self, key: &[u8]) -> Option<Opener> {
        Some(match self.cipher {
            Cipher::Aes128 => Opener::Aes128(Box::new(Aes128Gcm::new_from_slice(key).ok()?)),
            Cipher::Aes256 => Opener::Aes256(Box::new(Aes256Gcm::new_from_slice(key).ok()?)),
            Cipher::ChaCha => Opener::ChaCha(Box::new(ChaCha20Poly1305::new_from_slice(key).ok()?)),
        })
    }
}

impl Keys {
    /// Of a traffic secret (RFC 8446 §7.3).
    pub(super) fn of_secret(suite: Suite, secret: &[u8]) -> Option<Self> {
        let (mut key, mut iv) = (vec![0; suite.key()], [0; 12]);
        suite.expand(secret, b"key", &mut key)?;
        suite.expand(secret, b"iv", &mut iv)?;
        Some(Self {
            suite,
            cipher: suite.opener(&key)?,
            iv,
            secret: secret.to_vec(),
        })
    }

    /// Those of the client and the server, of the master secret of TLS 1.2 (RFC 5246 §6.3).
    pub(super) fn of_master(
        suite: Suite,
        master: &[u8],
        [client, server]: [&[u8; 32]; 2],
    ) -> Option<[Self; 2]> {
        let seed = [&b"key expansion"[..], server, client].concat();
        let (key, iv) = (suite.key(), if suite.explicit() == 0 { 12 } else { 4 });
        let block = suite.prf(master, &seed, 2 * (key + iv))?;
        let (keys, ivs) = block.split_at(2 * key);
        let of = |keys: &[u8], from: &[u8]| {
            let mut iv = [0; 12];
            iv[..from.len()].copy_from_slice(from);
            let cipher = suite.opener(keys)?;
            Some(Self {
                suite,
                cipher,
                iv,
                secret: Vec::new(),
            })
        };
        let (client, server) = (keys.split_at(key), ivs.split_at(iv));
        Some([of(client.0, server.0)?, of(client.1, server.1)?])
    }

    /// What follows an update of keys (RFC 8446 §7.2); none in TLS 1.2.
    pub(super) fn next(&self) -> Option<Self> {
        if !self.suite.tls13 {
            return None;
        }
        let mut secret = vec![0; self.secret.len()];
        self.suite
            .expand(&self.secret, b"traffic upd", &mut secret)?;
        Self::of_secret(self.suite, &secret)
    }

    pub(super) fn suite(&self) -> Suite {
        self.suite
    }

    /// Opens a record: what is inside goes to `out`, and its kind is returned. `None`: it is another one.
    pub(super) fn open(&self, sequence: u64, record: &[u8], out: &mut Vec<u8>) -> Option<u8> {
        out.clear();
        let (header, body) = record.split_first_chunk::<HEADER>()?;
        let (explicit, body) = body.split_at_checked(self.suite.explicit())?;
        let (sealed, tag) = body.split_last_chunk::<TAG>()?;
        let mut nonce = self.iv;
        if explicit.is_empty() {
            for (to, from) in nonce[4..].iter_mut().zip(sequence.to_be_bytes()) {
                *to ^= from;
            }
        } else {
            nonce[4..].copy_from_slice(explicit);
        }
        let mut text = sequence.to_be_bytes().to_vec();
        let data = if self.suite.tls13 {
            &header[..]
        } else {
            // RFC 5246 §6.2.3.3.
            text.extend(&header[..3]);
            text.extend(u16::try_from(sealed.len()).ok()?.to_be_bytes());
            &text
        };
        out.extend(sealed);
        let opened = match &self.cipher {
            Opener::Aes128(cipher) => open(&**cipher, nonce, data, out, *tag),
            Opener::Aes256(cipher) => open(&**cipher, nonce, data, out, *tag),
            Opener::ChaCha(cipher) => open(&**cipher, nonce, data, out, *tag),
        };
        opened?;
        if !self.suite.tls13 {
            return Some(header[0]);
        }
        // The kind stands last, before the padding (RFC 8446 §5.2).
        let end = out.iter().rposition(|byte| *byte != 0)?;
        let kind = out[end];
        out.truncate(end);
        Some(kind)
    }
}

fn open<C>(cipher: &C, nonce: [u8; 12], data: &[u8], out: &mut [u8], tag: [u8; TAG]) -> Option<()>
where
    C: AeadInOut,
    chacha20poly1305::aead::Nonce<C>: From<[u8; 12]>,
    Tag<C>: From<[u8; TAG]>,
{
    let (nonce, tag) = (nonce.into(), tag.into());
    cipher
        .decrypt_inout_detached(&nonce, data, out.into(), &tag)
        .ok()
}
