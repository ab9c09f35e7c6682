//! The list of the promises, each of which is a check.

use super::policy::HttpPolicy;
use super::{attempts, bodies, budgets, connections, gone, hosts, keys, polls, probes, spread, streams};
use crate::check::Check;

impl HttpPolicy {
    /// All promises. A check that finds nothing to judge in a run leaves that run to the others, and the report says that
    /// it judged nothing.
    pub fn checks(&self) -> Vec<Check> {
        let checks = [
            self.attempts_are_limited(),
            self.retries_stay_within_their_budget(),
            self.attempts_at_a_hop_are_limited(),
            self.retries_are_spread(),
            self.retry_after_is_kept(),
            self.only_safe_requests_are_sent_again(),
            self.client_errors_are_final(),
            self.retries_go_to_another_host(),
            self.one_effect_for_a_call(),
            self.one_key_means_one_body_and_one_answer(),
            self.one_key_for_a_call(),
            self.stated_timeouts_are_kept(),
            self.timeouts_do_not_grow_over_hops(),
            self.bodies_end_in_time(),
            self.liveness_depends_on_nobody(),
            self.closing_connections_are_not_used(),
            self.idle_connections_are_closed(),
            self.nothing_is_left_open(),
            self.half_closed_connections_are_closed(),
            self.cancelled_streams_leave_others_alone(),
            self.polls_are_bounded(),
            self.truncated_requests_are_not_accepted(),
            self.responses_belong_to_their_requests(),
        ];
        checks.into_iter().map(Check::if_any).collect()
    }

    /// R1: no call makes more than `most_attempts` attempts.
    pub fn attempts_are_limited(&self) -> Check {
        attempts::limited(self.clone())
    }

    /// R2: in every window, retries stay within the budget of their client host.
    pub fn retries_stay_within_their_budget(&self) -> Check {
        attempts::within_budget(self.clone())
    }

    /// R3: retries do not multiply over hops. Needs a trace: `traceparent` or `x-request-id`, passed on by every hop.
    pub fn attempts_at_a_hop_are_limited(&self) -> Check {
        attempts::limited_at_a_hop(self.clone())
    }

    /// R4: many calls that failed do not retry at the same time after their failures. Of the retries of one group of hosts
    /// that follow the same number of failures, no twentieth of their range (of twice their median, or the longest delay if that
    /// is less) holds more than `most_retries_at_once`, so many more that chance explains it in fewer than one of 10^12
    /// cases. Fewer retries than could show that (13 by default) are not judged, and those after `Retry-After` are left out.
    pub fn retries_are_spread(&self) -> Check {
        spread::spread(self.clone())
    }

    /// R5: after a response with `Retry-After` in seconds, or with gRPC's `grpc-retry-pushback-ms`, the next attempt of its call
    /// comes no earlier.
    pub fn retry_after_is_kept(&self) -> Check {
        attempts::retry_after(self.clone())
    }

    /// R6: a request is sent again only if its method is idempotent, if it carries an idempotency key, or if no byte of it
    /// reached a server. Calls of gRPC are left out: the wire does not tell which are idempotent.
    pub fn only_safe_requests_are_sent_again(&self) -> Check {
        attempts::only_safe(self.clone())
    }

    /// R7: a response of 4xx other than 408, 425 and 429 is final, and so are the errors of the client in gRPC (for example
    /// `INVALID_ARGUMENT`). Needs a key or a trace. 409 to a request with a key is
    /// left out: it says that the first attempt is still running.
    pub fn client_errors_are_final(&self) -> Check {
        attempts::client_errors(self.clone())
    }

    /// R8: after an attempt that failed, the next attempt of its call does not go to the same host, if another host of its group
    /// is well: it lives, and gave that client an answer last, at most `healthy_for` before. Attempts after `Retry-After`
    /// are left out.
    pub fn retries_go_to_another_host(&self) -> Check {
        hosts::another(self.clone())
    }

