//! The frames that members and this server send each other, and what engines keep.

use std::collections::BTreeSet;

use sansocket_tokio::Prepared;
use serde::{Deserialize, Serialize};

use crate::engine::Position;

/// From so many bytes on a message is worth compressing.
const WORTH_COMPRESSING: usize = 64;

/// What a member says.
#[derive(Deserialize)]
pub(crate) struct Say {
    pub say: String,
    pub id: String,
}

/// What is kept of it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Entry {
    pub name: String,
    pub text: String,
    /// Milliseconds since 1970, of the process that heard it.
    pub time: u64,
}

/// What members hear.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(crate) enum Event<'a> {
    Said {
        at: String,
        #[serde(flatten)]
        entry: Entry,
    },
    Here {
        names: BTreeSet<&'a str>,
    },
    Changed {
        joined: Vec<&'a str>,
        left: Vec<&'a str>,
    },
    Missed,
    Kept {
        id: String,
    },
    Failed {
        id: String,
    },
}

impl Event<'_> {
    pub(crate) fn said(at: Position, entry: Entry) -> Self {
        let at = at.to_string();
        Self::Said { at, entry }
    }

    /// Encoded and compressed once, whoever is there to hear it; and how long it is.
    pub(crate) fn prepared(&self) -> (Prepared, usize) {
        // Strings and numbers can always be written.
        let json = serde_json::to_string(self).unwrap_or_default();
        let prepared = Prepared::text(&json);
        let len = json.len();
        if len < WORTH_COMPRESSING {
            return (prepared, len);
        }
        (prepared.with_deflate(3, &[15]), len)
    }
}
