//! The file that keys are logged to.

use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use crate::tls::KeyLog;

/// How much is read at a time.
const BLOCK: usize = 16 << 10;

/// A key log that may grow.
#[derive(Default)]
pub(crate) struct KeyFile {
    path: Option<PathBuf>,
    file: Option<File>,
}

impl KeyFile {
    /// The one that was asked for, or that of the environment if it is there. What is written to it later is read by
    /// [`refresh`](Self::refresh).
    pub(crate) fn open(asked: Option<&PathBuf>, live: bool, log: &mut KeyLog) -> io::Result<Self> {
        let path = asked.cloned().or_else(|| {
            let path = PathBuf::from(env::var_os("SSLKEYLOGFILE")?);
            (live || path.exists()).then_some(path)
        });
        let mut keys = Self { path, file: None };
        if let Err(error) = keys.read(log) {
            // Whoever connects may not have begun it.
            if !live || error.kind() != io::ErrorKind::NotFound {
                let path = keys.path.unwrap_or_default();
                return Err(io::Error::new(
                    error.kind(),
                    format!("{}: {error}", path.display()),
                ));
            }
        }
        if !live {
            log.end();
        }
        Ok(keys)
    }

    /// Reads what was written since. Returns whether there was something.
    pub(crate) fn refresh(&mut self, log: &mut KeyLog) -> bool {
        self.read(log).unwrap_or(false)
    }

    fn read(&mut self, log: &mut KeyLog) -> io::Result<bool> {
        let Some(path) = &self.path else {
            return Ok(false);
        };
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::open(path)?),
        };
        let (mut block, mut more) = ([0; BLOCK], false);
        loop {
            match file.read(&mut block) {
                Ok(0) => return Ok(more),
                Ok(n) => {
                    log.add(&block[..n]);
                    more = true;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
