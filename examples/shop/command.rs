//! The command line of the shop on localhost: `up` runs all its programs, `order` places orders.
//!
//! Owns the flags and the exit codes. [`settings`], [`metrics`] and [`up`](mod@up) are beside it; everything else is in
//! `sims/shop`.

mod metrics;
pub mod settings;
pub mod up;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};

use crate::shop::client::{CallError, ShopClient};
use crate::shop::client_config::ClientConfig;
use crate::shop::message::{Order, is_sku};
use crate::shop::net::TokioConnector;
use crate::shop::observe::{AttemptOutcome, no_observer};
use settings::{Level, Protocol, Settings};

/// A shop on real sockets: a gateway, three api servers, a store and a pricing service.
#[derive(Parser)]
#[command(name = "shop", arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start all programs and run until Ctrl-C or SIGTERM.
    Up(Flags),
    /// Place orders and print their receipts.
    Order {
        /// The number of orders to place.
        #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
        count: u32,
        /// Where the gateway listens.
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7878")]
        gateway: SocketAddr,
        /// The article to order.
        #[arg(long, default_value = "teapot", value_parser = parse_sku)]
        sku: String,
    },
}

/// The settings of `up`, each of which replaces that of the file.
#[derive(Args)]
struct Flags {
    /// A TOML file with settings, such as `apis = 5` or `drain_delay_ms = 2000`.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the gateway listens [default: 127.0.0.1:7878].
    #[arg(long, value_name = "ADDR")]
    gateway: Option<SocketAddr>,
    /// Where `/metrics` is served [default: 127.0.0.1:7879].
    #[arg(long, value_name = "ADDR")]
    metrics: Option<SocketAddr>,
    /// The store's file; without it, orders are lost when the shop stops.
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// What the programs speak with each other [default: http1].
    #[arg(long, value_enum)]
    protocol: Option<Protocol>,
    /// The least important messages that are logged [default: info].
    #[arg(long, value_enum)]
    log: Option<Level>,
}

impl Flags {
    /// What the file says, or the defaults, except for what the flags say.
    fn settings(self) -> Result<Settings, String> {
        let file = self.config.map_or_else(|| Ok(Settings::default()), |path| Settings::read(&path))?;
        Ok(Settings {
            gateway: self.gateway.unwrap_or(file.gateway),
            metrics: self.metrics.unwrap_or(file.metrics),
            data: self.data.or(file.data),
            protocol: self.protocol.unwrap_or(file.protocol),
            log: self.log.unwrap_or(file.log),
            ..file
        })
    }
}

fn parse_sku(text: &str) -> Result<String, String> {
    if is_sku(text) {
        Ok(text.to_owned())
    } else {
        Err("use 1 to 64 letters, digits, dots, dashes or underscores".to_owned())
    }
}

/// Runs the command line; the first argument is the program's name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            print!("{error}");
            return ExitCode::SUCCESS;
        }
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            eprint!("{error}");
            return ExitCode::from(2);
        }
        Err(error) => {
            // The first paragraph says what is wrong; the rest repeats the usage.
            let text = error.to_string();
            let first = text.split("\n\n").next().unwrap_or_default();
            let line = first.split_whitespace().collect::<Vec<_>>().join(" ");
            eprintln!("{line} (try --help)");
            return ExitCode::from(2);
        }
    };
    match execute(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn execute(command: Command) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start the tokio runtime: {error}"))?;
    runtime.block_on(async {
        match command {
            Command::Up(flags) => up::up(flags.settings()?).await,
            Command::Order { count, gateway, sku } => order(count, gateway, sku).await,
        }
    })
}

async fn order(count: u32, gateway: SocketAddr, sku: String) -> Result<(), String> {
    let (host, port) = (gateway.ip().to_string(), gateway.port());
    // The store keeps the numbers of calls, so two runs of this program must not share theirs.
    let client_number = std::process::id();
    let config = ClientConfig { gateway: host, port, client_number, ..ClientConfig::default() };
    let client = ShopClient::new(TokioConnector::new(), config, no_observer());
    for _ in 0..count {
        let receipt = client.place_order(&Order::new(&sku, 1)).await;
        let receipt = receipt.map_err(|error| match error {
            CallError::Unavailable { last: AttemptOutcome::Refused, .. } => format!(
                "nothing listens at {gateway}; start the shop with: cargo run --example shop -- up --gateway {gateway}"
            ),
            error => format!("the order was not confirmed: {error}"),
        })?;
        println!("order {} : {} x {} (key {})", receipt.id, receipt.quantity, receipt.sku, receipt.key);
    }
    Ok(())
}
