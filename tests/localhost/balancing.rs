//! Tests of what the gateway does about servers that fail or are slow: ejections for answers, and reads that are asked twice.
//!
//! Those without sockets run with paused time.

use std::cell::Cell;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use tokio::time::{Instant, advance, sleep};

use crate::shop::balance::{Backend, Balancing, Pool, PoolRules};
use crate::shop::gateway;
use crate::shop::hedge::{HedgeRules, Hedging};
use crate::shop::message::{Body, problem, status_page};
use crate::shop::net::{TokioConnector, listen};
use crate::shop::observe::{Observe, no_observer};
use crate::shop::outlier::{OutlierRules, Outliers};
use crate::shop::pool::{PoolConfig, address, authority, exchange, http_client};
use crate::shop::serve::{ServeConfig, Shutdown, serve};

const BASE: Duration = Duration::from_secs(10);

fn rules() -> OutlierRules {
    OutlierRules { failures: 3, base: BASE, longest: 3 * BASE, most: 0.5 }
}

/// Lets a backend fail so often, and returns for how long it was ejected, if it was.
fn fail(outliers: &Outliers, index: usize, times: u32) -> Option<Duration> {
    (0..times).filter_map(|_| outliers.failed(index)).next_back()
}

#[tokio::test(start_paused = true)]
async fn failures_in_a_row_eject_for_longer_each_time() {
    let outliers = Outliers::new(rules(), 2);
    assert_eq!(fail(&outliers, 0, 2), None);
    outliers.succeeded(0);
    assert_eq!(fail(&outliers, 0, 2), None, "they are not in a row");
    assert_eq!(outliers.failed(0), Some(BASE));
    assert!(outliers.is_ejected(0) && !outliers.is_ejected(1));
    advance(BASE - Duration::from_millis(1)).await;
    assert!(outliers.is_ejected(0));
    advance(Duration::from_millis(1)).await;
    assert!(!outliers.is_ejected(0));

    assert_eq!(fail(&outliers, 0, 3), Some(2 * BASE));
    advance(2 * BASE).await;
    for _ in 0..2 {
        assert_eq!(fail(&outliers, 0, 3), Some(3 * BASE), "the longest");
        advance(3 * BASE).await;
    }
    // Each time of `base` without an ejection makes the next one shorter.
    advance(3 * BASE).await;
    assert_eq!(fail(&outliers, 0, 3), Some(2 * BASE));
}

#[tokio::test(start_paused = true)]
async fn the_cap_keeps_the_others_but_always_allows_one_ejection() {
    for (backends, most, ejected) in [(3, 0.1, 1), (4, 0.5, 2), (10, 0.25, 2), (1, 0.0, 1)] {
        let outliers = Outliers::new(OutlierRules { most, ..rules() }, backends);
        for index in 0..backends {
            fail(&outliers, index, 9);
        }
        assert_eq!((0..backends).filter(|index| outliers.is_ejected(*index)).count(), ejected, "{backends} {most}");
    }
    // Who was kept is ejected as soon as another one is back, if it still fails.
    let outliers = Outliers::new(OutlierRules { most: 0.1, ..rules() }, 2);
    assert_eq!((fail(&outliers, 0, 3), fail(&outliers, 1, 3)), (Some(BASE), None));
    advance(BASE).await;
    assert_eq!(outliers.failed(1), Some(BASE));
}

