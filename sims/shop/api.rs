//! An api server: stateless, so that any of them can answer any request, before and after a restart (unless its configuration
//! has it keep sessions in its memory).
//!
//! Owns the routes that clients see and their authorization. It reaches the store and pricing by name, over HTTP.

use std::io;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, HeaderMap, RETRY_AFTER};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{Method, Request, StatusCode};

use super::admission::Admission;
use super::affinity::Sessions;
use super::api_config::SessionsIn;
use super::catalogue::Catalogue;
use super::message::{
    Answer, Body, CALL_HEADER, DEADLINE_HEADER, Expiry, KEY_HEADER, KeyedOrder, Order, Token, User, deadline_value,
    json, json_bytes, name_call, new_key, problem, read_body, status_page,
};
use super::net::{Connect, Listen};
use super::notes;
use super::observe::Observer;
use super::pool::{ExchangeError, HttpClient, address, authority, exchange, http_client};
use super::serve::{Shutdown, serve};
use super::token;

pub use super::api_config::Config;

/// Runs an api server until shutdown.
pub async fn run<L: Listen, C: Connect>(
    listener: L,
    connector: C,
    config: Config,
    shutdown: Shutdown,
    observer: Observer,
) -> io::Result<()> {
    let serve_config = config.serve.clone();
    let client = http_client(connector, &config.pool);
    let api = Arc::new(Api {
        store: authority(&config.store.0, config.store.1),
        catalogue: Catalogue::new(client.clone(), &config, observer.clone()),
        client,
        draining: shutdown.clone(),
        admission: Admission::new(config.admission.clone()),
        sessions: (config.sessions == SessionsIn::Memory).then(|| Sessions::new(&config.name)),
        config,
    });
    serve(listener, serve_config, shutdown, observer, api, route).await
}

struct Api<C: Connect> {
    client: HttpClient<C>,
    store: Authority,
    catalogue: Catalogue<C>,
    draining: Shutdown,
    admission: Admission,
    /// The sessions that only this server knows, if it is stateful.
    sessions: Option<Sessions>,
    config: Config,
}

async fn route<C: Connect>(api: Arc<Api<C>>, request: Request<Body>) -> Answer {
    let expiry = Expiry::from_headers(request.headers(), api.config.request_limit);
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/health") => return api.health().await,
        (&Method::GET, "/ready") => return api.ready(),
        _ => {}
    }
    let (parts, body) = request.into_parts();
    // Who sends slowly keeps no worker from the others.
    let body = match parts.method {
        Method::GET => Bytes::new(),
        _ => match read_body(body, expiry).await {
            Ok(body) => body,
            Err(answer) => return answer,
        },
    };
    let _worker = match api.admission.enter(expiry).await {
        Ok(worker) => worker,
        Err(answer) => return answer,
    };
    if expiry.left().is_none() {
        return problem(StatusCode::GATEWAY_TIMEOUT, "too late to begin");
    }
    api.answer(&parts, body, expiry).await
}

impl<C: Connect> Api<C> {
    /// Answers a request that has been admitted.
    async fn answer(&self, request: &Parts, body: Bytes, expiry: Expiry) -> Answer {
        let (path, headers) = (request.uri.path(), &request.headers);
        match (&request.method, path) {
            (&Method::GET, "/whoami") => self.whoami(headers),
            (&Method::GET, "/orders") => self.read_store(path, headers, expiry).await,
            (&Method::GET, _) => {
                if let Some(sku) = path.strip_prefix("/catalogue/") {
                    return self.catalogue.answer(sku, call_of(headers), expiry).await;
                }
                if notes::order_of(path).is_some() {
                    return self.read_store(path, headers, expiry).await;
                }
                match path.strip_prefix("/orders/").map(str::parse::<u64>) {
                    Some(Ok(_)) => self.read_store(path, headers, expiry).await,
                    Some(Err(_)) => problem(StatusCode::BAD_REQUEST, "an order has a number"),
                    None => problem(StatusCode::NOT_FOUND, "no such page"),
                }
            }
            (&Method::POST, "/login") => self.login(&body),
            (&Method::POST, "/orders") => self.place_order(headers, &body, expiry).await,
            (&Method::PUT, _) if notes::order_of(path).is_some() => {
                self.ask_store(Method::PUT, path, body, call_of(headers), expiry).await
            }
            _ => problem(StatusCode::NOT_FOUND, "no such page"),
        }
    }

    /// Reports whether this server is alive, and nothing about others: if the store's health counted, one failing store
    /// would make the balancer eject every api server.
    async fn health(&self) -> Answer {
        if self.config.health_covers_store {
            let expiry = Expiry::from_headers(&HeaderMap::new(), self.config.request_limit);
            let answer = self.ask_store(Method::GET, "/health", Bytes::new(), "", expiry).await;
            if answer.status() != StatusCode::OK {
                return answer;
            }
        }
        self.ready()
    }

