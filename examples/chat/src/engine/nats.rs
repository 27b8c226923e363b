//! Rooms kept by NATS: a stream of JetStream for a room's log, and a plain subject for what is told.

use std::convert::Infallible;
use std::time::Duration;

use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::push::OrderedConfig;
use async_nats::jetstream::{self, Context, stream};
use async_nats::{Client, ConnectOptions, HeaderMap};
use futures_util::StreamExt;
use tokio::select;
use tokio::sync::watch;

use super::{Engine, Error, KEPT, News, Position};
use crate::PATIENCE;

/// The engine over NATS with JetStream.
pub struct Nats {
    client: Client,
    jetstream: Context,
    /// Changes with each connection.
    connections: watch::Receiver<()>,
}

impl Nats {
    /// `nats://[USER:PASSWORD@]HOST[:PORT]`. It need not be there yet, and connects again after a loss.
    ///
    /// # Errors
    /// This is no such URL.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let (changed, connections) = watch::channel(());
        let client = ConnectOptions::new()
            .retry_on_initial_connect()
            .connection_timeout(PATIENCE)
            .ping_interval(PATIENCE)
            .reconnect_delay_callback(|_| Duration::from_millis(250))
            .event_callback(move |_| {
                changed.send_replace(());
                async {}
            })
            .connect(url)
            .await?;
        let mut jetstream = jetstream::new(client.clone());
        jetstream.set_timeout(PATIENCE);
        Ok(Self {
            client,
            jetstream,
            connections,
        })
    }
}

/// What an operator made before, for instance with replicas, stays as it is.
fn config(room: &str) -> stream::Config {
    stream::Config {
        name: format!("chat-{room}"),
        subjects: vec![format!("chat.{room}.log")],
        max_messages: KEPT as i64,
        max_age: Duration::from_secs(86400),
        duplicate_window: Duration::from_secs(120),
        ..stream::Config::default()
    }
}

impl Engine for Nats {
    async fn append(&self, room: &str, id: &str, entry: String) -> Result<(), Error> {
        let subject = format!("chat.{room}.log");
        let mut headers = HeaderMap::new();
        headers.insert(async_nats::header::NATS_MESSAGE_ID, id);
        let added = self
            .jetstream
            .publish_with_headers(subject, headers, entry.into());
        added.await?.await?;
        Ok(())
    }

    async fn tell(&self, room: &str, what: String) -> Result<(), Error> {
        let subject = format!("chat.{room}.told");
        Ok(self.client.publish(subject, what.into()).await?)
    }

    async fn follow(
        &self,
        room: &str,
        after: Option<Position>,
        mut hear: impl FnMut(News) + Send,
    ) -> Result<Infallible, Error> {
        let mut connections = self.connections.clone();
        connections.mark_unchanged();
        let mut told = self.client.subscribe(format!("chat.{room}.told")).await?;
        let stream = self.jetstream.get_or_create_stream(config(room)).await?;
        let info = stream.cached_info();
        let epoch = (info.created.unix_timestamp_nanos() / 1_000_000) as u64;
        let number = info.state.last_sequence;
        let end = Position { epoch, number };
        let known = after.filter(|after| after.epoch == epoch);
        let start_sequence = known.map_or(0, |after| after.number) + 1;
        let consumer = OrderedConfig {
            deliver_subject: self.client.new_inbox(),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence },
            ..OrderedConfig::default()
        };
        let mut log = stream.create_consumer(consumer).await?.messages().await?;
        let mut current = info.state.messages == 0 || start_sequence > number;
        if current {
            hear(News::Current(end));
        }
        loop {
            select! {
                // Another server may know another log: its epoch is asked for again.
                _ = connections.changed() => return Err("another connection".into()),
                Some(what) = told.next() => hear(News::Told(text(&what.payload))),
                entry = log.next() => {
                    let entry = entry.ok_or("the log has ended")??;
                    let number = entry.info()?.stream_sequence;
                    hear(News::Entry(Position { epoch, number }, text(&entry.payload)));
                    if !current && number >= end.number {
                        current = true;
                        hear(News::Current(end));
                    }
                }
            }
        }
    }
}

fn text(payload: &[u8]) -> String {
    String::from_utf8_lossy(payload).into_owned()
}
