//! Messages as files.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sansocket::Kind as MessageKind;
use sansocket::observer::Seen;

use super::{Summary, View, missing, sender};
use crate::follow::{Entry, Talk, What};

pub(crate) struct Extract {
    folder: PathBuf,
    out: Box<dyn Write>,
    written: u64,
}

impl Extract {
    pub(crate) fn new(folder: &Path, out: Box<dyn Write>) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            out,
            written: 0,
        })
    }
}

impl View for Extract {
    fn entry(&mut self, talk: &Talk, entry: &Entry<'_>, _start: Duration) -> io::Result<()> {
        let What::Seen(Seen::Message(message)) = &entry.what else {
            return Ok(());
        };
        self.written += 1;
        let kind = match message.kind {
            MessageKind::Text => "txt",
            MessageKind::Binary => "bin",
        };
        let part = if missing(message).is_some() {
            ".part"
        } else {
            ""
        };
        let (number, written, from) = (talk.number, self.written, sender(entry.sender));
        let name = format!("{written:06}-{number}-{from}{part}.{kind}");
        fs::write(self.folder.join(&name), message.payload)?;
        writeln!(self.out, "{name}")
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn finish(mut self: Box<Self>, _summary: &Summary) -> io::Result<()> {
        self.out.flush()
    }
}
