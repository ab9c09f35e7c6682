//! What reaches out of the process: other processes, signals, and sockets.

use std::net::{TcpListener, ToSocketAddrs, UdpSocket};
use std::process::Command;

use crate::probe::{Probe, errno, text};

unsafe extern "C" {
    fn popen(command: *const libc::c_char, mode: *const libc::c_char) -> *mut libc::FILE;
    fn pclose(stream: *mut libc::FILE) -> i32;
}

fn fork() -> String {
    // SAFETY: the child only ends.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            libc::_exit(3);
        }
        let mut status = 0;
        let ended = libc::waitpid(child, &raw mut status, 0);
        format!("{} {}", ended == child, libc::WEXITSTATUS(status))
    }
}

fn raise() -> String {
    use std::sync::atomic::{AtomicI32, Ordering};
    static CAME: AtomicI32 = AtomicI32::new(0);
    extern "C" fn note(signal: i32) {
        CAME.store(signal, Ordering::SeqCst);
    }
    // SAFETY: the handler only stores a number.
    unsafe {
        libc::signal(libc::SIGUSR2, note as *const () as usize);
        libc::raise(libc::SIGUSR2);
    }
    format!("{}", CAME.load(Ordering::SeqCst))
}

fn piped() -> String {
    let mut line = [0_u8; 32];
    // SAFETY: the texts are C strings, and the buffer is as long as stated.
    unsafe {
        let stream = popen(c"echo $$".as_ptr(), c"r".as_ptr());
        if stream.is_null() {
            return format!("error {}", errno());
        }
        libc::fgets(line.as_mut_ptr().cast(), 32, stream);
        pclose(stream);
    }
    String::from_utf8_lossy(&line).trim_end_matches('\0').to_owned()
}

/// Children end while an epoll is busy, and a handler of the signal that tells so writes to one of its descriptors.
// `AsyncFd::register` is not there in the oldest version of tokio that is supported.
#[allow(deprecated)]
async fn children() -> std::io::Result<String> {
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
    static EVENT: AtomicI32 = AtomicI32::new(-1);
    static CAME: AtomicU32 = AtomicU32::new(0);
    fn add() {
        let one = 1_u64;
        // SAFETY: the number is readable.
        unsafe { libc::write(EVENT.load(Ordering::SeqCst), (&raw const one).cast(), 8) };
    }
    extern "C" fn on_child(_signal: i32) {
        CAME.fetch_add(1, Ordering::SeqCst);
        add();
    }
    // SAFETY: the descriptor is a new one, and the handler only writes.
    let event = unsafe {
        let event = OwnedFd::from_raw_fd(libc::eventfd(0, libc::EFD_NONBLOCK));
        EVENT.store(event.as_raw_fd(), Ordering::SeqCst);
        libc::signal(libc::SIGCHLD, on_child as *const () as usize);
        tokio::io::unix::AsyncFd::new(event)?
    };
    let mut processes = Vec::new();
    for _ in 0..20 {
        processes.push(Command::new("true").spawn()?);
        for _ in 0..1_000 {
            add();
            event.readable().await?.clear_ready();
            let mut count = 0_u64;
            // SAFETY: there is room for the count.
            unsafe { libc::read(event.get_ref().as_raw_fd(), (&raw mut count).cast(), 8) };
        }
    }
    for process in &mut processes {
        process.wait()?;
    }
    tokio::task::yield_now().await;
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    // SAFETY: the default is what was there before.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    Ok(format!("told: {}", CAME.load(Ordering::SeqCst) > 0))
}

/// The probes of this kind.
pub const PROBES: &[Probe] = &[
    Probe::now("processes::command", "`Command::output`", || {
        text(
            Command::new("sh")
                .args(["-c", "echo $$"])
                .output()
                .map(|output| String::from_utf8_lossy(&output.stdout).into_owned()),
        )
    }),
    // SAFETY: the text is a C string.
    Probe::now("processes::system", "`system`", || format!("{}", unsafe { libc::system(c"exit 3".as_ptr()) })),
    Probe::now("processes::popen", "`popen`", piped),
    Probe::now("processes::fork", "`fork`", fork),
    Probe::task("processes::tokio", "`tokio::process`", || {
        Box::pin(async {
            let output = tokio::process::Command::new("true").status();
            text(tokio::time::timeout(std::time::Duration::from_secs(1), output).await)
        })
    }),
    Probe::task("signals::children", "a handler of SIGCHLD that writes to a descriptor", || {
        Box::pin(async { text(children().await) })
    }),
    Probe::now("signals::raise", "`raise` and a handler", raise),
    Probe::now("signals::kill_itself", "`kill` of the own process", || {
        // SAFETY: signal 0 only asks.
        format!("{}", unsafe { libc::kill(std::process::id() as i32, 0) })
    }),
    Probe::now("signals::kill_nobody", "`kill` of a process that may exist", || {
        // SAFETY: signal 0 only asks.
        format!("{}", unsafe { libc::kill(1, 0) })
    }),
    Probe::task("signals::tokio", "`tokio::signal`", || {
        Box::pin(async {
            let waited = tokio::time::timeout(std::time::Duration::from_millis(20), tokio::signal::ctrl_c()).await;
            format!("{waited:?}")
        })
    }),
    Probe::now("sockets::listen", "`TcpListener::bind` to any port", || {
        text(TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()))
    })
    .without_plain_sockets(),
    Probe::now("sockets::listen_simulated", "the same with plain sockets", || {
        text(TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()))
    }),
    Probe::now("sockets::datagrams", "`UdpSocket::bind` to any port, with plain sockets", || {
        text(UdpSocket::bind("0.0.0.0:0").and_then(|socket| socket.local_addr()))
    }),
    Probe::now("sockets::names", "`to_socket_addrs` of a host", || {
        text(("other", 80).to_socket_addrs().map(Iterator::collect::<Vec<_>>))
    }),
    Probe::now("sockets::unknown_names", "`to_socket_addrs` of nobody", || {
        text(("nobody.example", 80).to_socket_addrs().map(Iterator::collect::<Vec<_>>))
    }),
    Probe::now("sockets::interface", "`if_nametoindex`", || {
        // SAFETY: the name is a C string.
        format!("{}", unsafe { libc::if_nametoindex(c"eth0".as_ptr()) })
    }),
    Probe::now("sockets::netlink", "a socket of another family", || {
        // SAFETY: this has no pointers.
        let socket = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW, 0) };
        format!("{} {}", socket >= 0, errno())
    }),
    Probe::now("sockets::backlog", "`eventfd` and `pipe`", || {
        let mut ends = [0; 2];
        // SAFETY: the array has room for two.
        let (event, pipe) = unsafe { (libc::eventfd(0, 0), libc::pipe(ends.as_mut_ptr())) };
        format!("{event} {pipe} {ends:?}")
    }),
];
