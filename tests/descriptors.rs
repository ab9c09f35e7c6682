//! Code that makes its own sockets, by tokio and the standard library, on simulated machines: what it sees is what it would
//! see of Squall's own sockets.
#![cfg(target_os = "linux")]

#[path = "support/echo.rs"]
mod echo;
#[path = "descriptors/leaks.rs"]
mod leaks;
#[path = "descriptors/names.rs"]
mod names;
#[path = "descriptors/ports.rs"]
mod ports;
#[path = "descriptors/timers.rs"]
mod timers;
#[path = "descriptors/unix.rs"]
mod unix;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use squall::fault::Fault;
use squall::internal::run::{Detail, Run, run};
use squall::prelude::*;
use squall::scenario::Case;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use echo::send_back;

/// What programs saw: a label and the virtual time.
type Seen = Arc<Mutex<Vec<(String, Duration)>>>;

const SERVER: &str = "192.168.0.1:80";

fn note(seen: &Seen, cx: &HostContext, what: impl ToString) {
    seen.lock().unwrap().push((what.to_string(), cx.elapsed()));
}

/// A host's program that also receives what it shares with the test.
fn sharing<Fut>(
    seen: &Seen,
    program: impl Fn(HostContext, Seen) -> Fut + Send + Sync + 'static,
) -> impl Fn(HostContext) -> Fut + Send + Sync + 'static {
    let seen = seen.clone();
    move |cx| program(cx, seen.clone())
}

async fn echo(_: HostContext) -> io::Result<()> {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(send_back(stream));
    }
}

async fn ping(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(b"ping").await?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await.map(drop)
}

fn scenario(latency_ms: u64) -> Scenario {
    Scenario::new("descriptors")
        .host("server", echo)
        .latency(millis(latency_ms)..millis(latency_ms))
        .plain_sockets()
        .run_for(secs(20))
        .settle_for(secs(0))
}

/// One run at a time. The standard library has locks that all threads of an operating system's process share, and a thread
/// of one simulation would wait in virtual time for what one of another holds. Outside of tests, a run is alone in its process.
fn alone(scenario: &Scenario, case: &Case) -> Run {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    run(scenario, case, Detail::Rich)
}

fn run_with(scenario: &Scenario, faults: Vec<Fault>) -> Run {
    let case = scenario.case(Seed(1));
    alone(scenario, &Case { plan: squall::fault::Plan { faults }, ..case })
}

#[test]
fn connect_and_echo_take_the_time_of_the_wire() {
    for step_ms in [1, 10, 25] {
        let seen = Seen::default();
        let client = sharing(&seen, |cx, seen| async move {
            tokio::time::sleep(millis(50)).await;
            let mut stream = TcpStream::connect(SERVER).await?;
            note(&seen, &cx, "connected");
            assert_eq!(stream.peer_addr()?.to_string(), SERVER);
            ping(&mut stream).await?;
            note(&seen, &cx, "answered");
            io::Result::Ok(())
        });
        let scenario = scenario(25).host("client", client).step(millis(step_ms));
        let run = run_with(&scenario, Vec::new());
        let seen = seen.lock().unwrap();
        let expected = [("connected".to_owned(), millis(100)), ("answered".to_owned(), millis(150))];
        assert_eq!(*seen, expected, "step of {step_ms} ms: {:?}", run.outcome);
        assert!(run.outcome.escapes.is_empty(), "{:?}", run.outcome.escapes);
    }
}