#[tokio::test(start_paused = true)]
async fn the_pool_passes_over_the_ejected_unless_too_few_are_left() {
    let backends: Vec<Backend> = (0..3).map(|number| Backend::new(format!("api-{number}"), 80)).collect();
    let all = OutlierRules { most: 1.0, ..rules() };
    let (balancing, panic_threshold) = (Balancing::RoundRobin, 0.5);
    let pool_rules = PoolRules { balancing, fall: 3, rise: 2, panic_threshold, outliers: Some(all) };
    let pool = Pool::new(&backends, pool_rules, no_observer());
    let used = || (0..9).map(|_| pool.next(None).unwrap()).collect::<std::collections::BTreeSet<_>>();
    (0..3).for_each(|_| pool.begin(0).failed());
    assert_eq!(used(), [1, 2].into());
    assert_eq!(pool.next(Some(1)), Some(2));
    // A probe says nothing about the answers.
    (0..5).for_each(|_| pool.record_probe(0, true));
    assert_eq!(used(), [1, 2].into());
    (0..3).for_each(|_| pool.begin(1).failed());
    assert_eq!(used(), [0, 1, 2].into(), "one of three is below the threshold");
    advance(BASE).await;
    (0..3).for_each(|_| pool.record_probe(0, false));
    assert_eq!(used(), [1, 2].into(), "the probes count as well");
}

