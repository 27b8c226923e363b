//! The settings of observers.

use alloc::sync::Arc;

use crate::config::{Limits, OriginPolicy, Settings};
use crate::extension::MessageExtension;

/// The settings of an [`Observer`](super::Observer): what it keeps at most, and which extensions it can decode.
/// Clones share one value.
///
/// ```
/// use sansocket::config::Limits;
/// use sansocket::observer::ObserverConfig;
/// let mut limits = Limits::server();
/// limits.message = 64 << 10; // longer messages are told cut off
/// let config = ObserverConfig::new().limits(limits);
/// ```
#[derive(Debug, Clone)]
pub struct ObserverConfig(Arc<Settings>);

impl ObserverConfig {
    /// The limits of a server, and permessage-deflate if the feature `deflate` is on.
    #[must_use]
    pub fn new() -> Self {
        let mut settings = Settings {
            // Whom a server admits is not the observer's to judge.
            origin: OriginPolicy::Application,
            ..Settings::SERVER
        };
        #[cfg(feature = "deflate")]
        {
            let deflate = crate::extension::PermessageDeflate::client();
            settings.extensions.add(Arc::new(deflate));
        }
        // Without the feature nothing is added.
        let _ = &mut settings;
        Self(Arc::new(settings))
    }

    /// Sets the limits: of a head in bytes (`head`) and fields (`fields`), of a message that is put
    /// together (`message`), and of bytes that wait for the other direction (`held`). The others
    /// are not looked at.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        Arc::make_mut(&mut self.0).limits = limits;
        self
    }

    /// Adds an extension whose messages are decoded, in place of one of the same name.
    #[must_use]
    pub fn extension(mut self, extension: impl MessageExtension + 'static) -> Self {
        let settings = Arc::make_mut(&mut self.0);
        settings.extensions.add(Arc::new(extension));
        self
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.0
    }
}

impl Default for ObserverConfig {
    fn default() -> Self {
        Self::new()
    }
}