/// A client that connects to the server by this address, notes what it sees, and does not fail.
fn client_of(seen: &Seen, address: &'static str) -> impl Fn(HostContext) -> BoxedProgram + Send + Sync + 'static {
    let seen = seen.clone();
    move |cx| {
        let seen = seen.clone();
        Box::pin(async move {
            tokio::time::sleep(millis(50)).await;
            let mut stream = TcpStream::connect(address).await?;
            note(&seen, &cx, "connected");
            ping(&mut stream).await?;
            note(&seen, &cx, "answered");
            Ok(())
        })
    }
}

type BoxedProgram = std::pin::Pin<Box<dyn Future<Output = io::Result<()>>>>;

#[test]
fn a_name_is_looked_up_on_a_thread_and_takes_no_time() {
    let seen = Seen::default();
    let run = run_with(&scenario(25).host("client", client_of(&seen, "server:80")), Vec::new());
    let expected = [("connected".to_owned(), millis(100)), ("answered".to_owned(), millis(150))];
    assert_eq!(*seen.lock().unwrap(), expected, "{:?}", run.outcome);
    assert!(run.outcome.escapes.is_empty(), "{:?}", run.outcome.escapes);
}

#[test]
fn a_slow_lookup_takes_its_time() {
    let seen = Seen::default();
    let slow = squall::fault::dns_slow(millis(300), "client", "server").at(millis(0)).lasting(secs(5));
    run_with(&scenario(25).host("client", client_of(&seen, "server:80")), vec![slow]);
    assert_eq!(seen.lock().unwrap()[0], ("connected".to_owned(), millis(400)));
}

#[test]
fn a_blocking_task_takes_virtual_time() {
    let seen = Seen::default();
    let client = sharing(&seen, |cx, seen| async move {
        let (cx_of_task, seen_by_task) = (cx.clone(), seen.clone());
        let task = tokio::task::spawn_blocking(move || {
            std::thread::sleep(millis(70));
            note(&seen_by_task, &cx_of_task, "slept");
        });
        tokio::time::sleep(millis(30)).await;
        note(&seen, &cx, "meanwhile");
        task.await.map_err(io::Error::other)?;
        note(&seen, &cx, "joined");
        io::Result::Ok(())
    });
    let run = run_with(&scenario(10).host("client", client), Vec::new());
    let expected = [("meanwhile", 30), ("slept", 70), ("joined", 70)].map(|(what, at)| (what.to_owned(), millis(at)));
    assert_eq!(*seen.lock().unwrap(), expected, "{:?}", run.outcome);
}

#[test]
fn a_blocking_client_on_a_thread_waits_for_its_turn() {
    use std::io::{Read, Write};
    let seen = Seen::default();
    let client = sharing(&seen, |cx, seen| async move {
        tokio::time::sleep(millis(50)).await;
        let thread = std::thread::spawn(move || -> io::Result<()> {
            let mut stream = std::net::TcpStream::connect("server:80")?;
            note(&seen, &cx, "connected");
            stream.write_all(b"ping")?;
            let mut answer = [0; 4];
            stream.read_exact(&mut answer)?;
            note(&seen, &cx, "answered");
            Ok(())
        });
        tokio::time::sleep(secs(1)).await;
        thread.join().expect("the thread does not panic")
    });
    let run = run_with(&scenario(25).host("client", client), Vec::new());
    let expected = [("connected".to_owned(), millis(100)), ("answered".to_owned(), millis(150))];
    assert_eq!(*seen.lock().unwrap(), expected, "{:?}", run.outcome);
}

/// What a client reads after it is connected, with the time, while the server meets this fault at 1 s.
fn read_under(fault: squall::fault::FaultGenerator) -> (String, Duration) {
    let seen = Seen::default();
    let client = sharing(&seen, |cx, seen| async move {
        tokio::time::sleep(millis(50)).await;
        let mut stream = TcpStream::connect(SERVER).await?;
        ping(&mut stream).await?;
        if cx.elapsed() < secs(1) {
            tokio::time::sleep(millis(1_100).saturating_sub(cx.elapsed())).await;
        }
        let answer = ping(&mut stream).await;
        note(&seen, &cx, answer.map_or_else(|error| format!("{:?}", error.kind()), |()| "answered".to_owned()));
        io::Result::Ok(())
    });
    run_with(&scenario(25).host("client", client), vec![fault.at(secs(1)).lasting(secs(3))]);
    seen.lock().unwrap().first().cloned().unwrap_or_default()
}

#[test]
fn faults_act_on_plain_sockets_as_on_all() {
    use squall::fault;
    // The kernel of a killed process closes its connection.
    assert_eq!(read_under(fault::kill("server")), ("UnexpectedEof".to_owned(), millis(1_100)));
    // A machine that lost its power knows nothing of it when it is back.
    let (what, at) = read_under(fault::power_off("server"));
    assert_eq!(what, "ConnectionReset");
    assert!(at > secs(4), "{at:?}");
    // A segment that was lost is sent again.
    let (what, at) = read_under(fault::partition("client", "server"));
    assert_eq!(what, "answered");
    assert!(at > secs(4), "{at:?}");
}

#[test]
fn the_next_life_listens_again_and_finds_nothing_of_the_last() {
    let seen = Seen::default();
    let client = sharing(&seen, |cx, seen| async move {
        loop {
            tokio::time::sleep(millis(500)).await;
            let attempt = async {
                let mut stream = TcpStream::connect("server:80").await?;
                ping(&mut stream).await
            };
            note(&seen, &cx, attempt.await.map_or_else(|error| format!("{:?}", error.kind()), |()| "ok".to_owned()));
        }
        #[allow(unreachable_code)]
        io::Result::Ok(())
    });
    let kill = squall::fault::kill("server").at(millis(2_100)).lasting(millis(800));
    let run = run_with(&scenario(10).host("client", client).run_for(secs(5)), vec![kill]);
    let seen = seen.lock().unwrap();
    let labels: Vec<&str> = seen.iter().map(|(what, _)| what.as_str()).collect();
    let expected = ["ok", "ok", "ok", "ConnectionRefused", "ConnectionRefused", "ok", "ok", "ok", "ok"];
    assert_eq!(labels, expected, "{seen:?}: {:?}", run.outcome);
}

#[test]
fn a_wait_for_what_is_left_of_a_time_ends() {
    let seen = Seen::default();
    let client = sharing(&seen, |cx, seen| async move {
        let waiting = move || {
            // The clock stands where it stood, so exactly nothing is left after the first wait.
            let (lock, condition) = (std::sync::Mutex::new(()), std::sync::Condvar::new());
            let guard = lock.lock().expect("no thread panics");
            let waited = condition.wait_timeout_while(guard, millis(20), |()| true).expect("no thread panics");
            note(&seen, &cx, waited.1.timed_out());
        };
        tokio::task::spawn_blocking(waiting).await.map_err(io::Error::other)
    });
    let run = run_with(&scenario(10).host("client", client), Vec::new());
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 1, "{:?}", run.outcome);
    assert!(seen[0].1 - millis(20) < millis(1), "{seen:?}");
}

