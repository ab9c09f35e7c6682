//! The store on a simulated machine: its file, and the waiting for its disk.

use squall::prelude::*;

use super::super::store::{self, AfterDisk};
use super::{shutdown, spectator};

/// The file of the store.
const ORDERS: &str = "orders.redb";

/// Makes the store's file if there is none, and runs the store.
pub async fn keep_orders(cx: HostContext, cache_bytes: usize, mistakes: store::Mistakes) -> Result<(), String> {
    let disk = cx.disk();
    let settled = disk.clone();
    let after_commit = AfterDisk::new(move || {
        let disk = settled.clone();
        async move { disk.settle().await }
    });
    let read = disk.clone();
    let after_read = AfterDisk::new(move || {
        let disk = read.clone();
        async move {
            // What the database's own memory answers waits for nothing.
            if !disk.debt().is_zero() {
                disk.settle().await;
            }
        }
    });
    if !disk.exists(ORDERS).map_err(|error| error.to_string())? {
        // Creating a redb file is not atomic, so it is made under another name first.
        drop(disk.open_database(ORDERS, &redb::Builder::new()).map_err(|error| error.to_string())?);
    }
    let file = disk.open_durable(ORDERS).map_err(|error| error.to_string())?;
    let config = store::Config { after_commit, after_read, cache_bytes, mistakes, ..store::Config::default() };
    let running = store::run(cx.listener(80), file, config, shutdown(&cx), spectator(&cx));
    running.await.map_err(|error| error.to_string())
}
