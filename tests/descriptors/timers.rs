//! Timers that are descriptors.

#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use tokio::io::unix::AsyncFd;

use super::*;

// `AsyncFd::register` is not there in the oldest version of tokio that these tests are run with.
#[allow(deprecated)]
fn timer(clock: i32) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the call has no other condition, the descriptor is a new one, and it always is the same.
    unsafe {
        let timer = OwnedFd::from_raw_fd(libc::timerfd_create(clock, libc::TFD_NONBLOCK));
        AsyncFd::new(timer)
    }
}

fn set(timer: &OwnedFd, flags: i32, value_ms: i64, interval_ms: i64) {
    let time = |ms: i64| libc::timespec { tv_sec: ms / 1_000, tv_nsec: ms % 1_000 * 1_000_000 };
    let setting = libc::itimerspec { it_interval: time(interval_ms), it_value: time(value_ms) };
    // SAFETY: the setting is readable.
    let set = unsafe { libc::timerfd_settime(timer.as_raw_fd(), flags, &raw const setting, std::ptr::null_mut()) };
    assert_eq!(set, 0);
}

fn count(timer: &OwnedFd) -> io::Result<u64> {
    let mut count = [0; 8];
    // SAFETY: there is room for the count.
    match unsafe { libc::read(timer.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) } {
        8 => Ok(u64::from_ne_bytes(count)),
        _ => Err(io::Error::last_os_error()),
    }
}

#[test]
fn a_timer_is_over_at_its_time_and_after_each_interval() {
    let seen = Seen::default();
    let client = sharing(&seen, |cx, seen| async move {
        let timer = timer(libc::CLOCK_MONOTONIC)?;
        set(timer.get_ref(), 0, 70, 30);
        assert_eq!(count(timer.get_ref()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        for _ in 0..2 {
            timer.readable().await?.clear_ready();
            note(&seen, &cx, count(timer.get_ref())?);
        }
        tokio::time::sleep(millis(100)).await;
        note(&seen, &cx, count(timer.get_ref())?);
        set(timer.get_ref(), 0, 0, 0);
        let stopped = tokio::time::timeout(millis(200), async {
            timer.readable().await?.try_io(|fd| count(fd.get_ref())).unwrap_or(Ok(0))
        });
        note(&seen, &cx, stopped.await.is_err());
        io::Result::Ok(())
    });
    let run = run_with(&scenario(10).host("client", client), Vec::new());
    let expected = [("1", 70), ("1", 100), ("3", 200)].map(|(what, at)| (what.to_owned(), millis(at)));
    assert_eq!(seen.lock().unwrap()[..3], expected, "{:?}", run.outcome);
    assert!(run.outcome.escapes.is_empty(), "{:?}", run.outcome.escapes);
}

#[test]
fn a_timer_of_the_wall_clock_is_over_at_an_absolute_time() {
    let seen = Seen::default();
    let client = sharing(&seen, |cx, seen| async move {
        let timer = timer(libc::CLOCK_REALTIME)?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_err(io::Error::other)?;
        set(timer.get_ref(), libc::TFD_TIMER_ABSTIME, now.as_millis() as i64 + 55, 0);
        timer.readable().await?.clear_ready();
        note(&seen, &cx, count(timer.get_ref())?);
        io::Result::Ok(())
    });
    run_with(&scenario(10).host("client", client), Vec::new());
    assert_eq!(*seen.lock().unwrap(), [("1".to_owned(), millis(55))]);
}
