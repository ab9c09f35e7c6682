//! The store: the only program with state, kept in redb on the disk that it is given.
//!
//! Owns the orders and the record of their idempotency keys.

use std::fmt;
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::{Method, Request, StatusCode};
use redb::backends::FileBackend;
use redb::{Database, Durability, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition};
use sha2::{Digest, Sha256};

use super::message::{Answer, Body, Expiry, KeyedOrder, OrderReceipt, json_bytes, problem, read_body, status_page};
use super::net::Listen;
use super::notes;
use super::observe::Observer;
use super::serve::{ServeConfig, Shutdown, serve};
use super::values;
use super::verified::Verified;

/// Orders by number, as JSON that is served as it is.
const ORDERS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("orders");
/// The effect of each idempotency key: the order's number, and a digest of the order.
const KEYS: TableDefinition<'_, &str, (u64, &[u8; 32])> = TableDefinition::new("keys");

/// How the store behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// The size of redb's cache.
    pub cache_bytes: usize,
    /// The longest that a request may take, whatever its caller allows.
    pub request_limit: Duration,
    /// Awaited between a commit and its acknowledgement.
    pub after_commit: AfterDisk,
    /// Awaited between a read and its answer.
    pub after_read: AfterDisk,
    /// How connections are treated.
    pub serve: ServeConfig,
    /// When a commit is durable.
    pub durability: Durability,
    /// Whether every read is checked against what was written, so that a disk need not be trusted.
    pub verifies_reads: bool,
    /// Whether the whole file is written again at the start, because an earlier sync may have failed ([`Verified`]).
    pub writes_again: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            cache_bytes: 1024 * 1024,
            request_limit: Duration::from_secs(5),
            after_commit: AfterDisk::default(),
            after_read: AfterDisk::default(),
            // No balancer watches the store, so a drain delay has no use.
            serve: ServeConfig { drain_delay: Duration::ZERO, ..ServeConfig::default() },
            durability: Durability::Immediate,
            verifies_reads: true,
            writes_again: true,
        }
    }
}

/// A hook to await after using the disk, for a disk that cannot wait inside redb's synchronous calls.
#[derive(Clone)]
pub struct AfterDisk {
    hook: Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>,
}

impl AfterDisk {
    /// Calls the function and awaits its future each time.
    pub fn new<F: Future<Output = ()> + Send + 'static>(hook: impl Fn() -> F + Send + Sync + 'static) -> AfterDisk {
        AfterDisk { hook: Arc::new(move || Box::pin(hook())) }
    }

    /// Waits until the disk is done.
    pub async fn wait(&self) {
        (self.hook)().await;
    }
}

impl Default for AfterDisk {
    fn default() -> AfterDisk {
        AfterDisk::new(|| std::future::ready(()))
    }
}

impl fmt::Debug for AfterDisk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AfterDisk")
    }
}

/// Opens or creates the file of a store on a real disk.
pub fn open_file(path: &Path) -> io::Result<FileBackend> {
    let file = std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    let file = file.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    FileBackend::new(file).map_err(io::Error::other)
}

/// Creates a store's database on an empty disk. If the machine dies meanwhile, the database may never open, so the file
/// should get its final name only afterwards.
pub fn create(disk: impl StorageBackend, config: &Config) -> io::Result<()> {
    let builder = Database::builder();
    let database = if config.verifies_reads {
        builder.create_with_backend(Verified::open(disk, false)?)
    } else {
        builder.create_with_backend(disk)
    };
    // Dropping the database writes and syncs it completely.
    database.map(drop).map_err(io::Error::other)
}

/// Runs the store on a disk until shutdown. An existing database is repaired if necessary, and kept.
///
/// The store serves correct data or refuses: once the disk has failed in any way, the database's next action is
/// unknown, so the store stops using it and exits with an error. Its supervisor restarts it, and it serves again once
/// the disk can be read, checked and written.
pub async fn run<L: Listen>(
    listener: L,
    disk: impl StorageBackend,
    config: Config,
    shutdown: Shutdown,
    observer: Observer,
) -> io::Result<()> {
    let database = if config.verifies_reads {
        open(Verified::open(disk, config.writes_again)?, config.cache_bytes)
    } else {
        open(disk, config.cache_bytes)
    };
    let database = database.map_err(io::Error::other)?;
    // Creating the tables is a commit too.
    config.after_commit.wait().await;
    let serve_config = config.serve.clone();
    let failed = Shutdown::new();
    let store = Arc::new(Store { database, config, failed: failed.clone(), observer: observer.clone() });
    let serving = serve(listener, serve_config, shutdown.clone(), observer, store, route);
    let mut serving = std::pin::pin!(serving);
    let served = tokio::select! {
        biased;
        () = failed.requested() => {
            // Requests in flight are answered before the store exits.
            shutdown.request();
            serving.await
        }
        served = &mut serving => served,
    };
    if failed.is_requested() { Err(io::Error::other("the disk failed")) } else { served }
}

