//! A session is kept in the memory of the server that began it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::header::AUTHORIZATION;
use hyper::{HeaderMap, StatusCode};
use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::stateless_restarts;
use crate::shop::message::{Expiry, Token, User, json, new_key, problem, read_body};
use crate::shop::serve::Layer;

pub fn mistake() -> Mistake {
    changed("session_in_memory", stateless_restarts::with, |setup| setup.api.serve.layer = Some(sessions))
        .breaks("S3")
        .in_part("the api servers' sessions")
}

fn sessions() -> Layer {
    let users: Arc<Mutex<BTreeMap<String, String>>> = Arc::default();
    Arc::new(move |request, routes| {
        let users = users.clone();
        Box::pin(async move {
            match request.uri().path() {
                "/login" => {
                    let expiry = Expiry::from_headers(request.headers(), Duration::from_secs(5));
                    let body = match read_body(request.into_body(), expiry).await {
                        Ok(body) => body,
                        Err(answer) => return answer,
                    };
                    let Ok(User { user }) = serde_json::from_slice(&body) else {
                        return problem(StatusCode::BAD_REQUEST, "not a user");
                    };
                    let token = new_key();
                    users.lock().expect("no holder of the sessions panics").insert(token.clone(), user);
                    json(StatusCode::OK, &Token { token })
                }
                "/whoami" => {
                    let users = users.lock().expect("no holder of the sessions panics");
                    match bearer(request.headers()).and_then(|token| users.get(token)) {
                        Some(user) => json(StatusCode::OK, &User { user: user.clone() }),
                        None => problem(StatusCode::UNAUTHORIZED, "the session is not known"),
                    }
                }
                _ => routes(request).await,
            }
        })
    })
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}
