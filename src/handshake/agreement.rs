//! What the configuration offers, takes and expects of extensions (RFC 6455 §9.1).

use crate::config::Settings;
use crate::error::HandshakeError;
use alloc::string::String;

#[cfg(feature = "deflate")]
mod deflate {
    use super::{HandshakeError, Settings, String};
    use crate::extension::permessage_deflate::Agreed;
    use crate::extension::{Extension, Extensions};
    use alloc::string::ToString;

    fn list(values: &str) -> impl Iterator<Item = Extension<'_>> {
        // Inside the grammar: the handshake has seen to it, or nothing is agreed.
        Extensions::parse((!values.is_empty()).then_some(values.as_bytes()))
            .into_iter()
            .flatten()
    }

    pub(crate) fn offer(settings: &Settings) -> Option<String> {
        settings.deflate.as_ref().map(|deflate| deflate.offer())
    }

    pub(crate) fn choose(settings: &Settings, offered: &str) -> Option<String> {
        let agreed = settings.deflate.as_ref()?.choose(list(offered))?;
        Some(agreed.to_string())
    }

    pub(crate) fn check(settings: &Settings, answered: &str) -> Result<(), HandshakeError> {
        let Some(deflate) = &settings.deflate else {
            return Ok(());
        };
        match deflate.check(list(answered)) {
            Ok(_) => Ok(()),
            Err(_) => Err(HandshakeError::ExtensionParameters),
        }
    }

    /// What the answer says of permessage-deflate: the one value that the codec is built from.
    pub(crate) fn agreed(answered: &str) -> Option<Agreed> {
        let name = crate::extension::permessage_deflate::NAME;
        let answer = list(answered).find(|answer| answer.name() == name)?;
        Agreed::read(&answer)
    }
}

#[cfg(feature = "deflate")]
pub(crate) use deflate::agreed;

/// Whether a server looks at what is offered.
pub(crate) fn wanted(settings: &Settings) -> bool {
    #[cfg(feature = "deflate")]
    return settings.deflate.is_some();
    #[cfg(not(feature = "deflate"))]
    {
        let _ = settings;
        false
    }
}

/// Client: what is offered behind the extensions of the application.
pub(crate) fn offer(settings: &Settings) -> Option<String> {
    #[cfg(feature = "deflate")]
    return deflate::offer(settings);
    #[cfg(not(feature = "deflate"))]
    {
        let _ = settings;
        None
    }
}

/// Server: the answer to what is offered, `None` to go on without.
pub(crate) fn choose(settings: &Settings, offered: &str) -> Option<String> {
    #[cfg(feature = "deflate")]
    return deflate::choose(settings, offered);
    #[cfg(not(feature = "deflate"))]
    {
        let _ = (settings, offered);
        None
    }
}

/// Client: whether the parameters of the answer fit the offer; the names have been looked at.
pub(crate) fn check(settings: &Settings, answered: &str) -> Result<(), HandshakeError> {
    #[cfg(feature = "deflate")]
    return deflate::check(settings, answered);
    #[cfg(not(feature = "deflate"))]
    {
        let _ = (settings, answered);
        Ok(())
    }
}
