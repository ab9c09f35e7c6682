//! Switches between threads where none of them waits.

use super::*;

#[test]
fn threads_are_switched_at_calls_where_none_of_them_waits() {
    // Each step holds the lock, but not both together.
    let lost_update = |_: HostContext| async {
        let shared = OfC::new();
        let threads = [0, 1].map(|_| {
            let shared = shared.clone();
            thread::spawn(move || {
                let seen = shared.locked(|value| *value);
                shared.locked(|value| *value = seen + 1);
            })
        });
        on_a_thread(move || threads.map(|thread| thread.join().is_ok())).await?;
        hold(shared.locked(|value| *value) == 2, "an update is lost")
    };
    let lock_order = |_: HostContext| async {
        let (one, other) = (OfC::new(), OfC::new());
        let (one_too, other_too) = (one.clone(), other.clone());
        let take = |first: Arc<OfC>, second: Arc<OfC>| move || first.locked(|_| second.locked(|value| *value += 1));
        let threads = [thread::spawn(take(one, other)), thread::spawn(take(other_too, one_too))];
        on_a_thread(move || threads.map(|thread| thread.join().is_ok())).await.map(drop)
    };
    let lost_wake_up = |_: HostContext| async {
        let shared = OfC::new();
        let (waiter, notifier) = (shared.clone(), shared);
        let waiting = thread::spawn(move || {
            // SAFETY: the objects are valid, and this thread holds the mutex when it waits.
            waiter.locked(|value| *value) == 1
                || waiter.locked(|_| unsafe {
                    let until = after(libc::CLOCK_REALTIME, 1_000);
                    libc::pthread_cond_timedwait(waiter.condition.get(), waiter.mutex.get(), &until) == 0
                })
        });
        thread::spawn(move || {
            notifier.locked(|value| *value = 1);
            // SAFETY: the condition is valid.
            unsafe { libc::pthread_cond_signal(notifier.condition.get()) };
        });
        let is_heard = on_a_thread(move || waiting.join().is_ok_and(|is_heard| is_heard)).await?;
        hold(is_heard, "a wake-up is lost")
    };
    for (scenario, failure) in [
        (scenario(lost_update), "an update is lost"),
        (scenario(lock_order), "2 threads wait for each other's locks"),
        (scenario(lost_wake_up), "a wake-up is lost"),
    ] {
        let found = failing(&scenario);
        println!("{failure}: {} of 200", found.len());
        assert!((3..150).contains(&found.len()), "{failure}: {} of 200", found.len());
        let text = format!("{:?}", found[0].1.findings);
        assert!(text.contains(failure), "{text}");
    }
}
