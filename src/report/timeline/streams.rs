//! Requests and answers of HTTP/2, and the ends of its streams and connections, as moments.

use std::time::Duration;

use super::moment::{Category, Moment, Place, Weight};
use crate::fault::duration_text;
use crate::run::Recording;
use crate::trace::exchange::{Ending, Exchange, Goaway, HttpVersion};

/// What happened.
#[derive(Clone, Copy, Debug)]
pub(super) enum What<'a> {
    /// A request was sent; its place among the exchanges.
    Asked(usize, &'a Exchange),
    /// An exchange ended.
    Ended(usize, &'a Exchange),
    /// A server will process no more streams.
    Goaway(&'a Goaway),
}

/// Something that happened on a connection that speaks HTTP/2.
#[derive(Clone, Copy, Debug)]
pub(super) struct StreamEvent<'a> {
    pub(super) at: Duration,
    pub(super) what: What<'a>,
}

impl<'a> StreamEvent<'a> {
    /// All of a run, in order.
    pub(super) fn of(recording: &'a Recording) -> Vec<StreamEvent<'a>> {
        let mut events: Vec<StreamEvent<'a>> = Vec::new();
        let exchanges = recording.observed.exchanges.iter().enumerate();
        for (place, exchange) in exchanges.filter(|(_, exchange)| exchange.version == HttpVersion::Http2) {
            events.push(StreamEvent { at: exchange.request.first_sent, what: What::Asked(place, exchange) });
            // A whole response is shown when it is sent, as with HTTP/1.
            let sent_at = exchange.response.as_ref().and_then(|response| response.last_sent);
            let at = if exchange.is_complete() { sent_at } else { exchange.ended_at };
            events.extend(at.map(|at| StreamEvent { at, what: What::Ended(place, exchange) }));
        }
        let goaways = recording.observed.goaways.iter();
        events.extend(goaways.map(|goaway| StreamEvent { at: goaway.at, what: What::Goaway(goaway) }));
        events.sort_by_key(|event| event.at);
        events
    }

    fn moment(&self, weight: Weight, category: Category, place: Place, text: String) -> Moment {
        Moment { at: self.at, weight, category, place, life: None, text }
    }

    /// The moment of a request. `effect` is what faults did to it.
    pub(super) fn asked(&self, number: u64, exchange: &Exchange, effect: &str) -> Moment {
        let weight = if effect.is_empty() { Weight::Routine } else { Weight::Notable };
        let place = Place::Between { from: exchange.client(), to: exchange.server() };
        let text = format!("r{number} {} {}{effect}", exchange.method, exchange.path);
        self.moment(weight, Category::Request, place, text)
    }

    /// The moment at which an exchange ends.
    pub(super) fn ended(&self, number: u64, exchange: &Exchange) -> Moment {
        let took = duration_text(self.at.saturating_sub(exchange.request.first_sent));
        let (client, server) = (exchange.client(), exchange.server());
        let back = Place::Between { from: server, to: client };
        let request = format!("{} {}", exchange.method, exchange.path);
        let (place, verb) = match exchange.ending {
            Ending::Complete => {
                let status = match (exchange.grpc_status, exchange.status) {
                    (Some(status), _) => format!("grpc-status {status}"),
                    (None, status) => status.unwrap_or_default().to_string(),
                };
                let is_good = exchange.is_answered() && exchange.status.is_some_and(|status| status < 400);
                let (weight, category, about) = match is_good {
                    true => (Weight::Routine, Category::Answer, String::new()),
                    false => (Weight::Notable, Category::Attempt, format!(" (to {request})")),
                };
                return self.moment(weight, category, back, format!("r{number} {status} after {took}{about}"));
            }
            Ending::Abandoned => (Place::On(client), "gives up"),
            Ending::Reset => (back, "resets"),
            Ending::Refused => (back, "refuses"),
            Ending::Closed | Ending::Cut | Ending::Open => (Place::On(client), "loses the connection of"),
        };
        let text = format!("{verb} r{number} after {took} ({request})");
        self.moment(Weight::Notable, Category::Attempt, place, text)
    }

    /// The moment at which a server takes no more streams.
    pub(super) fn goaway(&self, goaway: &Goaway, server: &str, client: &str) -> Moment {
        let place = Place::Between { from: goaway.connection.to, to: goaway.connection.from };
        let text = format!("{server} takes no more streams from {client} (GOAWAY)");
        self.moment(Weight::Notable, Category::Other, place, text)
    }
}
