//! `up`: all programs of the shop in one process, from their start until a signal, and then to their end.
//!
//! Owns the signals, the logs and the order in which things stop.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::metrics::Metrics;
use super::settings::Settings;
use crate::shop::localhost::Shop;
use crate::shop::serve::Shutdown;

/// A shop with its metrics.
pub struct Up {
    /// The programs.
    pub shop: Shop,
    /// Where `/metrics` is served.
    pub metrics_address: SocketAddr,
    stop_metrics: Shutdown,
}

impl Up {
    /// Starts everything; orders are kept in `data` if the settings name no file.
    ///
    /// # Errors
    /// What could not be started, and why.
    pub async fn start(settings: &Settings, data: PathBuf) -> Result<Up, String> {
        let metrics = Metrics::default();
        let mut config = settings.configuration(data);
        let observing = metrics.clone();
        config.observer_of = Arc::new(move |program| observing.observer(program));
        (1..=settings.apis).for_each(|number| metrics.expect_healthy(&format!("api-{number}")));
        let stop_metrics = Shutdown::new();
        let (metrics_address, _) = metrics
            .serve(settings.metrics, stop_metrics.clone())
            .await
            .map_err(|error| format!("could not start metrics at {}: {error}", settings.metrics))?;
        let shop = Shop::start(config).await.map_err(|error| format!("could not start {error}"))?;
        Ok(Up { shop, metrics_address, stop_metrics })
    }

    /// Stops everything, the metrics last, without failing a request that was accepted.
    ///
    /// # Errors
    /// The first failure of a program.
    pub async fn stop(mut self) -> io::Result<()> {
        let stopped = self.shop.stop_all().await;
        self.stop_metrics.request();
        stopped
    }
}

/// Runs the shop until Ctrl-C or SIGTERM, and stops it gracefully; a second signal ends it at once.
///
/// # Errors
/// Why the shop could not start, run or stop.
pub async fn up(settings: Settings) -> Result<(), String> {
    log_to_standard_error(&settings);
    let scratch =
        tempfile::tempdir().map_err(|error| format!("cannot create a temporary directory: {error}; check TMPDIR"))?;
    // Before the programs start, so that a signal during the start is not lost.
    let mut signals = Signals::new().map_err(|error| format!("cannot wait for signals: {error}"))?;
    let mut up = Up::start(&settings, scratch.path().join("store.redb")).await?;
    for (name, address) in up.shop.addresses() {
        println!("{name:<8} http://{address}");
    }
    println!("metrics  http://{}/metrics", up.metrics_address);
    println!("running until Ctrl-C or SIGTERM; place orders with: cargo run --example shop -- order 3");
    let received = tokio::select! {
        (name, result) = up.shop.failure() => {
            let why = result.err().map_or_else(|| "without an error".to_owned(), |error| error.to_string());
            return Err(format!("{name} ended: {why}"));
        }
        received = signals.next() => received,
    };
    println!("stopping after {received}");
    tokio::select! {
        stopped = up.stop() => stopped.map_err(|error| format!("could not stop: {error}")),
        received = signals.next() => Err(format!("stopped by a second signal, {received}, with requests in flight")),
    }
}

/// The signals that ask the process to stop.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> io::Result<Signals> {
        Ok(Signals { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next one and returns its name.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

/// Logs go to standard error, as what the program prints is the addresses.
fn log_to_standard_error(settings: &Settings) {
    let level = tracing::Level::from(settings.log);
    // Another subscriber may be there already, in which case it gets the messages.
    let _ = tracing_subscriber::fmt().with_max_level(level).with_ansi(false).with_writer(io::stderr).try_init();
}
