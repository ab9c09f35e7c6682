//! The settings of the shop on localhost: a TOML file, whose values the flags of the command line replace.
//!
//! Owns their names and defaults, and what they mean for each program's configuration.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use serde::Deserialize;

use crate::shop::hedge::HedgeRules;
use crate::shop::localhost::ShopConfig;
use crate::shop::outlier::OutlierRules;
use crate::shop::pool;

/// All settings; each may be left out of the file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where the gateway listens.
    pub gateway: SocketAddr,
    /// Where `/metrics` is served.
    pub metrics: SocketAddr,
    /// The store's file; without it, orders are lost when the shop stops.
    pub data: Option<PathBuf>,
    /// The number of api servers.
    pub apis: usize,
    /// What the programs speak with each other. The gateway's clients may use any version of HTTP.
    pub protocol: Protocol,
    /// The least important messages that are logged.
    pub log: Level,
    /// How long the gateway still accepts after it was asked to stop. Behind a balancer, it must exceed the time that the
    /// balancer needs to notice.
    pub drain_delay_ms: u64,
    /// How long requests in flight may take after that, before they are aborted.
    pub drain_limit_ms: u64,
    /// The most connections of clients; more wait.
    pub connection_limit: usize,
    /// The most requests of clients in flight; more are refused with 503.
    pub in_flight_limit: usize,
    /// Whether the gateway ejects api servers that fail what they are asked, whatever their probes say.
    pub ejects_outliers: bool,
    /// Whether the gateway asks a second api server when a read takes longer than nearly all others.
    pub hedges_reads: bool,
    /// Whether the api servers ask pricing once for equal questions at the same time.
    pub coalesces_prices: bool,
    /// How the gateway watches the api servers.
    pub health: Health,
    /// How unwell the pricing service is, and how patient the api servers are.
    pub pricing: Pricing,
}

/// How the gateway watches the api servers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Health {
    /// The pause between two probes of a server.
    pub interval_ms: u64,
    /// How long a probe may take.
    pub timeout_ms: u64,
    /// This many failed probes in a row eject a server.
    pub fall: u32,
    /// This many successful probes in a row bring it back.
    pub rise: u32,
}

/// How unwell the pricing service is, and how patient the api servers are.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pricing {
    /// How long an api server waits for an answer.
    pub timeout_ms: u64,
    /// How long every answer takes.
    pub delay_ms: u64,
    /// The percentage of requests that are answered with 500.
    pub failures_percent: u32,
}

/// What the programs speak with each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// HTTP/1.1 with keep-alive.
    #[default]
    Http1,
    /// HTTP/2 without TLS.
    Http2,
}

/// The least important messages that are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// What needs a person.
    Error,
    /// What may need one.
    Warn,
    /// Starts, stops and orders.
    #[default]
    Info,
    /// Every request.
    Debug,
    /// Every probe.
    Trace,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            gateway: SocketAddr::from(([127, 0, 0, 1], 7878)),
            metrics: SocketAddr::from(([127, 0, 0, 1], 7879)),
            data: None,
            apis: 3,
            protocol: Protocol::default(),
            log: Level::default(),
            // By default nobody balances between gateways, so there is nobody who must notice.
            drain_delay_ms: 0,
            drain_limit_ms: 5_000,
            connection_limit: 4_096,
            in_flight_limit: 1_024,
            ejects_outliers: true,
            hedges_reads: true,
            coalesces_prices: true,
            health: Health::default(),
            pricing: Pricing::default(),
        }
    }
}

impl Default for Health {
    fn default() -> Health {
        Health { interval_ms: 1_000, timeout_ms: 500, fall: 3, rise: 2 }
    }
}

impl Default for Pricing {
    fn default() -> Pricing {
        Pricing { timeout_ms: 300, delay_ms: 0, failures_percent: 0 }
    }
}

impl Settings {
    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn read(path: &Path) -> Result<Settings, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        Settings::parse(&text).map_err(|why| format!("{}: {why}", path.display()))
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Settings, String> {
        let settings: Settings = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        for (name, value) in [
            ("apis", settings.apis),
            ("connection_limit", settings.connection_limit),
            ("in_flight_limit", settings.in_flight_limit),
            ("health.fall", settings.health.fall as usize),
            ("health.rise", settings.health.rise as usize),
        ] {
            if value == 0 {
                return Err(format!("{name} must be at least 1"));
            }
        }
        if settings.pricing.failures_percent > 100 {
            return Err("pricing.failures_percent must be at most 100".to_owned());
        }
        Ok(settings)
    }

    /// The configuration of all programs; orders are kept in `data` if the settings name no file.
    pub fn configuration(&self, data: PathBuf) -> ShopConfig {
        let mut config = ShopConfig::new(self.data.clone().unwrap_or(data));
        (config.gateway_address, config.apis) = (self.gateway, self.apis);
        let inside = match self.protocol {
            Protocol::Http1 => pool::Protocol::Http1,
            Protocol::Http2 => pool::Protocol::Http2,
        };
        let servers =
            [&mut config.gateway.serve, &mut config.api.serve, &mut config.store.serve, &mut config.pricing.serve];
        for serve in servers {
            serve.protocol = inside;
            // The programs behind the gateway stop after it, so nobody asks them any more.
            serve.drain_delay = Duration::ZERO;
            serve.drain_limit = Some(Duration::from_millis(self.drain_limit_ms));
        }
        (config.gateway.pool.protocol, config.api.pool.protocol) = (inside, inside);
        let gateway = &mut config.gateway;
        gateway.serve.protocol = pool::Protocol::Any;
        gateway.serve.drain_delay = Duration::from_millis(self.drain_delay_ms);
        gateway.serve.connection_limit = self.connection_limit;
        gateway.serve.in_flight_limit = self.in_flight_limit;
        gateway.outliers = self.ejects_outliers.then(OutlierRules::default);
        gateway.hedges = self.hedges_reads.then(HedgeRules::default);
        gateway.health_interval = Duration::from_millis(self.health.interval_ms);
        gateway.health_timeout = Duration::from_millis(self.health.timeout_ms);
        (gateway.fall, gateway.rise) = (self.health.fall, self.health.rise);
        config.api.coalesces_prices = self.coalesces_prices;
        config.api.pricing_timeout = Duration::from_millis(self.pricing.timeout_ms);
        config.pricing.impairment.set_delay(Duration::from_millis(self.pricing.delay_ms));
        config.pricing.impairment.set_failures_percent(self.pricing.failures_percent);
        config
    }
}

impl From<Level> for tracing::Level {
    fn from(level: Level) -> tracing::Level {
        match level {
            Level::Error => tracing::Level::ERROR,
            Level::Warn => tracing::Level::WARN,
            Level::Info => tracing::Level::INFO,
            Level::Debug => tracing::Level::DEBUG,
            Level::Trace => tracing::Level::TRACE,
        }
    }
}
