//! Stand-in for the sandbox: virtual time only.
#![allow(missing_docs)]
use crate::seed::Seed;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;
pub struct Settings {
    pub seed: Seed,
    pub epoch: Duration,
    pub hosts: Vec<String>,
}
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes {
    pub escapes: Vec<Escape>,
    pub panics: Vec<PanicNote>,
}
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escape {
    pub detail: String,
}
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PanicNote {
    pub message: String,
    pub location: String,
    pub host: Option<String>,
    pub at: Duration,
}
#[derive(Default)]
struct State {
    step: Duration,
    hosts: BTreeMap<String, (usize, tokio::time::Instant, Duration)>,
}
thread_local! { static STATE: RefCell<State> = RefCell::new(State::default()); }
fn id() -> Option<String> {
    tokio::runtime::Handle::try_current().ok().map(|h| format!("{}", h.id()))
}
pub fn enter(_: Settings) {}
pub fn leave() -> Notes {
    Notes::default()
}
pub fn set_step(start: Duration) {
    STATE.with_borrow_mut(|s| s.step = start);
}
pub fn set_outside_host(_: Option<usize>) {}
pub fn enter_host(host: usize) {
    let id = id().unwrap();
    STATE.with_borrow_mut(|s| {
        let v = (host, tokio::time::Instant::now(), s.step);
        s.hosts.insert(id, v);
    });
}
pub fn set_wall_offset(_: usize, _: i64) {}
pub fn current_host() -> Option<usize> {
    let id = id()?;
    STATE.with_borrow(|s| s.hosts.get(&id).map(|v| v.0))
}
pub fn now() -> Duration {
    let id = id();
    STATE.with_borrow(|s| match id.and_then(|id| s.hosts.get(&id)) {
        Some((_, base, start)) => *start + base.elapsed(),
        None => s.step,
    })
}
pub fn is_simulating() -> bool {
    true
}
