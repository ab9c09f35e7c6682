//! tarpc on both sides, over its own TCP transport with JSON.

use std::io;
use std::time::Instant;

use futures::StreamExt;
use tarpc::context::{self, Context};
use tarpc::serde_transport::tcp;
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::Json;

use crate::{Client, Failure, Habits, SharedStore};

/// What the server does for its clients.
#[tarpc::service]
pub trait Keys {
    /// Adds a key; returns why it failed.
    async fn add(key: String) -> Result<(), String>;
    /// All keys.
    async fn all() -> Vec<String>;
}

#[derive(Clone)]
struct Stored(SharedStore);

impl Keys for Stored {
    async fn add(self, _: Context, key: String) -> Result<(), String> {
        self.0.add(&key).await.map_err(|error| error.to_string())
    }

    async fn all(self, _: Context) -> Vec<String> {
        self.0.keys()
    }
}

/// The server.
pub async fn serve(store: SharedStore) -> io::Result<()> {
    let mut incoming = tcp::listen("0.0.0.0:8000", Json::default).await?;
    while let Some(transport) = incoming.next().await {
        let Ok(transport) = transport else { continue };
        let responses = BaseChannel::with_defaults(transport).execute(Stored(store.clone()).serve());
        tokio::spawn(responses.for_each(|response| async move {
            tokio::spawn(response);
        }));
    }
    Ok(())
}

/// A client.
pub struct Rpc {
    client: KeysClient,
    habits: Habits,
}

/// A client of the server at this host.
pub async fn connect(host: &str, habits: Habits) -> Result<Rpc, Failure> {
    let transport = habits.apply(async || Ok(tcp::connect((host, 8_000), Json::default).await?)).await?;
    Ok(Rpc { client: KeysClient::new(tarpc::client::Config::default(), transport).spawn(), habits })
}

impl Rpc {
    /// A request's context: tarpc itself ends it at its deadline, which is ten seconds unless it is set.
    fn context(&self) -> Context {
        let mut context = context::current();
        if let Some(limit) = self.habits.limit {
            context.deadline = Instant::now() + limit;
        }
        context
    }
}

impl Client for Rpc {
    async fn add(&mut self, key: &str) -> Result<(), Failure> {
        Ok(self.client.add(self.context(), key.to_owned()).await??)
    }

    async fn keys(&mut self) -> Result<Vec<String>, Failure> {
        Ok(self.client.all(self.context()).await?)
    }
}