/// Sends two datagrams to the server's port, and returns what comes back.
async fn ask_by_datagrams(seen: &Seen, cx: &HostContext) -> io::Result<()> {
    let socket = tokio::net::UdpSocket::bind("0.0.0.0:0").await?;
    tokio::time::sleep(millis(50)).await;
    for question in ["one", "two"] {
        socket.send_to(question.as_bytes(), SERVER).await?;
    }
    let mut buffer = [0; 16];
    for _ in 0..2 {
        let (length, from) = socket.recv_from(&mut buffer).await?;
        note(seen, cx, format!("{} from {from}", String::from_utf8_lossy(&buffer[..length])));
    }
    Ok(())
}

#[test]
fn datagrams_pass_between_plain_sockets() {
    let seen = Seen::default();
    let server = |_: HostContext| async {
        let socket = tokio::net::UdpSocket::bind("0.0.0.0:80").await?;
        let mut buffer = [0; 16];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await?;
            socket.send_to(&buffer[..length], from).await?;
        }
        #[allow(unreachable_code)]
        io::Result::Ok(())
    };
    let client = sharing(&seen, |cx, seen| async move { ask_by_datagrams(&seen, &cx).await });
    let scenario = Scenario::new("datagrams").host("server", server).host("client", client).plain_sockets();
    let run = run_with(&scenario.latency(millis(25)..millis(25)).run_for(secs(1)).settle_for(secs(0)), Vec::new());
    let expected = ["one", "two"].map(|what| (format!("{what} from {SERVER}"), millis(100)));
    assert_eq!(*seen.lock().unwrap(), expected, "{:?}", run.outcome);
}

#[test]
fn a_thread_that_dies_while_it_waits_for_a_time_holds_nobody_up() {
    let seen = Seen::default();
    let client = sharing(&seen, |cx, seen| async move {
        note(&seen, &cx, "begins");
        let (on_thread, seen_there) = (cx.clone(), seen.clone());
        std::thread::spawn(move || {
            let address = SERVER.parse().expect("an address");
            let result = std::net::TcpStream::connect_timeout(&address, secs(2));
            note(&seen_there, &on_thread, format!("{result:?}"));
        });
        tokio::time::sleep(secs(10)).await;
        io::Result::Ok(())
    });
    let faults = vec![
        squall::fault::partition("client", "server").at(millis(0)).lasting(secs(20)),
        squall::fault::kill("client").at(secs(1)).lasting(secs(3)),
    ];
    let run = run_with(&scenario(25).host("client", client).run_for(secs(7)), faults);
    let seen = seen.lock().unwrap();
    let (labels, times): (Vec<&str>, Vec<Duration>) = seen.iter().map(|(what, at)| (what.as_str(), *at)).unzip();
    // The first life's thread is never answered; that of the second is, in its time.
    assert_eq!(labels[..2], ["begins", "begins"], "{seen:?}: {:?}", run.outcome);
    assert!(labels[2].contains("TimedOut") && labels.len() == 3, "{seen:?}");
    assert_eq!(times[2] - times[1], secs(2), "{seen:?}");
}

