//! The shop as a scenario: the same programs on Squall's network and disk. What they log in its vocabulary is in the trace.
//!
//! Owns the glue between the shop and the simulator, and the facts that the shop's checks read.

mod keeper;
mod machine;

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use squall::check::http::{HttpPolicy, refused_writes_leave_no_effect, writes_are_acknowledged_behind};
use squall::check::{self, Check, Decoded, Effects, HealthPolicy};
use squall::history::{Completion, Operation as Seen, Pending};
use squall::prelude::*;

use super::balance::Backend;
use super::client::{CallError, Effect, ShopClient};
use super::client_config::ClientConfig;
use super::hedge::HedgeRules;
use super::message::OrderReceipt;
use super::net::AnyConnector;
use super::observe::no_observer;
use super::pool::Protocol;
use super::recorded::{audited, reply};
use super::served::every_order_is_its_own;
use super::situations::applied;
use super::workload::{self, Operation, Reply, User};
use super::{api, gateway, pricing, store};
use machine::shutdown;

pub use keeper::run_store;

/// The setup of the shop; the defaults make no mistakes.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The configuration of every buyer's client.
    pub client: ClientConfig,
    /// The gateway's configuration.
    pub gateway: gateway::Config,
    /// The configuration of every api server.
    pub api: api::Config,
    /// The store's configuration.
    pub store: store::Config,
    /// The number of buyers.
    pub buyers: u32,
    /// Draws what buyers do.
    pub operations: fn() -> SBoxedStrategy<Operation>,
    /// How buyers connect.
    pub buyer_connects: fn(&HostContext) -> AnyConnector,
    /// What each buyer speaks, by its number.
    pub buyers_speak: fn(u32) -> Protocol,
    /// How the gateway connects.
    pub gateway_connects: fn(&HostContext) -> AnyConnector,
    /// When buyers are in a hurry, if they ever are.
    pub rush: Option<Rush>,
    /// The time between the starts of a buyer's successive operations, in milliseconds.
    pub thinking_ms: std::ops::Range<u64>,
}

impl Default for Setup {
    fn default() -> Setup {
        let backends = BACKENDS.map(|name| Backend::new(name, 80)).to_vec();
        Setup {
            client: ClientConfig { retry_minimum_per_second: 0.5, retry_burst: 5.0, ..ClientConfig::default() },
            gateway: gateway::Config { backends, ..gateway::Config::default() },
            api: api::Config::default(),
            store: store::Config::default(),
            buyers: 4,
            operations: || workload::operation().sboxed(),
            buyer_connects: |cx| AnyConnector::new(cx.connector()),
            buyers_speak: |_| Protocol::Http1,
            gateway_connects: |cx| AnyConnector::new(cx.connector()),
            thinking_ms: 300..2_000,
            rush: None,
        }
    }
}

impl Setup {
    /// The defaults, changed by `change`.
    pub fn changed(change: impl FnOnce(&mut Setup)) -> Setup {
        let mut setup = Setup::default();
        change(&mut setup);
        setup
    }
}

/// A time in which buyers do more than usual. Buyers who know such times do not do any more what they are late for by a
/// second.
#[derive(Clone, Copy, Debug)]
pub struct Rush {
    /// When it begins, in milliseconds from the start of the run.
    pub begins_ms: u64,
    /// When it ends.
    pub ends_ms: u64,
    /// How many times as much they do.
    pub times: u64,
}

impl Rush {
    /// When a buyer does what he would do at this time if there were no rush: time passes faster for him in between.
    fn when(self, at_ms: u64) -> u64 {
        let Rush { begins_ms, ends_ms, times } = self;
        let hurried_ms = at_ms.saturating_sub(begins_ms).min((ends_ms - begins_ms) * times);
        at_ms - hurried_ms + hurried_ms / times
    }
}

/// The api servers.
const BACKENDS: [&str; 3] = ["api-1", "api-2", "api-3"];

/// One operation of a buyer. Its time counts from the start of the run, not from the previous operation, so that
/// removing one operation leaves the others where they were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When it begins; later, if the previous operation has not ended by then.
    pub at_ms: u64,
    /// The operation.
    pub operation: Operation,
}

/// The shortest pause between two operations of a buyer.
pub const PAUSE: Duration = millis(100);

fn steps(
    thinking_ms: std::ops::Range<u64>,
    rush: Option<Rush>,
    operation: SBoxedStrategy<Operation>,
) -> impl Strategy<Value = Vec<Step>> + Send + Sync {
    let add_up = move |steps: Vec<(u64, Operation)>| {
        let mut at_ms = 0;
        let step = |(thinking_ms, operation)| {
            at_ms += thinking_ms;
            let at_ms = rush.map_or(at_ms, |rush| rush.when(at_ms));
            Step { at_ms, operation }
        };
        steps.into_iter().map(step).collect()
    };
    proptest::collection::vec((thinking_ms, operation), 60..=60).prop_map(add_up)
}

