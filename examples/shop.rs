//! The command line of the shop on localhost: `up` runs all its programs, `order` places orders.
//!
//! Everything else is in `sims/shop`.

#[path = "../sims/shop/mod.rs"]
mod shop;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use shop::client::{CallError, ShopClient};
use shop::client_config::ClientConfig;
use shop::localhost::{Shop, ShopConfig};
use shop::message::{Order, is_sku};
use shop::net::TokioConnector;
use shop::observe::{AttemptOutcome, no_observer};

/// A shop on real sockets: a gateway, three api servers, a store and a pricing service.
#[derive(Parser)]
#[command(name = "shop", arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start all programs and run until Ctrl-C.
    Up {
        /// Where the gateway listens.
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7878")]
        gateway: SocketAddr,
        /// The store's file; without it, orders are lost when the shop stops.
        #[arg(long, value_name = "FILE")]
        data: Option<PathBuf>,
    },
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

fn parse_sku(text: &str) -> Result<String, String> {
    if is_sku(text) {
        Ok(text.to_owned())
    } else {
        Err("use 1 to 64 letters, digits, dots, dashes or underscores".to_owned())
    }
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
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
    match run(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start the tokio runtime: {error}"))?;
    runtime.block_on(async {
        match command {
            Command::Up { gateway, data } => up(gateway, data).await,
            Command::Order { count, gateway, sku } => order(count, gateway, sku).await,
        }
    })
}

async fn up(gateway: SocketAddr, data: Option<PathBuf>) -> Result<(), String> {
    let scratch =
        tempfile::tempdir().map_err(|error| format!("cannot create a temporary directory: {error}; check TMPDIR"))?;
    let mut config = ShopConfig::new(data.unwrap_or_else(|| scratch.path().join("store.redb")));
    config.gateway_address = gateway;
    // Everything stops together at Ctrl-C, so it is not worth waiting until the balancer notices.
    config.gateway.serve.drain_delay = Duration::ZERO;
    config.api.serve.drain_delay = Duration::ZERO;

    let mut shop = Shop::start(config).await.map_err(|error| format!("could not start {error}"))?;
    for (name, address) in shop.addresses() {
        println!("{name:<8} http://{address}");
    }
    println!("running until Ctrl-C; place orders with: cargo run --example shop -- order 3");
    tokio::select! {
        (name, result) = shop.failure() => {
            let why = result.err().map_or_else(|| "without an error".to_owned(), |error| error.to_string());
            return Err(format!("{name} ended: {why}"));
        }
        pressed = tokio::signal::ctrl_c() => pressed.map_err(|error| format!("cannot wait for Ctrl-C: {error}"))?,
    }
    println!("stopping");
    tokio::select! {
        stopped = shop.stop_all() => stopped.map_err(|error| format!("could not stop: {error}")),
        _ = tokio::signal::ctrl_c() => Err("stopped by a second Ctrl-C, with requests in flight".to_owned()),
    }
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