fn open(disk: impl StorageBackend, cache_bytes: usize) -> Result<Database, redb::Error> {
    let mut builder = Database::builder();
    let was_reported = AtomicBool::new(false);
    builder.set_cache_size(cache_bytes).set_repair_callback(move |_| {
        // redb calls this repeatedly during the repair.
        if !was_reported.swap(true, Ordering::Relaxed) {
            tracing::warn!("repairing the database");
        }
    });
    let database = builder.create_with_backend(disk)?;
    let transaction = database.begin_write()?;
    transaction.open_table(ORDERS)?;
    transaction.open_table(KEYS)?;
    transaction.commit()?;
    Ok(database)
}

/// A running store.
struct Store {
    database: Database,
    config: Config,
    /// Requested once the disk has failed.
    failed: Shutdown,
    observer: Observer,
}

/// The outcome of a request to place an order.
enum Placed {
    /// A new order: its number and its record.
    New(u64, Vec<u8>),
    /// The key already placed this order; its record.
    Before(Vec<u8>),
    /// The key already placed a different order.
    Conflict,
}

/// Answers a request. Once the disk has failed, the database is not used any more.
async fn route(store: Arc<Store>, request: Request<Body>) -> Answer {
    let expiry = Expiry::from_headers(request.headers(), store.config.request_limit);
    let path = request.uri().path();
    if store.failed.is_requested() {
        return problem(StatusCode::SERVICE_UNAVAILABLE, "the disk has failed");
    }
    match (request.method(), path) {
        (&Method::GET, "/health") => status_page(StatusCode::OK, "ok"),
        (&Method::POST, "/orders") => {
            let body = match read_body(request.into_body(), expiry).await {
                Ok(body) => body,
                Err(answer) => return answer,
            };
            let Ok(order) = serde_json::from_slice::<KeyedOrder>(&body) else {
                return problem(StatusCode::BAD_REQUEST, "not an order");
            };
            // The caller has stopped waiting, so the order is no longer executed.
            if expiry.left().is_none() {
                return problem(StatusCode::GATEWAY_TIMEOUT, "too late to begin");
            }
            store.place(order).await
        }
        (_, path) if path.ends_with("/note") => store.answer_note(request, expiry).await,
        (_, path) if path.starts_with(values::PATH) => store.answer_value(request, expiry).await,
        (&Method::GET, "/orders") => store.answer_read(Store::list).await,
        (&Method::GET, path) => match path.strip_prefix("/orders/").and_then(|id| id.parse().ok()) {
            Some(id) => store.answer_read(|store| store.read(id)).await,
            None => problem(StatusCode::NOT_FOUND, "no such page"),
        },
        _ => problem(StatusCode::NOT_FOUND, "no such page"),
    }
}

impl Store {
    async fn answer_read(&self, read: impl FnOnce(&Store) -> Result<Option<Vec<u8>>, redb::Error>) -> Answer {
        let record = read(self);
        self.config.after_read.wait().await;
        match record {
            Ok(Some(record)) => json_bytes(StatusCode::OK, record.into()),
            Ok(None) => problem(StatusCode::NOT_FOUND, "no such order"),
            Err(error) => self.disk_failure(&error),
        }
    }

    /// Answers that the disk failed, and makes the store exit: the effect of the failed operation is unknown.
    fn disk_failure(&self, error: &redb::Error) -> Answer {
        tracing::warn!(%error, "the disk failed");
        self.failed.request();
        match error {
            redb::Error::Io(error) if error.kind() == io::ErrorKind::StorageFull => {
                problem(StatusCode::INSUFFICIENT_STORAGE, "the disk is full")
            }
            _ => problem(StatusCode::INTERNAL_SERVER_ERROR, "the disk failed"),
        }
    }

    /// Answers a request for a value, once the disk is done.
    async fn answer_value(&self, request: Request<Body>, expiry: Expiry) -> Answer {
        let answer = match values::parse(request, expiry).await {
            Err(answer) => return answer,
            Ok(values::KeyedOp::Read { key }) => {
                let answer = values::read(&self.database, &key);
                self.config.after_read.wait().await;
                answer
            }
            Ok(values::KeyedOp::Write(write)) => {
                let written = write.run(&self.database, self.config.durability);
                if matches!(written, Ok(Some(_))) {
                    self.config.after_commit.wait().await;
                }
                written.map(values::answer_to_write)
            }
        };
        answer.unwrap_or_else(|error| self.disk_failure(&error))
    }