    /// Reports whether to send requests here. While this server drains, balancers must choose another.
    fn ready(&self) -> Answer {
        if self.draining.is_requested() {
            return status_page(StatusCode::SERVICE_UNAVAILABLE, "draining");
        }
        status_page(StatusCode::OK, "ok")
    }

    fn login(&self, body: &[u8]) -> Answer {
        let Ok(User { user }) = serde_json::from_slice(body) else {
            return problem(StatusCode::BAD_REQUEST, "not a user");
        };
        if user.is_empty() || user.len() > token::USER_LIMIT_BYTES {
            return problem(StatusCode::BAD_REQUEST, "a user has a name of 1 to 64 bytes");
        }
        let token = match &self.sessions {
            Some(sessions) => sessions.begin(&user),
            None => token::sign(&self.config.token_secret, &user, self.config.token_lifetime),
        };
        json(StatusCode::OK, &Token { token })
    }

    fn whoami(&self, headers: &HeaderMap) -> Answer {
        match text(headers, AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer ")) {
            Some(token) => {
                let user = match &self.sessions {
                    Some(sessions) => sessions.user(token),
                    None => token::verify(&self.config.token_secret, token),
                };
                match user {
                    Some(user) => json(StatusCode::OK, &User { user }),
                    None => problem(StatusCode::UNAUTHORIZED, "the token is not valid"),
                }
            }
            None => problem(StatusCode::UNAUTHORIZED, "there is no bearer token"),
        }
    }

    async fn place_order(&self, headers: &HeaderMap, body: &[u8], expiry: Expiry) -> Answer {
        let Ok(order) = serde_json::from_slice::<Order>(body) else {
            return problem(StatusCode::BAD_REQUEST, "not an order");
        };
        if let Err(why) = order.validate() {
            return problem(StatusCode::BAD_REQUEST, why);
        }
        let key = match text(headers, KEY_HEADER) {
            Some(key) if (1..=255).contains(&key.len()) => key.to_owned(),
            None if !self.config.requires_key => new_key(),
            _ => return problem(StatusCode::BAD_REQUEST, "an order needs an idempotency key of 1 to 255 bytes"),
        };
        // What a buyer says about a price is compared with what this server finds out itself.
        if let Some(agreed) = order.cents {
            match self.catalogue.price(&order.sku, call_of(headers), expiry).await {
                Ok(price) if agreed.abs_diff(price.cents) <= self.config.price_tolerance_cents => {}
                Ok(_) => return problem(StatusCode::CONFLICT, "the price is another one"),
                Err(answer) => return answer,
            }
        }
        let call = call_of(headers);
        let Order { sku, quantity, cents } = order;
        let order = KeyedOrder { key, call: call.to_owned(), sku, quantity, cents };
        let body = serde_json::to_vec(&order).expect("an order serializes to JSON");
        self.ask_store(Method::POST, "/orders", body.into(), call, expiry).await
    }

    async fn read_store(&self, path: &str, headers: &HeaderMap, expiry: Expiry) -> Answer {
        self.ask_store(Method::GET, path, Bytes::new(), call_of(headers), expiry).await
    }

    /// Sends one request to the store and passes its answer on.
    async fn ask_store(&self, method: Method, path: &str, body: Bytes, call: &str, expiry: Expiry) -> Answer {
        let Some(left) = expiry.left() else { return problem(StatusCode::GATEWAY_TIMEOUT, "too late to begin") };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = address(&self.store, path);
        request.headers_mut().insert(DEADLINE_HEADER, deadline_value(left));
        name_call(request.headers_mut(), call);
        match exchange(&self.client, request, left).await {
            Ok((parts, body)) if parts.status == StatusCode::INTERNAL_SERVER_ERROR => {
                json_bytes(StatusCode::BAD_GATEWAY, body)
            }
            Ok((parts, body)) => {
                let mut answer = json_bytes(parts.status, body);
                // Only the client retries, so `Retry-After` is passed on to it.
                if let Some(wait) = parts.headers.get(RETRY_AFTER) {
                    answer.headers_mut().insert(RETRY_AFTER, wait.clone());
                }
                answer
            }
            Err(error) => {
                let why = match error {
                    ExchangeError::Refused => "the store cannot be reached",
                    ExchangeError::Broken(_) => "the connection to the store broke",
                    ExchangeError::TimedOut => "the store did not answer in time",
                };
                problem(error.status(), why)
            }
        }
    }
}

/// The name of the call that a request belongs to; empty if it has none.
fn call_of(headers: &HeaderMap) -> &str {
    text(headers, CALL_HEADER).unwrap_or_default()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
