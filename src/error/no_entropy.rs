//! A source of randomness that gives none.

use core::fmt;

use super::id::identified;

/// There is no randomness to be had: the operating system gives none, or the feature `getrandom` is
/// off and the caller passed no source (RFC 6455 §5.3, §10.3).
///
/// ```
/// use sansocket::error::NoEntropy;
/// assert!(NoEntropy.to_string().contains("getrandom"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NoEntropy;

identified! { NoEntropy:
    Self = 801, "no_entropy";
}

impl fmt::Display for NoEntropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no source of randomness: pass one, or turn on the feature `getrandom`")
    }
}

impl core::error::Error for NoEntropy {}
