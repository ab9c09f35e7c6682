//! A server believes the name in a token without checking its signature.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::AUTHORIZATION;
use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::trust;
use crate::shop::message::{User, json, problem};
use crate::shop::serve::Layer;
use crate::shop::token::user_in;

pub fn mistake() -> Mistake {
    changed("claims_are_believed", trust::with, |setup| setup.api.serve.layer = Some(without_a_look_at_the_signature))
        .breaks("X2")
        .in_part("the api servers' look at tokens")
}

fn without_a_look_at_the_signature() -> Layer {
    Arc::new(|request, routes| {
        if request.uri().path() != "/whoami" {
            return routes(request);
        }
        let bearer =
            request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let answer = match bearer.and_then(user_in) {
            Some(user) => json(StatusCode::OK, &User { user }),
            None => problem(StatusCode::UNAUTHORIZED, "there is no token"),
        };
        Box::pin(async move { answer })
    })
}
