//! The store on a simulated machine: its file, and the waits for its disk.

use std::io;

use squall::disk::OpenOptions;
use squall::prelude::*;

use super::machine::shutdown;
use crate::shop::observe::no_observer;
use crate::shop::store::{self, AfterDisk};

/// The store's file.
const ORDERS: &str = "orders.redb";

/// The store's file until it is complete.
const NEW_ORDERS: &str = "orders.redb.new";

/// Creates the store's file if there is none, and runs the store.
pub async fn run_store(cx: HostContext, config: store::Config) -> io::Result<()> {
    let disk = cx.disk();
    let settled = disk.clone();
    let after_commit = AfterDisk::new(move || {
        let disk = settled.clone();
        async move { disk.wait_until_idle().await }
    });
    let read = disk.clone();
    let after_read = AfterDisk::new(move || {
        let disk = read.clone();
        async move {
            // A read from the database's cache has nothing to wait for.
            if !disk.debt().is_zero() {
                disk.wait_until_idle().await;
            }
        }
    });
    if !disk.exists(ORDERS)? {
        // Creating a redb file is not atomic, so it is created under another name first.
        let options = OpenOptions { create: true, truncate: true, ..OpenOptions::default() };
        store::create(disk.open(NEW_ORDERS, options)?, &config)?;
        disk.rename(NEW_ORDERS, ORDERS)?;
    }
    let file = disk.open_durable(ORDERS)?;
    let config = store::Config { after_commit, after_read, ..config };
    store::run(cx.listener(80), file, config, shutdown(&cx), no_observer()).await
}