#[test]
fn what_is_not_simulated_is_refused_and_noted() {
    let seen = Seen::default();
    let client = sharing(&seen, |cx, seen| async move {
        let refused = std::os::unix::net::UnixDatagram::bind("/tmp/a-name");
        note(&seen, &cx, refused.map_or_else(|error| error.raw_os_error().unwrap_or_default(), |_| 0));
        io::Result::Ok(())
    });
    let run = run_with(&scenario(10).host("client", client), Vec::new());
    assert_eq!(seen.lock().unwrap()[0].0, libc::EPROTONOSUPPORT.to_string());
    let [escape] = &run.outcome.escapes[..] else { panic!("{:?}", run.outcome.escapes) };
    assert_eq!((escape.kind.name(), escape.detail.as_str()), ("refused-call", "a socket of family 1 (Unix), type 2"));
    assert!(escape.backtrace.contains("what_is_not_simulated_is_refused_and_noted"), "{}", escape.backtrace);
}

#[test]
fn a_socket_that_blocks_cannot_hold_the_thread_of_a_runtime() {
    let seen = Seen::default();
    let client = sharing(&seen, |cx, seen| async move {
        // A blocking connect on a task would hold the thread that brings its answer.
        let refused = std::net::TcpStream::connect(SERVER).map(drop);
        note(&seen, &cx, format!("{:?}", refused.map_err(|error| error.kind())));
        io::Result::Ok(())
    });
    let run = run_with(&scenario(10).host("client", client), Vec::new());
    assert_eq!(*seen.lock().unwrap(), [("Err(WouldBlock)".to_owned(), Duration::ZERO)]);
    let [escape] = &run.outcome.escapes[..] else { panic!("{:?}", run.outcome.escapes) };
    assert_eq!(escape.detail, "a socket that blocks, on the thread of a runtime");
    assert_eq!(escape.kind.name(), "refused-call");
}

/// Sets an option that takes a number.
#[allow(unsafe_code)]
fn set_option(socket: &impl std::os::fd::AsRawFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    let length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the value is as long as its length says.
    match unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), length) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Sends bytes to the server, which the kernel is to cut into datagrams of this size.
#[allow(unsafe_code)]
fn send_in_segments(socket: &std::net::UdpSocket, bytes: &[u8], size: u16) -> io::Result<isize> {
    use std::os::fd::AsRawFd;
    let address = socket2::SockAddr::from(SERVER.parse::<std::net::SocketAddr>().map_err(io::Error::other)?);
    let mut slice = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut control = [0_u64; 4];
    // SAFETY: all that the message points to lives until it is sent, and the control message fits its buffer.
    let sent = unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_name = address.as_ptr().cast_mut().cast();
        message.msg_namelen = address.len();
        message.msg_iov = &raw mut slice;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(size_of_val(&size) as u32) as usize;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_UDP;
        (*header).cmsg_type = libc::UDP_SEGMENT;
        (*header).cmsg_len = libc::CMSG_LEN(size_of_val(&size) as u32) as usize;
        libc::CMSG_DATA(header).cast::<u16>().write_unaligned(size);
        libc::sendmsg(socket.as_raw_fd(), &raw const message, 0)
    };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(sent) }
}

#[test]
fn segmentation_by_the_kernel_is_refused_in_every_way() {
    let seen = Seen::default();
    let client = sharing(&seen, |cx, seen| async move {
        let socket = std::net::UdpSocket::bind("[::]:0")?;
        let number = |result: io::Result<()>| result.map_or_else(|error| error.raw_os_error().unwrap_or(-1), |()| 0);
        note(&seen, &cx, number(set_option(&socket, libc::IPPROTO_IPV6, libc::IPV6_DONTFRAG, 1)));
        note(&seen, &cx, number(set_option(&socket, libc::SOL_UDP, libc::UDP_SEGMENT, 1_200)));
        note(&seen, &cx, number(set_option(&socket, libc::SOL_UDP, libc::UDP_GRO, 1)));
        note(&seen, &cx, number(send_in_segments(&socket, &[0; 3_000], 1_200).map(drop)));
        io::Result::Ok(())
    });
    let run = run_with(&scenario(10).host("client", client), Vec::new());
    let seen: Vec<String> = seen.lock().unwrap().iter().map(|(what, _)| what.clone()).collect();
    let expected = [0, libc::ENOPROTOOPT, libc::ENOPROTOOPT, libc::EINVAL].map(|number| number.to_string());
    assert_eq!(seen, expected, "{:?}", run.outcome);
}
