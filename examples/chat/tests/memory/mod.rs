//! Members over pipes, and an engine that several halls share, that fails and forgets when told to.

use std::convert::Infallible;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use chat::Hall;
use chat::engine::{Embedded, Engine, Error as EngineError, News, Position};
use sansocket_tokio::sansocket::event::CloseReport;
use sansocket_tokio::sansocket::extension::PermessageDeflate;
use sansocket_tokio::{
    ClientConfig, ClientRequest, Error, OriginPolicy, ServerConfig, Uri, WebSocket,
};
use serde_json::{Value, json};
use tokio::io::{DuplexStream, duplex};
use tokio::select;
use tokio::sync::{broadcast, watch};

pub fn hall<E: Engine>(engine: E, seats: usize) -> Arc<Hall<E>> {
    let config = ServerConfig::new(OriginPolicy::SameHost)
        .deflate(PermessageDeflate::server())
        .serve_http();
    Hall::new(engine, config, seats)
}

/// The near end of a pipe that takes so many bytes each way.
pub fn connect<E: Engine>(hall: &Arc<Hall<E>>, pipe: usize) -> DuplexStream {
    let (near, far) = duplex(pipe);
    let hall = hall.clone();
    tokio::spawn(async move { hall.serve(far, pending()).await });
    near
}

pub async fn open(
    stream: DuplexStream,
    config: ClientConfig,
    query: &str,
) -> Result<Member, Error> {
    let request = ClientRequest::new(Uri::parse(&format!("ws://h/ws?{query}")).unwrap());
    Ok(Member {
        ws: WebSocket::client(stream, &config, request).await?,
        at: String::new(),
        missed: 0,
        here: Vec::new(),
    })
}

pub async fn join<E: Engine>(hall: &Arc<Hall<E>>, pipe: usize, query: &str) -> Member {
    open(connect(hall, pipe), ClientConfig::new(), query)
        .await
        .unwrap()
}

pub fn named(event: &Value) -> &str {
    event["event"].as_str().unwrap()
}

pub struct Member {
    pub ws: WebSocket<DuplexStream>,
    /// The position of what was heard last.
    pub at: String,
    /// How often it was told so.
    pub missed: usize,
    /// Who is here, in order.
    pub here: Vec<String>,
}

impl Member {
    pub async fn say(&mut self, text: &str) {
        static SAID: AtomicUsize = AtomicUsize::new(0);
        let id = SAID.fetch_add(1, Ordering::Relaxed).to_string();
        let say = json!({ "say": text, "id": id }).to_string();
        self.ws.send(&say).await.unwrap();
    }

    /// The next event, whatever it is.
    pub async fn event(&mut self) -> Value {
        let message = self.ws.recv().await.unwrap().unwrap();
        let event: Value = serde_json::from_slice(message.as_bytes()).unwrap();
        let names = |key: &str| -> Vec<String> {
            let names = event[key].as_array().unwrap().iter();
            names.map(|name| name.as_str().unwrap().into()).collect()
        };
        match named(&event) {
            "said" => self.at = event["at"].as_str().unwrap().into(),
            "missed" => self.missed += 1,
            "here" => self.here = names("names"),
            "changed" => {
                let left = names("left");
                self.here.retain(|name| !left.contains(name));
                self.here.extend(names("joined"));
                self.here.sort();
                self.here.dedup();
            }
            "kept" | "failed" => {}
            _ => panic!("{event}"),
        }
        event
    }

    /// What is said next.
    pub async fn hear(&mut self) -> String {
        loop {
            let event = self.event().await;
            if named(&event) == "said" {
                return event["text"].as_str().unwrap().into();
            }
        }
    }

    /// Once so many are here.
    pub async fn here_are(&mut self, count: usize) -> Vec<String> {
        while self.here.len() != count {
            self.event().await;
        }
        self.here.clone()
    }

    pub async fn end(&mut self) -> CloseReport {
        while let Some(Ok(_)) = self.ws.recv().await {}
        self.ws.report().unwrap().clone()
    }
}

/// What several halls share.
#[derive(Clone)]
pub struct Shared {
    kept: Arc<Mutex<Embedded>>,
    told: broadcast::Sender<String>,
    fails: watch::Sender<bool>,
    /// This process's signs are not heard any more.
    cut: watch::Sender<bool>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            kept: Arc::default(),
            told: broadcast::channel(1000).0,
            fails: watch::channel(false).0,
            cut: watch::channel(false).0,
        }
    }
}

impl Shared {
    /// For another process.
    pub fn again(&self) -> Self {
        let cut = watch::channel(false).0;
        Self {
            cut,
            ..self.clone()
        }
    }

    pub fn cut(&self) {
        self.cut.send_replace(true);
    }

    pub fn fail(&self, fails: bool) {
        self.fails.send_replace(fails);
    }

    pub fn forget(&self) {
        *self.kept.lock().unwrap() = Embedded::default();
    }

    fn there(&self) -> Result<Embedded, EngineError> {
        let fails = *self.fails.borrow();
        let kept = self.kept.lock().unwrap().clone();
        Some(kept).filter(|_| !fails).ok_or("it fails".into())
    }
}

impl Engine for Shared {
    async fn append(&self, room: &str, id: &str, entry: String) -> Result<(), EngineError> {
        self.there()?.append(room, id, entry).await
    }

    async fn tell(&self, _: &str, what: String) -> Result<(), EngineError> {
        self.there()?;
        if !*self.cut.borrow() {
            self.told.send(what)?;
        }
        Ok(())
    }

    async fn follow(
        &self,
        room: &str,
        after: Option<Position>,
        hear: impl FnMut(News) + Send,
    ) -> Result<Infallible, EngineError> {
        let kept = self.there()?;
        let hear = Mutex::new(hear);
        let mut fails = self.fails.subscribe();
        let mut told = self.told.subscribe();
        let signs = async {
            loop {
                let Ok(sign) = told.recv().await else {
                    return pending().await;
                };
                (hear.lock().unwrap())(News::Told(sign));
            }
        };
        select! {
            failed = fails.wait_for(|fails| *fails) => Err(failed.map_or("gone", |_| "it fails").into()),
            ended = kept.follow(room, after, |news| (hear.lock().unwrap())(news)) => ended,
            never = signs => never,
        }
    }
}

/// A log that goes on in another epoch, and is told from its beginning each time.
pub struct Again(pub watch::Receiver<Vec<Position>>);

impl Engine for Again {
    async fn append(&self, _: &str, _: &str, _: String) -> Result<(), EngineError> {
        Err("it cannot be added to".into())
    }

    async fn tell(&self, _: &str, _: String) -> Result<(), EngineError> {
        Ok(())
    }

    async fn follow(
        &self,
        _: &str,
        _: Option<Position>,
        mut hear: impl FnMut(News) + Send,
    ) -> Result<Infallible, EngineError> {
        let mut log = self.0.clone();
        let all = log.borrow_and_update().clone();
        for at in &all {
            let entry = json!({ "name": "x", "text": at.to_string(), "time": 0 });
            hear(News::Entry(*at, entry.to_string()));
        }
        hear(News::Current(all[all.len() - 1]));
        log.changed().await?;
        Err("another connection".into())
    }
}