/// What a request to a backend becomes: an answer, good or bad, after a while.
async fn answer(after_ms: u64, answer: &'static str) -> &'static str {
    sleep(Duration::from_millis(after_ms)).await;
    answer
}

fn is_good(answer: &&str) -> bool {
    *answer != "bad"
}

#[tokio::test(start_paused = true)]
async fn a_slow_read_is_asked_twice_and_the_first_good_answer_counts() {
    let hedging = Hedging::new(HedgeRules { ratio: 1.0, ..HedgeRules::default() });
    let race = async |first: (u64, &'static str), second: (u64, &'static str)| {
        let (began, asked) = (Instant::now(), Cell::new(false));
        let hedge = || {
            asked.set(true);
            answer(second.0, second.1)
        };
        let won = hedging.race(answer(first.0, first.1), hedge, is_good).await;
        (won, began.elapsed().as_millis(), asked.get())
    };
    assert_eq!(race((49, "first"), (0, "second")).await, ("first", 49, false));
    assert_eq!(race((10, "bad"), (0, "second")).await, ("bad", 10, false), "a failure is no slow answer");
    assert_eq!(race((900, "first"), (20, "second")).await, ("second", 70, true));
    assert_eq!(race((60, "first"), (200, "second")).await, ("first", 60, true));
    assert_eq!(race((60, "bad"), (200, "second")).await, ("second", 250, true));
    assert_eq!(race((900, "first"), (20, "bad")).await, ("first", 900, true));
    assert_eq!(race((90, "bad"), (20, "bad")).await, ("bad", 90, true));
}

#[tokio::test(start_paused = true)]
async fn reads_are_asked_twice_within_a_budget_and_writes_never() {
    let hedging = Hedging::new(HedgeRules { ratio: 0.25, burst: 3.0, ..HedgeRules::default() });
    let asked = Cell::new(0);
    for _ in 0..43 {
        let hedge = || {
            asked.set(asked.get() + 1);
            pending()
        };
        // As the delay is computed from the answers, theirs is always a little longer.
        let slow = hedging.delay() + Duration::from_millis(10);
        hedging.race(async { sleep(slow).await }, hedge, |()| true).await;
    }
    // Three were saved up, and each request adds a quarter.
    assert_eq!(asked.get(), 3 + 10);
    assert!(hedging.applies_to(&Method::GET));
    assert!(!hedging.applies_to(&Method::POST) && !hedging.applies_to(&Method::PUT));
}

#[tokio::test(start_paused = true)]
async fn the_delay_is_what_nearly_all_answers_take() {
    let hedging = Hedging::new(HedgeRules::default());
    let take = async |ms: u64| {
        hedging.race(answer(ms, "first"), pending, is_good).await;
    };
    for _ in 0..19 {
        take(80).await;
    }
    assert_eq!(hedging.delay(), Duration::from_millis(50), "too few answers are known");
    for ms in 1..=100 {
        take(200 + ms).await;
    }
    assert_eq!(hedging.delay().as_millis(), 296, "ninety-five of the last hundred took less");
    for _ in 0..100 {
        take(5).await;
    }
    assert_eq!(hedging.delay(), Duration::from_millis(50), "it is never shorter");
}

/// What a scripted backend does with a request that is no probe.
type Script = fn() -> Option<StatusCode>;

/// A gateway on real sockets in front of backends that answer their probes, and everything else as their scripts say: with a
/// status, or never. Returns how many requests each has got, and how to ask the gateway.
struct Scripted {
    requests: Vec<Arc<AtomicU32>>,
    gateway: SocketAddr,
    ejected: Arc<Ejected>,
}

#[derive(Default)]
struct Ejected(Mutex<Vec<String>>);

impl Observe for Ejected {
    fn ejected(&self, to: &str, _: Duration) {
        self.0.lock().unwrap().push(to.to_owned());
    }
}

impl Scripted {
    async fn start(scripts: &[Script], change: impl FnOnce(&mut gateway::Config)) -> Scripted {
        let (connector, any) = (TokioConnector::new(), SocketAddr::from(([127, 0, 0, 1], 0)));
        let mut config = gateway::Config { request_limit: Duration::from_secs(2), ..gateway::Config::default() };
        let mut requests = Vec::new();
        for (number, script) in scripts.iter().copied().enumerate() {
            let (listener, address) = listen(any).await.unwrap();
            let count = Arc::new(AtomicU32::new(0));
            let answer = move |count: Arc<AtomicU32>, request: Request<Body>| async move {
                if request.uri().path() == "/health" {
                    return status_page(StatusCode::OK, "ok");
                }
                count.fetch_add(1, Ordering::Relaxed);
                match script() {
                    Some(status) => problem(status, "as the script says"),
                    None => pending().await,
                }
            };
            let (serving, shutdown) = (ServeConfig::default(), Shutdown::new());
            tokio::spawn(serve(listener, serving, shutdown, no_observer(), count.clone(), answer));
            connector.add_name(&format!("backend-{number}"), address);
            config.backends.push(Backend::new(format!("backend-{number}"), 80));
            requests.push(count);
        }
        change(&mut config);
        let ((listener, gateway), ejected) = (listen(any).await.unwrap(), Arc::<Ejected>::default());
        tokio::spawn(gateway::run(listener, connector, config, Shutdown::new(), ejected.clone().into()));
        Scripted { requests, gateway, ejected }
    }

    async fn ask(&self, method: Method) -> StatusCode {
        let client = http_client(TokioConnector::new(), &PoolConfig::default());
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.method_mut() = method;
        *request.uri_mut() = address(&authority("127.0.0.1", self.gateway.port()), "/orders/1");
        exchange(&client, request, Duration::from_secs(20)).await.unwrap().0.status
    }

    fn requests(&self) -> Vec<u32> {
        self.requests.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }
}

#[tokio::test]
async fn the_gateway_asks_another_backend_for_a_slow_read_and_waits_for_a_slow_write() {
    let scripts: [Script; 2] = [|| None, || Some(StatusCode::OK)];
    let scripted = Scripted::start(&scripts, |config| config.hedges = Some(HedgeRules::default())).await;
    // The turns begin with the silent one.
    assert_eq!(scripted.ask(Method::GET).await, StatusCode::OK);
    assert_eq!(scripted.requests(), [1, 1]);
    // The hedge has taken the turn of the other.
    assert_eq!(scripted.ask(Method::POST).await, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(scripted.requests(), [2, 1]);
}

#[tokio::test]
async fn the_gateway_ejects_a_backend_that_answers_its_probes_and_fails_everything_else() {
    let scripts: [Script; 3] =
        [|| Some(StatusCode::OK), || Some(StatusCode::INTERNAL_SERVER_ERROR), || Some(StatusCode::NOT_FOUND)];
    let scripted = Scripted::start(&scripts, |config| config.outliers = Some(OutlierRules::default())).await;
    for _ in 0..30 {
        scripted.ask(Method::GET).await;
    }
    // Answers that report an error of the caller are no failures of the backend.
    assert_eq!(*scripted.ejected.0.lock().unwrap(), ["backend-1"]);
    let requests = scripted.requests();
    assert_eq!((requests[1], requests.iter().sum::<u32>()), (OutlierRules::default().failures, 30));
}
