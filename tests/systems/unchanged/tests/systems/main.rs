//! Each system as a scenario, with the few lines that join it to Squall, and one mistake of each.
//!
//! This executable is a table of scenarios, and tests that start it: every scenario passes, gives the same runs again, and
//! every mistake is caught.

mod trials;
mod workload;

use std::process::ExitCode;
use std::sync::OnceLock;

use squall::prelude::*;
use squall::scenario::Mistake;
use unchanged::{hyper_pool, lines, mqtt, postgres, redis_resp, reqwest_axum, rustls_lines, std_thread};
use unchanged::{tarpc_json, tonic_health, websocket};
use workload::{ASKS_AGAIN, BELIEVES, HURRIES, RIGHT, WAITS, Ways, system};

fn reqwest(ways: Ways) -> Scenario {
    let serve = |store| async { Ok(reqwest_axum::serve(store).await?) };
    system("reqwest", ways, serve, |habits| async move { reqwest_axum::connect("server", habits) })
}

fn reqwest_by_address(ways: Ways) -> Scenario {
    let serve = |store| async { Ok(reqwest_axum::serve(store).await?) };
    system("reqwest_by_address", ways, serve, |habits| async move { reqwest_axum::connect("192.168.0.1", habits) })
}

fn redis(ways: Ways) -> Scenario {
    let serve = |store| async { Ok(redis_resp::serve(store).await?) };
    system("redis", ways, serve, |habits| redis_resp::connect("server", habits))
}

fn tokio_postgres(ways: Ways) -> Scenario {
    let serve = |store| async { Ok(postgres::serve(store).await?) };
    system("tokio_postgres", ways, serve, |habits| postgres::connect("server", habits))
}

fn tungstenite(ways: Ways) -> Scenario {
    let serve = |store| async { Ok(websocket::serve(store).await?) };
    system("tungstenite", ways, serve, |habits| websocket::connect("server", habits))
}

fn tonic(ways: Ways) -> Scenario {
    let serve = |store| async { Ok(tonic_health::serve(store).await?) };
    system("tonic", ways, serve, |habits| tonic_health::connect("server", habits))
}

fn hyper(ways: Ways) -> Scenario {
    let serve = |store| async { Ok(hyper_pool::serve(store).await?) };
    system("hyper", ways, serve, |habits| async move { Ok(hyper_pool::connect("server", habits)) })
}

fn std_blocking(ways: Ways) -> Scenario {
    let serve = |store| async { Ok(lines::serve(store).await?) };
    system("std_blocking", ways, serve, |habits| async move { Ok(std_thread::connect("server", habits)) })
}

fn tarpc(ways: Ways) -> Scenario {
    let serve = |store| async { Ok(tarpc_json::serve(store).await?) };
    system("tarpc", ways, serve, |habits| tarpc_json::connect("server", habits))
}

fn rumqttc(ways: Ways) -> Scenario {
    let serve = |store| async { Ok(mqtt::serve(store).await?) };
    system("rumqttc", ways, serve, |habits| async move { Ok(mqtt::connect("server", habits)) })
}

fn rustls(ways: Ways) -> Scenario {
    /// It is made in a run, whose entropy is that of its seed.
    static IDENTITY: OnceLock<rustls_lines::Identity> = OnceLock::new();
    let identity = || IDENTITY.get_or_init(|| rustls_lines::identity("server").expect("a name that is one"));
    let serve = move |store| rustls_lines::serve(store, identity());
    system("rustls", ways, serve, move |habits| rustls_lines::connect("server", identity(), habits))
}

const SCENARIOS: [fn() -> Scenario; 11] = [
    || reqwest(RIGHT),
    || reqwest_by_address(RIGHT),
    || redis(RIGHT),
    || tokio_postgres(RIGHT),
    || tungstenite(RIGHT),
    || tonic(RIGHT),
    || hyper(RIGHT),
    || std_blocking(RIGHT),
    || tarpc(RIGHT),
    || rumqttc(RIGHT),
    || rustls(RIGHT),
];

const IN_TIME: &str = "operations end in time";

const MISTAKES: [fn() -> Mistake; 11] = [
    || mistake("reqwest_waits_for_ever", reqwest, WAITS, IN_TIME),
    || mistake("reqwest_by_address_waits_for_ever", reqwest_by_address, WAITS, IN_TIME),
    || mistake("redis_asks_again", redis, ASKS_AGAIN, "I3"),
    || mistake("tokio_postgres_hurries", tokio_postgres, HURRIES, "C2"),
    || mistake("tungstenite_hurries", tungstenite, HURRIES, "C2"),
    || mistake("tonic_asks_again", tonic, ASKS_AGAIN, "I3"),
    || mistake("hyper_asks_again", hyper, ASKS_AGAIN, "I3"),
    || mistake("std_blocking_waits_for_ever", std_blocking, WAITS, IN_TIME),
    || mistake("tarpc_keeps_its_deadline_of_ten_seconds", tarpc, WAITS, IN_TIME),
    || mistake("rumqttc_believes", rumqttc, BELIEVES, "I3"),
    || mistake("rustls_hurries", rustls, HURRIES, "C2"),
];

fn mistake(name: &str, scenario: fn(Ways) -> Scenario, wrong: Ways, promise: &str) -> Mistake {
    Mistake::new(name, scenario(RIGHT), scenario(wrong)).breaks(promise)
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("cli") || squall::internal::sandbox::is_zygote() {
        return squall::main_with_mistakes(SCENARIOS, MISTAKES);
    }
    trials::run(&SCENARIOS.map(|scenario| scenario()), &MISTAKES.map(|mistake| mistake()))
}