    /// Answers a request for an order's note, once the disk is done.
    async fn answer_note(&self, request: Request<Body>, expiry: Expiry) -> Answer {
        let Some(order) = notes::order_of(request.uri().path()) else {
            return problem(StatusCode::NOT_FOUND, "no such page");
        };
        match *request.method() {
            Method::GET => {
                let answer = notes::read(&self.database, order);
                self.config.after_read.wait().await;
                answer.unwrap_or_else(|error| self.disk_failure(&error))
            }
            Method::PUT => {
                let body = match read_body(request.into_body(), expiry).await {
                    Ok(body) => body,
                    Err(answer) => return answer,
                };
                let Ok(text) = std::str::from_utf8(&body) else {
                    return problem(StatusCode::BAD_REQUEST, "a note is a text");
                };
                if expiry.left().is_none() {
                    return problem(StatusCode::GATEWAY_TIMEOUT, "too late to begin");
                }
                match self.write_note(order, text) {
                    Ok(true) => {
                        self.config.after_commit.wait().await;
                        status_page(StatusCode::OK, "written")
                    }
                    Ok(false) => problem(StatusCode::NOT_FOUND, "no such order"),
                    Err(error) => self.disk_failure(&error),
                }
            }
            _ => problem(StatusCode::METHOD_NOT_ALLOWED, "notes are read and written"),
        }
    }

    /// Writes a note under an order; whether there is such an order.
    fn write_note(&self, order: u64, text: &str) -> Result<bool, redb::Error> {
        if self.read(order)?.is_none() {
            return Ok(false);
        }
        notes::write(&self.database, self.config.durability, order, text)?;
        Ok(true)
    }

    async fn place(&self, order: KeyedOrder) -> Answer {
        let KeyedOrder { key, call, sku, quantity, cents } = order;
        let receipt = OrderReceipt { id: 0, key, call, sku, quantity, cents };
        match self.commit(&receipt) {
            Ok(Placed::New(id, record)) => {
                self.observer.order_applied(&receipt.key, id);
                self.config.after_commit.wait().await;
                json_bytes(StatusCode::CREATED, record.into())
            }
            Ok(Placed::Before(record)) => json_bytes(StatusCode::CREATED, record.into()),
            Ok(Placed::Conflict) => {
                problem(StatusCode::UNPROCESSABLE_ENTITY, "the key was used before with another body")
            }
            Err(error) => self.disk_failure(&error),
        }
    }

    /// Records the key and the order in one transaction, so that a crash cannot separate them.
    fn commit(&self, order: &OrderReceipt) -> Result<Placed, redb::Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(self.config.durability)?;
        let placed = {
            let mut keys = transaction.open_table(KEYS)?;
            let mut orders = transaction.open_table(ORDERS)?;
            let digest = digest(order);
            let before = keys.get(order.key.as_str())?.map(|record| (record.value().0, *record.value().1));
            match before {
                Some((_, other)) if other != digest => Placed::Conflict,
                Some((id, _)) => {
                    let record = orders.get(id)?.map(|record| record.value().to_vec());
                    Placed::Before(record.expect("a key and its order are written in one transaction"))
                }
                None => {
                    let id = orders.last()?.map_or(1, |(id, _)| id.value() + 1);
                    let record = serde_json::to_vec(&OrderReceipt { id, ..order.clone() });
                    let record = record.expect("a receipt serializes to JSON");
                    orders.insert(id, record.as_slice())?;
                    keys.insert(order.key.as_str(), (id, &digest))?;
                    Placed::New(id, record)
                }
            }
        };
        match placed {
            Placed::New(..) => transaction.commit()?,
            Placed::Before(_) | Placed::Conflict => transaction.abort()?,
        }
        Ok(placed)
    }

    fn read(&self, id: u64) -> Result<Option<Vec<u8>>, redb::Error> {
        let orders = self.database.begin_read()?.open_table(ORDERS)?;
        Ok(orders.get(id)?.map(|record| record.value().to_vec()))
    }

    /// All orders as one JSON array, joined from records that already are JSON.
    fn list(&self) -> Result<Option<Vec<u8>>, redb::Error> {
        let orders = self.database.begin_read()?.open_table(ORDERS)?;
        let mut list = vec![b'['];
        for entry in orders.iter()? {
            if list.len() > 1 {
                list.push(b',');
            }
            list.extend_from_slice(entry?.1.value());
        }
        list.push(b']');
        Ok(Some(list))
    }
}

/// The digest that two requests with the same key must share. It does not cover the call.
fn digest(order: &OrderReceipt) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(order.quantity.to_be_bytes());
    hasher.update(order.sku.as_bytes());
    if let Some(cents) = order.cents {
        // No article's name contains this byte.
        hasher.update([0]);
        hasher.update(cents.to_be_bytes());
    }
    hasher.finalize().into()
}
