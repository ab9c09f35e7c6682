//! Coalescing: equal requests that are in flight at the same time become one, whose answer all of them get.
//!
//! Owns the requests in flight. Whoever waits drives the request, so it goes on when the one who began it goes away, and it is
//! cancelled when nobody waits any more. The key must hold everything that the answer depends on, who asks included.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;

use futures::FutureExt;
use futures::future::{Shared, WeakShared};

type Flight<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The requests in flight, by what they ask for.
pub struct Coalescing<K, T: Clone> {
    flights: Mutex<BTreeMap<K, WeakShared<Flight<T>>>>,
}

impl<K: Ord, T: Clone> Default for Coalescing<K, T> {
    fn default() -> Coalescing<K, T> {
        Coalescing { flights: Mutex::default() }
    }
}

impl<K: Ord, T: Clone> Coalescing<K, T> {
    /// Joins the request for this key, or begins one if there is none in flight.
    pub fn join(&self, key: K, begin: impl FnOnce() -> Flight<T>) -> Shared<Flight<T>> {
        let mut flights = self.flights.lock().expect("no holder of the flights panics");
        // Those that are over, or that everybody has left.
        flights.retain(|_, flight| flight.upgrade().is_some_and(|flight| flight.peek().is_none()));
        if let Some(flight) = flights.get(&key).and_then(WeakShared::upgrade) {
            return flight;
        }
        let flight = begin().shared();
        flights.insert(key, flight.downgrade().expect("it has not been polled to its end"));
        flight
    }
}
