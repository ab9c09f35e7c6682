//! Tests of what the gateway refuses by itself because the servers refuse much, and of sessions that only one server knows.

use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderValue};
use tokio::time::advance;

use crate::fixture::Fixture;
use crate::shop::affinity::{Sessions, server_of};
use crate::shop::api_config::SessionsIn;
use crate::shop::call::CallError;
use crate::shop::pool::Protocol;
use crate::shop::throttle::{Throttle, ThrottleRules};

/// Makes this many requests, of which the servers accept all or none; returns how many were refused without asking.
fn refused(throttle: &Throttle, requests: u32, are_accepted: bool) -> usize {
    let is_refused = |_: &u32| {
        let is_refused = throttle.refuses();
        if !is_refused && !are_accepted {
            throttle.was_refused();
        }
        is_refused
    };
    (0..requests).filter(is_refused).count()
}

#[tokio::test(start_paused = true)]
async fn requests_are_let_through_while_at_least_every_second_is_accepted() {
    let throttle = Throttle::new(ThrottleRules::default());
    assert_eq!(refused(&throttle, 1_000, true), 0);
    assert_eq!(refused(&throttle, 1_000, false), 0);
    assert!(refused(&throttle, 1_000, false) > 100);
}

#[tokio::test(start_paused = true)]
async fn what_is_never_accepted_is_hardly_asked_until_it_is_forgotten() {
    let rules = ThrottleRules::default();
    let throttle = Throttle::new(rules);
    // The n-th request is let through with a chance of 1 / n, so that about ln 1,000 + 1 of them are.
    assert!((950..1_000).contains(&refused(&throttle, 1_000, false)));
    assert!(refused(&throttle, 100, true) > 0, "the servers are well again, which is found out in time");
    advance(rules.window).await;
    assert_eq!(refused(&throttle, 100, true), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_in_progress_counts_as_accepted() {
    let throttle = Throttle::new(ThrottleRules::default());
    let refused_in_a_rush = (0..100).filter(|_| throttle.refuses()).count();
    assert_eq!(refused_in_a_rush, 0);
}

#[tokio::test(start_paused = true)]
async fn the_oldest_part_of_the_window_is_forgotten_first() {
    let rules = ThrottleRules { window: Duration::from_secs(8), k: 2.0 };
    let throttle = Throttle::new(rules);
    assert_eq!(refused(&throttle, 100, true), 0);
    advance(Duration::from_secs(4)).await;
    // 100 accepted ones allow 200 requests, so the first 100 of these are let through.
    assert_eq!(refused(&throttle, 100, false), 0);
    advance(Duration::from_secs(4)).await;
    assert!(refused(&throttle, 100, false) > 80, "the accepted ones are forgotten, the refused ones are not");
}

#[test]
fn a_token_names_the_server_that_remembers_it() {
    let sessions = Sessions::new("api-2");
    let token = sessions.begin("user-1");
    let mut headers = HeaderMap::new();
    assert_eq!(server_of(&headers), None);
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
    assert_eq!(server_of(&headers), Some("api-2"));
    headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer 75.1.2"));
    assert_eq!(server_of(&headers), None);
    assert_eq!(sessions.user(&token).as_deref(), Some("user-1"));
    assert_eq!(Sessions::new("api-2").user(&token), None, "another life knows nothing of it");
}

#[test]
fn the_oldest_session_is_forgotten_first() {
    let sessions = Sessions::new("api-2");
    let tokens: Vec<String> = (0..10_001).map(|number| sessions.begin(&format!("user-{number}"))).collect();
    assert_eq!(sessions.user(&tokens[0]), None);
    assert!((1..10_001).all(|number| sessions.user(&tokens[number]) == Some(format!("user-{number}"))));
}

#[tokio::test]
async fn a_session_in_memory_sticks_to_its_server_and_ends_with_it() {
    let mut fixture = Fixture::start_with(Protocol::Http1, |config| {
        (config.api.sessions, config.gateway.sticky) = (SessionsIn::Memory, true);
    })
    .await;
    let client = fixture.client_of("gateway");
    let token = client.login("user-1").await.unwrap();
    for _ in 0..9 {
        assert_eq!(client.whoami(&token).await.unwrap(), "user-1");
    }
    let (server, _) = token.split_once('~').unwrap();
    for other in ["api-1", "api-2", "api-3"].into_iter().filter(|name| *name != server) {
        let refused = fixture.client_of(other).whoami(&token).await;
        assert!(matches!(refused, Err(CallError::Rejected { status: 401, .. })), "{refused:?}");
    }
    fixture.shop.kill(server).await;
    fixture.shop.start_program(server).await.unwrap();
    let lost = client.whoami(&token).await;
    assert!(matches!(lost, Err(CallError::Rejected { status: 401, .. })), "{lost:?}");
}