/// How long before the end of the run the auditor reads the books; buyers stop before that.
const AUDIT: Duration = secs(6);

/// A scenario in which buyers use the shop until shortly before the end, when an auditor reads all orders.
#[track_caller]
pub fn shop(name: &str, setup: Setup) -> Scenario {
    let Setup { client, gateway, api, store, buyers, operations, thinking_ms, rush, .. } = setup;
    let Setup { buyer_connects, buyers_speak, gateway_connects, .. } = setup;
    let auditing = ClientConfig { client_number: 1_000, ..ClientConfig::default() };
    Scenario::new(name)
        .clients("buyer", buyers, steps(thinking_ms, rush, operations()), move |cx, steps| {
            let mut client = client.clone();
            client.pool.protocol = buyers_speak(cx.client());
            buy(buyer_connects(&cx), cx, steps, client, rush.map(|_| secs(1)))
        })
        .host("gateway", move |cx| {
            let signal = shutdown(&cx);
            gateway::run(cx.listener(80), gateway_connects(&cx), gateway.clone(), signal, no_observer())
        })
        .hosts("api", BACKENDS.len(), move |cx| {
            let api = api::Config { name: cx.name().to_owned(), ..api.clone() };
            api::run(cx.listener(80), cx.connector(), api, shutdown(&cx), no_observer())
        })
        .host("store", move |cx| run_store(cx, store.clone()))
        .host("pricing", |cx| pricing::run(cx.listener(80), pricing::Config::default(), shutdown(&cx), no_observer()))
        .host("auditor", move |cx| audit(cx, auditing.clone()))
        .run_for(secs(30))
        .settle_for(secs(25))
}

async fn buy(
    connector: AnyConnector,
    cx: HostContext,
    steps: Vec<Step>,
    config: ClientConfig,
    latest: Option<Duration>,
) {
    let config = ClientConfig { client_number: cx.client(), earlier_lives: cx.life(), ..config };
    let mut user = User::new(ShopClient::new(connector, config, no_observer()));
    let (run_for, settle_for) = cx.phases();
    let last_start = (run_for + settle_for).saturating_sub(AUDIT + secs(5));
    // Who comes back does not do again what an earlier life has begun.
    let born_at = cx.elapsed();
    for step in steps.into_iter().skip_while(|step| millis(step.at_ms) < born_at) {
        if latest.is_some_and(|latest| cx.elapsed() > millis(step.at_ms) + latest) {
            continue;
        }
        tokio::time::sleep(millis(step.at_ms).saturating_sub(cx.elapsed()).max(PAUSE)).await;
        if cx.elapsed() >= last_start {
            break;
        }
        let operation = cx.recorder().invoke(name_of(&step.operation), &step.operation);
        let reply = user.perform(&step.operation).await;
        complete(operation, reply);
    }
}

fn name_of(operation: &Operation) -> &'static str {
    match operation {
        Operation::PlaceOrder { .. } => "place_order",
        Operation::ReadOrder { .. } => "read_order",
        Operation::Price { .. } => "price",
        Operation::Login { .. } => "login",
        Operation::WhoAmI => "who_am_i",
        Operation::OrderAgain { .. } => "order_again",
        Operation::ForgeToken { .. } => "forge_token",
        Operation::OrderAtPrice { .. } => "order_at_price",
        Operation::WriteNote { .. } => "write_note",
        Operation::ReadNote { .. } => "read_note",
        Operation::PlaceBadOrder { .. } => "place_bad_order",
    }
}

fn complete(pending: Pending, reply: Result<Reply, CallError>) {
    match reply {
        Ok(reply) => pending.ok(&reply),
        Err(error) if error.effect() == Effect::Unknown => pending.unknown(error),
        Err(error) => pending.fail(error),
    }
}

async fn audit(cx: HostContext, config: ClientConfig) {
    cx.wait_until_recovered(AUDIT).await;
    let client = ShopClient::new(cx.connector(), config, no_observer());
    loop {
        let operation = cx.recorder().invoke("audit", &());
        match client.list_orders().await {
            Ok(orders) => return operation.ok(&orders),
            Err(error) => operation.fail(error),
        }
        tokio::time::sleep(millis(200)).await;
    }
}

/// The acknowledged orders, and those in the books. Orders of one call are one effect, whatever their keys.
pub fn orders() -> Effects {
    Effects::new(
        |operation| match reply(operation)? {
            Some(Reply::Placed(receipt)) => Ok(Some(effect_of(&receipt))),
            _ => Ok(None),
        },
        |operation| Ok(audited(operation)?.map(|orders| orders.iter().map(effect_of).collect())),
    )
    .happened_at(|trace, history| {
        let audit = history.named("audit").last();
        let orders = audit.and_then(|audit| audited(audit).ok().flatten()).unwrap_or_default();
        let effects: BTreeMap<u64, String> = orders.iter().map(|order| (order.id, effect_of(order))).collect();
        let known = applied(trace).filter_map(|(at, order)| Some((effects.get(&order)?.clone(), at)));
        known.collect()
    })
}

