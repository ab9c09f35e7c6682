//! Each system as a scenario, with the few lines that join it to Squall, and one mistake of each.
//!
//! This executable is a table of scenarios, and tests that start it: every scenario passes, gives the same runs again, and
//! every mistake is caught.

mod trials;
mod workload;

use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use squall::history::Recorder;
use squall::prelude::*;
use squall::scenario::Mistake;
use tokio_rustls::rustls::KeyLog;
use unchanged::identity::Identity;
use unchanged::{
    dns_lines, hyper_pool, lines, mqtt, nats, postgres, quinn_streams, raft_tonic, redis_pool, redis_resp, reqwest_axum,
};
use unchanged::{reqwest_tls, rustls_lines, sqlx_postgres, std_thread, tarpc_json, tonic_health, websocket};
use workload::{ASKS_AGAIN, BELIEVES, HURRIES, RIGHT, WAITS, Ways, cluster, system};

fn reqwest(ways: Ways) -> Scenario {
    let serve = |store| async { Ok(reqwest_axum::serve(store).await?) };
    system("reqwest", ways, serve, |_, habits| async move { reqwest_axum::connect("server", habits) })
}

fn reqwest_by_address(ways: Ways) -> Scenario {
    let serve = |store| async { Ok(reqwest_axum::serve(store).await?) };
    system("reqwest_by_address", ways, serve, |_, habits| async move { reqwest_axum::connect("192.168.0.1", habits) })
}

fn redis(ways: Ways) -> Scenario {
    let serve = |store| async { Ok(redis_resp::serve(store).await?) };
    system("redis", ways, serve, |_, habits| redis_resp::connect("server", habits))
}

fn tokio_postgres(ways: Ways) -> Scenario {
    let serve = |store| async { Ok(postgres::serve(store).await?) };
    system("tokio_postgres", ways, serve, |_, habits| postgres::connect("server", habits))
}

fn tungstenite(ways: Ways) -> Scenario {
    let serve = |store| async { Ok(websocket::serve(store).await?) };
    system("tungstenite", ways, serve, |_, habits| websocket::connect("server", habits))
}

fn tonic(ways: Ways) -> Scenario {
    let serve = |store| async { Ok(tonic_health::serve(store).await?) };
    system("tonic", ways, serve, |_, habits| tonic_health::connect("server", habits))
}

fn hyper(ways: Ways) -> Scenario {
    let serve = |store| async { Ok(hyper_pool::serve(store).await?) };
    system("hyper", ways, serve, |_, habits| async move { Ok(hyper_pool::connect("server", habits)) })
}

fn std_blocking(ways: Ways) -> Scenario {
    let serve = |store| async { Ok(lines::serve(store).await?) };
    system("std_blocking", ways, serve, |_, habits| async move { Ok(std_thread::connect("server", habits)) })
}

fn tarpc(ways: Ways) -> Scenario {
    let serve = |store| async { Ok(tarpc_json::serve(store).await?) };
    system("tarpc", ways, serve, |_, habits| tarpc_json::connect("server", habits))
}

fn rumqttc(ways: Ways) -> Scenario {
    let serve = |store| async { Ok(mqtt::serve(store).await?) };
    system("rumqttc", ways, serve, |_, habits| async move { Ok(mqtt::connect("server", habits)) })
}

/// The server's identity. It is made in a run, whose entropy is that of its seed.
fn identity() -> &'static Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(|| Identity::new("server").expect("a name that is one"))
}

/// What a client's TLS agrees on becomes part of the trace, so that captures can be read.
#[derive(Debug)]
struct Secrets(Recorder);

impl KeyLog for Secrets {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        self.0.tls_secret(label, client_random, secret);
    }
}

fn rustls(ways: Ways) -> Scenario {
    let serve = |store| rustls_lines::serve(store, identity());
    system("rustls", ways, serve, |cx, habits| {
        rustls_lines::connect("server", identity(), Arc::new(Secrets(cx.recorder())), habits)
    })
}

fn quinn(ways: Ways) -> Scenario {
    let serve = |store| quinn_streams::serve(store, identity());
    system("quinn", ways, serve, |_, habits| quinn_streams::connect("server", identity(), habits))
}

fn deadpool_redis(ways: Ways) -> Scenario {
    let serve = |store| async { Ok(redis_resp::serve(store).await?) };
    system("deadpool_redis", ways, serve, |_, habits| async move { redis_pool::connect("server", habits) })
}

fn reqwest_h2(ways: Ways) -> Scenario {
    let serve = |store| reqwest_tls::serve(store, identity());
    system("reqwest_h2", ways, serve, |_, habits| async move { reqwest_tls::connect("server", identity(), habits) })
}

fn openraft(ways: Ways) -> Scenario {
    cluster("openraft", ways, raft_tonic::serve, |_, habits| raft_tonic::connect(habits))
}

fn sqlx(ways: Ways) -> Scenario {
    let serve = |store| async { Ok(postgres::serve(store).await?) };
    let scenario = system("sqlx", ways, serve, |_, habits| async move { Ok(sqlx_postgres::connect("server", habits)) });
    // Before it is told a host, sqlx looks in three places whether a server of Postgres listens on the machine's own socket.
    scenario.allow_escape("/.s.PGSQL.5432")
}

fn hickory(ways: Ways) -> Scenario {
    const SERVER: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 1);
    let serve = |store| dns_lines::serve(store, SERVER);
    system("hickory", ways, serve, |_, habits| dns_lines::connect(SERVER.into(), habits))
}

fn async_nats(ways: Ways) -> Scenario {
    system("async_nats", ways, nats::serve, |_, habits| nats::connect("server", habits))
}

const SCENARIOS: [fn() -> Scenario; 18] = [
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
    || quinn(RIGHT),
    || deadpool_redis(RIGHT),
    || reqwest_h2(RIGHT),
    || openraft(RIGHT),
    || sqlx(RIGHT),
    || async_nats(RIGHT),
    || hickory(RIGHT),
];

const IN_TIME: &str = "operations end in time";

const MISTAKES: [fn() -> Mistake; 18] = [
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
    || mistake("quinn_keeps_its_idle_timeout_of_thirty_seconds", quinn, WAITS, IN_TIME),
    || mistake("deadpool_redis_asks_again", deadpool_redis, ASKS_AGAIN, "I3"),
    || mistake("reqwest_h2_asks_again", reqwest_h2, ASKS_AGAIN, "I3"),
    || mistake("openraft_hurries", openraft, HURRIES, "C2"),
    || mistake("sqlx_asks_again", sqlx, ASKS_AGAIN, "I3"),
    || mistake("async_nats_asks_again", async_nats, ASKS_AGAIN, "I3"),
    || mistake("hickory_waits_for_ever", hickory, WAITS, IN_TIME),
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
