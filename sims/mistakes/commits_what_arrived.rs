//! A gateway takes the end of a connection for the end of the text that it was sent, and passes on what has arrived.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body_util::BodyExt;
use hyper::body::{Bytes, Frame};
use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::uploads;
use crate::shop::message::Body;
use crate::shop::serve::Layer;

pub fn mistake() -> Mistake {
    changed("commits_what_arrived", uploads::with, |setup| setup.gateway.serve.layer = Some(deaf_to_errors))
        .breaks("C3")
        .in_part("the gateway's reading of bodies")
}

fn deaf_to_errors() -> Layer {
    Arc::new(|request, routes| routes(request.map(|body| EndsWithoutErrors { body }.boxed())))
}

/// A body that ends where it breaks.
struct EndsWithoutErrors {
    body: Body,
}

impl hyper::body::Body for EndsWithoutErrors {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(context).map(|frame| frame.filter(Result::is_ok))
    }
}