fn effect_of(order: &OrderReceipt) -> String {
    format!("call {}", order.call)
}

/// The facts about orders and tokens that operations report, for [`check::servers_are_interchangeable`].
pub fn facts(operation: &Seen) -> Decoded<Result<(String, String), String>> {
    if operation.name == "who_am_i"
        && let Some((_, Completion::Fail(why))) = &operation.completed
        && why.contains("401")
    {
        return Ok(Some(Err("a token that a server had issued was refused".to_owned())));
    }
    match reply(operation)? {
        Some(Reply::Placed(receipt) | Reply::Order(receipt)) => {
            let contents = serde_json::to_string(&receipt)?;
            Ok(Some(Ok((format!("order {}", receipt.id), contents))))
        }
        _ => Ok(None),
    }
}

/// The health policy of the gateway.
pub fn health_policy() -> HealthPolicy {
    // The promised times, not those of a gateway that makes a mistake.
    let promised = Setup::default().gateway;
    HealthPolicy {
        backends: BACKENDS.map(str::to_owned).to_vec(),
        interval: promised.health_interval,
        timeout: promised.health_timeout,
        fall: promised.fall,
        rise: promised.rise,
        slack: millis(200),
    }
}

/// The checks of the promises that every scenario exercises.
pub fn always() -> Vec<Check> {
    let promised = Setup::default().client;
    vec![
        check::calls_end_within(promised.deadline),
        check::attempts_end_within_their_timeout(promised.attempt_timeout),
        check::attempts_at_most(promised.max_attempts),
        orders().at_most_once(),
        orders().acknowledged_exactly_once(),
        every_order_is_its_own(),
        check::servers_are_interchangeable(facts),
        check::recovers_within(secs(8)),
    ]
}

/// The checks of the promises about retries, for scenarios in which there are retries.
fn about_retries(setup: &Setup) -> [Check; 2] {
    // The promised limits, not those of a client that makes a mistake.
    let promised = Setup::default().client;
    let window = secs(10);
    let saved_and_granted = promised.retry_burst + promised.retry_minimum_per_second * window.as_secs_f64();
    [
        check::retries_within_budget(window, promised.retry_ratio, saved_and_granted * f64::from(setup.buyers)),
        check::only_safe_requests_are_retried(),
    ]
}

/// A scenario of the shop with the checks that hold in every scenario, whether or not there are retries.
#[track_caller]
pub fn shop_without_retries(name: &str, setup: Setup) -> Scenario {
    let http = http_policy(&setup);
    let is_never_rushed = setup.rush.is_none();
    let scenario = always().into_iter().fold(shop(name, setup), Scenario::check);
    // In a rush requests are refused, without any fault.
    let scenario = match is_never_rushed {
        true => scenario.check(check::without_faults_no_operation_fails()),
        false => scenario,
    };
    scenario
        .check(writes_are_acknowledged_behind("api", "store", &["POST /login"]))
        .check(refused_writes_leave_no_effect("api", "store").if_any())
        .http_promises(&http)
}

/// The promises about HTTP that are judged off the wire, with the numbers of the right client.
pub fn http_policy(setup: &Setup) -> HttpPolicy {
    let promised = Setup::default().client;
    let window = secs(10);
    let saved_and_granted = promised.retry_burst + promised.retry_minimum_per_second * window.as_secs_f64();
    // A gateway that hedges may ask twice for each attempt of a client, within a budget of its own.
    let (asks, hedge_ratio, hedge_burst) = match setup.gateway.hedges {
        Some(_) => (2, HedgeRules::default().ratio, HedgeRules::default().burst),
        None => (1, 0.0, 0.0),
    };
    HttpPolicy {
        most_attempts: promised.max_attempts * asks,
        most_attempts_at_a_hop: promised.max_attempts * asks,
        also_safe: vec!["POST /login".to_owned()],
        budget_window: window,
        budget_ratio: promised.retry_ratio + hedge_ratio,
        budget_minimum: saved_and_granted * f64::from(setup.buyers) + hedge_burst,
        // hyper-util looks for idle connections as often as the limit is long.
        idle_limit: Setup::default().client.pool.idle_limit.unwrap_or_default() * 2,
        quiet_after: secs(15),
        // All buyers are one host.
        most_polls: (2 * setup.buyers).max(8),
        ..HttpPolicy::default()
    }
}

/// A scenario of the shop with the checks that hold in every scenario and those about retries.
#[track_caller]
pub fn shop_with_promises(name: &str, setup: Setup) -> Scenario {
    let about_retries = about_retries(&setup);
    about_retries.into_iter().fold(shop_without_retries(name, setup), Scenario::check)
}
