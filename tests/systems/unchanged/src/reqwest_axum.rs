//! reqwest asks `axum::serve` on tokio's listener, with reqwest's own pool and resolver.

use std::io;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use tokio::net::TcpListener;

use crate::{Client, Failure, Habits, SharedStore};

async fn add(State(store): State<SharedStore>, Path(key): Path<String>) -> StatusCode {
    match store.add(&key).await {
        Ok(()) => StatusCode::CREATED,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

async fn keys(State(store): State<SharedStore>) -> Json<Vec<String>> {
    Json(store.keys())
}

/// What the server answers.
pub(crate) fn router(store: SharedStore) -> Router {
    Router::new().route("/keys/{key}", post(add)).route("/keys", get(keys)).with_state(store)
}

/// The server.
pub async fn serve(store: SharedStore) -> io::Result<()> {
    axum::serve(TcpListener::bind("0.0.0.0:80").await?, router(store)).await
}

/// A client.
pub struct Http {
    pub(crate) client: reqwest::Client,
    pub(crate) url: String,
}

/// A client of the server at this host. Its time limit is reqwest's own.
pub fn connect(host: &str, habits: Habits) -> Result<Http, Failure> {
    let builder = reqwest::Client::builder();
    let builder = if let Some(limit) = habits.limit { builder.timeout(limit) } else { builder };
    Ok(Http { client: builder.build()?, url: format!("http://{host}/keys") })
}

impl Client for Http {
    async fn add(&mut self, key: &str) -> Result<(), Failure> {
        self.client.post(format!("{}/{key}", self.url)).send().await?.error_for_status()?;
        Ok(())
    }

    async fn keys(&mut self) -> Result<Vec<String>, Failure> {
        Ok(self.client.get(&self.url).send().await?.error_for_status()?.json().await?)
    }
}
