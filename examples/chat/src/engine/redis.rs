//! Rooms kept by Redis 7: a stream for a room's log, and one for what is told and soon forgotten.

use std::convert::Infallible;
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::streams::{StreamRangeReply, StreamReadReply};
use redis::{AsyncConnectionConfig, Client, Script, cmd};

use super::{Engine, Error, KEPT, News, Position};
use crate::PATIENCE;

/// Numbers are consecutive in an epoch. Another run of the server is another epoch, as it may have forgotten the
/// end of the log: those who heard more than it remembers must not take new entries for those.
const APPEND: &str = r"
local log, run, known = KEYS[1], KEYS[2], KEYS[3]
if redis.call('EXISTS', known) == 1 then return end
local this = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
local id
if last and redis.call('GET', run) == this then
  id = string.match(last[1], '%d+') .. '-*'
else
  local now = redis.call('TIME')
  id = string.format('%d%03d-1', now[1], math.floor(now[2] / 1000))
end
redis.call('XADD', log, 'MAXLEN', ARGV[2], id, 'entry', ARGV[1])
redis.call('EXPIRE', log, 86400)
redis.call('SET', run, this, 'EX', 86400)
redis.call('SET', known, '', 'EX', 120)
";

/// How long Redis lets a question wait for news.
const BLOCK: Duration = Duration::from_secs(5);

/// The engine over Redis, or what speaks its protocol.
pub struct Redis {
    client: Client,
    connection: ConnectionManager,
    append: Script,
}

impl Redis {
    /// `redis://[USER:PASSWORD@]HOST[:PORT]`. It connects when it has to, and again after a loss.
    ///
    /// # Errors
    /// This is no such URL.
    pub fn connect(url: &str) -> Result<Self, Error> {
        let client = Client::open(url)?;
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        Ok(Self {
            connection: ConnectionManager::new_lazy_with_config(client.clone(), config)?,
            client,
            append: Script::new(APPEND),
        })
    }
}

/// What is kept of a room; in a cluster all on one node.
fn key(room: &str, what: &str) -> String {
    format!("chat:{{{room}}}:{what}")
}

impl Engine for Redis {
    async fn append(&self, room: &str, id: &str, entry: String) -> Result<(), Error> {
        let mut script = self.append.key(key(room, "log"));
        script.key(key(room, "run"));
        script.key(key(room, &format!("known:{id}")));
        script.arg(entry).arg(KEPT);
        Ok(script.invoke_async(&mut self.connection.clone()).await?)
    }

    async fn tell(&self, room: &str, what: String) -> Result<(), Error> {
        let mut add = cmd("XADD");
        add.arg(key(room, "told")).arg("MAXLEN").arg("~").arg(100);
        add.arg("*").arg("told").arg(what);
        Ok(add.exec_async(&mut self.connection.clone()).await?)
    }

    async fn follow(
        &self,
        room: &str,
        after: Option<Position>,
        mut hear: impl FnMut(News) + Send,
    ) -> Result<Infallible, Error> {
        // A connection of its own: a question that waits holds up those after it.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(BLOCK + PATIENCE));
        let connect = self
            .client
            .get_multiplexed_async_connection_with_config(&config);
        let mut connection = connect.await?;
        let (log, told) = (key(room, "log"), key(room, "told"));

        let mut last = cmd("XREVRANGE");
        last.arg(&log).arg("+").arg("-").arg("COUNT").arg(1);
        let last: StreamRangeReply = last.query_async(&mut connection).await?;
        let end = last
            .ids
            .first()
            .map_or(Ok(Position::default()), |last| last.id.parse())?;
        // What is read after a position of an earlier epoch are later ones: the log has both.
        let known = after.filter(|after| after.epoch <= end.epoch);
        let mut heard = known.unwrap_or_default();
        let mut heard_told = "$".to_owned();
        let mut current = false;
        loop {
            if !current && heard.covers(end) {
                current = true;
                hear(News::Current(end));
            }
            let mut read = cmd("XREAD");
            read.arg("COUNT")
                .arg(100)
                .arg("BLOCK")
                .arg(BLOCK.as_millis() as u64);
            read.arg("STREAMS").arg(&log).arg(&told);
            read.arg(heard.to_string()).arg(&heard_told);
            let news: Option<StreamReadReply> = read.query_async(&mut connection).await?;
            for stream in news.into_iter().flat_map(|news| news.keys) {
                for entry in stream.ids {
                    if stream.key == told {
                        hear(News::Told(entry.get("told").unwrap_or_default()));
                        heard_told = entry.id;
                    } else {
                        heard = entry.id.parse()?;
                        hear(News::Entry(heard, entry.get("entry").unwrap_or_default()));
                    }
                }
            }
        }
    }
}
