//! Small servers that keep keys, and their clients: each pair is built on other crates, which make their own sockets. This
//! library does not depend on Squall.

pub mod dns_lines;
pub mod hyper_pool;
pub mod identity;
pub mod lines;
pub mod mqtt;
pub mod nats;
pub mod postgres;
pub mod quinn_streams;
pub mod raft_log;
pub mod raft_tonic;
pub mod redis_pool;
pub mod redis_resp;
pub mod reqwest_axum;
pub mod reqwest_tls;
pub mod rustls_lines;
pub mod sqlx_postgres;
pub mod std_thread;
pub mod tarpc_json;
pub mod tonic_health;
pub mod websocket;

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

/// Why something failed.
pub type Failure = Box<dyn Error + Send + Sync>;

/// Where a server keeps keys. What was added is still there after any crash.
pub trait Store: Send + Sync {
    /// Adds a key, once more if it is there.
    fn add<'a>(&'a self, key: &'a str) -> BoxFuture<'a, io::Result<()>>;
    /// All keys, each as often as it was added.
    fn keys(&self) -> Vec<String>;
}

/// A server's store, which its tasks share.
pub type SharedStore = Arc<dyn Store>;

/// What a user of a client needs. A client is thrown away after a failure.
pub trait Client {
    /// Adds a key.
    fn add(&mut self, key: &str) -> impl Future<Output = Result<(), Failure>>;
    /// All keys that the server has.
    fn keys(&mut self) -> impl Future<Output = Result<Vec<String>, Failure>>;
}

/// How a client behaves.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// How long it waits for an answer; `None` for ever, which is a mistake.
    pub limit: Option<Duration>,
    /// Whether it asks once more after a failure although it does not know what the first request did, which is a mistake.
    pub asks_again: bool,
    /// Whether it takes what it has sent for done, which is a mistake.
    pub believes: bool,
}

impl Habits {
    /// Gives an action as long as the client waits, and repeats it if the client does.
    pub async fn apply<T>(self, mut action: impl AsyncFnMut() -> Result<T, Failure>) -> Result<T, Failure> {
        let first = self.limited(&mut action).await;
        if first.is_err() && self.asks_again { self.limited(&mut action).await } else { first }
    }

    async fn limited<T>(self, action: &mut impl AsyncFnMut() -> Result<T, Failure>) -> Result<T, Failure> {
        match self.limit {
            Some(limit) => tokio::time::timeout(limit, action()).await.map_err(|_| "no answer in time")?,
            None => action().await,
        }
    }
}
