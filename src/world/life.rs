//! One life of a host: its kernel, and its program if it runs one.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use tokio::runtime::Handle;

use crate::alive::AliveFlag;
use crate::host::{HostContext, Program, Shutdown};
use crate::net::{SharedNet, run_kernel};
use crate::sandbox;
use crate::trace::HostId;

/// The next life of a host.
#[derive(Debug, Default)]
pub(crate) enum Life {
    /// The machine runs no program.
    #[default]
    Idle,
    /// The machine runs its program.
    Program { program: Program, context: Box<HostContext> },
}

/// How a program ended by itself.
#[derive(Debug)]
pub(crate) enum Exit {
    Returned,
    Failed(String),
}

/// The state that the world shares with the lives of a host.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    pub(crate) life: Life,
    /// The number of lives with a program so far, this one included.
    pub(crate) lives: u32,
    pub(crate) alive: AliveFlag,
    pub(crate) shutdown: Shutdown,
    pub(crate) exit: Option<Exit>,
    /// Tells the world that a program has ended by itself.
    pub(crate) has_exited: Arc<AtomicBool>,
    /// The runtime of the program that runs.
    pub(crate) runtime: Option<Handle>,
}

/// Runs one life until the world ends it, with the kernel of its machine. To turmoil, no host ever finishes.
pub(super) async fn run_life(slot: Arc<Mutex<Slot>>, net: SharedNet, host: HostId) -> turmoil::Result {
    sandbox::enter_host(host.index());
    let kernel = tokio::task::spawn_local(run_kernel(net, host));
    run_program(slot).await;
    match kernel.await {
        Ok(never) => never,
        Err(error) => Err(format!("the kernel of host {} failed: {error}", host.0))?,
    }
    Ok(())
}

/// Runs the program of the next life, if it has one, until it ends by itself.
pub(super) async fn run_program(slot: Arc<Mutex<Slot>>) {
    let life = std::mem::take(&mut slot.lock().unwrap_or_else(PoisonError::into_inner).life);
    let Life::Program { program, context } = life else { return };
    slot.lock().unwrap_or_else(PoisonError::into_inner).runtime = Some(Handle::current());
    let alive = context.alive.clone();
    let own_alive = alive.clone();
    let running = tokio::task::spawn_local(async move {
        let mut running = program.start(*context);
        // A program that was killed inside a step does not continue, although it is dropped only after the step.
        poll_fn(|cx| if own_alive.is_set() { running.as_mut().poll(cx) } else { Poll::Pending }).await
    });
    let exit = match running.await {
        Ok(Ok(())) => Exit::Returned,
        Ok(Err(error)) => Exit::Failed(error),
        Err(error) if error.is_panic() => Exit::Failed("the program panicked".to_owned()),
        Err(_) => Exit::Failed("the program was cancelled".to_owned()),
    };
    if alive.is_set() {
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        slot.exit = Some(exit);
        slot.has_exited.store(true, Ordering::Relaxed);
    }
}