    /// I1: attempts of a call that carry idempotency keys, the same one or several, are not accepted with other responses: that
    /// would be two effects. Needs a trace.
    pub fn one_effect_for_a_call(&self) -> Check {
        keys::one_effect()
    }

    /// I3: requests with the same idempotency key and body get the same response, if they are accepted; with another body,
    /// they are not accepted.
    pub fn one_key_means_one_body_and_one_answer(&self) -> Check {
        keys::one_answer()
    }

    /// I5: all attempts of a call carry the same idempotency key. Needs a trace.
    pub fn one_key_for_a_call(&self) -> Check {
        keys::one_key()
    }

    /// T2: an exchange whose request states a timeout (`grpc-timeout`, `x-deadline-ms`, `x-request-timeout-ms`,
    /// `x-envoy-expected-rq-timeout-ms`) has ended for its client by then.
    pub fn stated_timeouts_are_kept(&self) -> Check {
        budgets::kept(self.clone())
    }

    /// T3: what a server asks of others while it serves a request states no more time than that request, and is not sent
    /// once that time is over. Needs a trace and stated timeouts. (How much of the time was left is not judged: programs
    /// state a timeout before they wait for a connection.)
    pub fn timeouts_do_not_grow_over_hops(&self) -> Check {
        budgets::grow(self.clone())
    }

    /// T4: a response whose request states a timeout, and which has begun to arrive, has arrived whole by then, or its client
    /// has given it up.
    pub fn bodies_end_in_time(&self) -> Check {
        budgets::bodies(self.clone())
    }

    /// H5: a server that was not asked to stop answers probes of its liveness without an error: whether it lives does not
    /// depend on other services. Probes with `ready` in their paths are left out.
    pub fn liveness_depends_on_nobody(&self) -> Check {
        probes::liveness(self.clone())
    }

    /// P1: no request is sent on a connection whose end its client has seen: a FIN, a `GOAWAY`, or a response with
    /// `Connection: close`.
    pub fn closing_connections_are_not_used(&self) -> Check {
        connections::closing(self.clone())
    }

    /// P2: a client closes a connection on which nothing is asked for `idle_limit`.
    pub fn idle_connections_are_closed(&self) -> Check {
        connections::idle(self.clone())
    }

    /// P3: when the run ends, no exchange is open that began more than `quiet_after` before, unless it is `endless`: what a
    /// client gave up has left nothing behind.
    pub fn nothing_is_left_open(&self) -> Check {
        connections::left_open(self.clone())
    }

    /// P3: who sees that the other side has closed a connection closes it, too, within `quiet_after`.
    pub fn half_closed_connections_are_closed(&self) -> Check {
        gone::half_closed(self.clone())
    }

    /// P3: a server whose callers have all closed their connections before they had their responses sends no requests for
    /// them any more. Needs a trace or a key that is passed on. Not among [`checks`](HttpPolicy::checks): some servers finish
    /// what they have begun on purpose.
    pub fn work_ends_with_its_caller(&self) -> Check {
        gone::work(self.clone())
    }

    /// P4: a client that cancels a stream of HTTP/2 changes nothing for the others on its connection: the server does not reset
    /// them, and neither side closes the connection, within the round trip.
    pub fn cancelled_streams_leave_others_alone(&self) -> Check {
        streams::cancelled(self.clone())
    }

    /// P6: a client asks for the same (method, path, body and `authorization`) at a host at most `most_polls` times in every
    /// `poll_window`.
    pub fn polls_are_bounded(&self) -> Check {
        polls::bounded(self.clone())
    }

    /// C3: a request whose body was cut off is not answered with success.
    pub fn truncated_requests_are_not_accepted(&self) -> Check {
        bodies::truncated()
    }

    /// P5: a response that repeats the `x-request-id` of its request repeats the right one.
    pub fn responses_belong_to_their_requests(&self) -> Check {
        connections::mixed_up()
    }
}
