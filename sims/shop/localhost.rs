//! The whole shop in one process, on the real sockets and the real disk of this machine.
//!
//! Owns the programs' lifetimes: it starts, kills and stops them by name.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::balance::Backend;
use super::client::ShopClient;
use super::client_config::ClientConfig;
use super::net::{TokioConnector, listen};
use super::observe::{Observer, no_observer};
use super::serve::Shutdown;
use super::{api, gateway, pricing, store};

/// The shop's configuration. [`Shop::start`] fills in the names and addresses in the programs' configurations.
pub struct ShopConfig {
    /// Where the gateway listens; port 0 chooses a free port, as for all other programs.
    pub gateway_address: SocketAddr,
    /// The store's file; existing orders in it are kept.
    pub data: PathBuf,
    /// The number of api servers: `api-1`, `api-2`, ...
    pub apis: usize,
    /// The gateway's configuration.
    pub gateway: gateway::Config,
    /// The configuration of each api server.
    pub api: api::Config,
    /// The store's configuration.
    pub store: store::Config,
    /// The pricing service's configuration.
    pub pricing: pricing::Config,
    /// Makes the observer of what happens inside a program, by its name.
    pub observer_of: Arc<dyn Fn(&str) -> Observer + Send + Sync>,
}

impl ShopConfig {
    /// The defaults of every program, on free ports.
    pub fn new(data: PathBuf) -> ShopConfig {
        ShopConfig {
            gateway_address: any_local_port(),
            data,
            apis: 3,
            gateway: gateway::Config::default(),
            api: api::Config::default(),
            store: store::Config::default(),
            pricing: pricing::Config::default(),
            observer_of: Arc::new(|_| no_observer()),
        }
    }
}

/// A running shop. Dropping it leaves the programs running on the runtime.
pub struct Shop {
    config: ShopConfig,
    connector: TokioConnector,
    addresses: BTreeMap<String, SocketAddr>,
    running: BTreeMap<String, Running>,
}

struct Running {
    task: JoinHandle<io::Result<()>>,
    shutdown: Shutdown,
}

impl Shop {
    /// Starts all programs: `store`, `pricing`, `api-1`, ..., `gateway`.
    pub async fn start(mut config: ShopConfig) -> io::Result<Shop> {
        let apis: Vec<String> = (1..=config.apis).map(|number| format!("api-{number}")).collect();
        config.gateway.backends = apis.iter().map(|name| Backend::new(name, 80)).collect();
        let (connector, addresses, running) = Default::default();
        let mut shop = Shop { config, connector, addresses, running };
        shop.start_program("store").await?;
        shop.start_program("pricing").await?;
        for api in &apis {
            shop.start_program(api).await?;
        }
        shop.start_program("gateway").await?;
        Ok(shop)
    }

    /// Where a program listens, or listened last.
    pub fn address(&self, name: &str) -> Option<SocketAddr> {
        self.addresses.get(name).copied()
    }

    /// All programs and where they listen.
    pub fn addresses(&self) -> impl Iterator<Item = (&str, SocketAddr)> {
        self.addresses.iter().map(|(name, address)| (name.as_str(), *address))
    }

    /// A client of the program that its configuration names as the gateway: the gateway itself, or any other.
    pub fn client(&self, config: ClientConfig, observer: Observer) -> ShopClient<TokioConnector> {
        ShopClient::new(self.connector.clone(), config, observer)
    }

    /// Starts a program that is not running, at its previous address if it had one.
    pub async fn start_program(&mut self, name: &str) -> io::Result<()> {
        let first = if name == "gateway" { self.config.gateway_address } else { any_local_port() };
        let requested = self.address(name).unwrap_or(first);
        let (listener, address) = listen(requested)
            .await
            .map_err(|error| io::Error::new(error.kind(), format!("{name} at {requested}: {error}")))?;
        self.connector.add_name(name, address);
        self.addresses.insert(name.to_owned(), address);

        let shutdown = Shutdown::new();
        let (connector, observer) = (self.connector.clone(), (self.config.observer_of)(name));
        let task = match name {
            "store" => {
                let disk = store::open_file(&self.config.data)?;
                tokio::spawn(store::run(listener, disk, self.config.store.clone(), shutdown.clone(), observer))
            }
            "pricing" => tokio::spawn(pricing::run(listener, self.config.pricing.clone(), shutdown.clone(), observer)),
            "gateway" => {
                let config = self.config.gateway.clone();
                tokio::spawn(gateway::run(listener, connector, config, shutdown.clone(), observer))
            }
            _ => {
                let config = api::Config { name: name.to_owned(), ..self.config.api.clone() };
                tokio::spawn(api::run(listener, connector, config, shutdown.clone(), observer))
            }
        };
        self.running.insert(name.to_owned(), Running { task, shutdown });
        Ok(())
    }

    /// Ends a program at once, as `kill -9` would: its connections break and its port is closed.
    pub async fn kill(&mut self, name: &str) {
        let Some(Running { task, shutdown }) = self.running.remove(name) else { return };
        task.abort();
        let _ = task.await;
        // The runtime drops the connections' tasks a little later; the last of them releases the store's lock.
        while shutdown.holders() > 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Asks a program to stop, waits for its end, and returns its result.
    pub async fn stop(&mut self, name: &str) -> io::Result<()> {
        let Some(Running { task, shutdown }) = self.running.remove(name) else { return Ok(()) };
        shutdown.request();
        task.await.map_err(io::Error::other)?
    }

    /// Stops all programs, each before those that it depends on.
    pub async fn stop_all(&mut self) -> io::Result<()> {
        let mut names: Vec<String> = self.running.keys().filter(|name| name.starts_with("api-")).cloned().collect();
        names.insert(0, "gateway".to_owned());
        names.extend(["pricing".to_owned(), "store".to_owned()]);
        for name in names {
            self.stop(&name).await?;
        }
        Ok(())
    }

    /// Waits until a program ends by itself, which is always a failure, and returns its name and result.
    pub async fn failure(&mut self) -> (String, io::Result<()>) {
        loop {
            let ended =
                self.running.iter().find(|(_, running)| running.task.is_finished()).map(|(name, _)| name.clone());
            if let Some(name) = ended {
                let result = self.stop(&name).await;
                return (name, result);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn any_local_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}
