//! Tokio's sockets, and the machines of the real kernel: two network namespaces, joined by a pair of virtual Ethernet devices.

use std::fs::File;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;

use super::{Machine, PORT, Seen, Trouble};

const SERVER: &str = "10.77.0.1";
const CLIENT: &str = "10.77.0.2";

/// One of the two machines of a row.
#[derive(Clone)]
pub struct Real {
    /// The server's address.
    pub server: &'static str,
    /// The time since the row began.
    pub elapsed: Arc<dyn Fn() -> Duration + Send + Sync>,
    pub notes: Arc<Mutex<Vec<String>>>,
}

impl Machine for Real {
    type Stream = TcpStream;
    type Listener = TcpListener;
    type Datagrams = UdpSocket;

    async fn connect(&self) -> io::Result<TcpStream> {
        TcpStream::connect((self.server, PORT)).await
    }

    async fn listen(&self) -> io::Result<TcpListener> {
        // As with tokio's own bind, but with the simulated kernel's backlog.
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(std::net::SocketAddr::from(([0, 0, 0, 0], PORT)))?;
        socket.listen(128)
    }

    async fn accept(&self, listener: &mut TcpListener) -> io::Result<TcpStream> {
        listener.accept().await.map(|(stream, _)| stream)
    }

    async fn datagrams(&self, port: u16) -> io::Result<UdpSocket> {
        UdpSocket::bind(("0.0.0.0", port)).await
    }

    async fn send_to(&self, socket: &UdpSocket, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        socket.send_to(bytes, to).await
    }

    async fn receive(&self, socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        socket.recv_from(buffer).await
    }

    async fn connect_datagrams(&self, socket: &UdpSocket, to: SocketAddr) -> io::Result<()> {
        socket.connect(to).await
    }

    async fn send(&self, socket: &UdpSocket, bytes: &[u8]) -> io::Result<usize> {
        socket.send(bytes).await
    }

    async fn receive_only(&self, socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<usize> {
        socket.recv(buffer).await
    }

    async fn peek(&self, socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        socket.peek_from(buffer).await
    }

    fn addresses(&self, socket: &UdpSocket) -> (io::Result<SocketAddr>, io::Result<SocketAddr>) {
        (socket.local_addr(), socket.peer_addr())
    }

    fn server(&self) -> SocketAddr {
        SocketAddr::new(self.server.parse().expect("it is an address"), PORT)
    }

    fn reset_on_close(&self, stream: &TcpStream) {
        stream.set_zero_linger().expect("the kernel allows it");
    }

    fn keep_alive(&self, stream: &TcpStream, idle: u64, interval: u64, retries: u32) {
        let settings = TcpKeepalive::new()
            .with_time(Duration::from_secs(idle))
            .with_interval(Duration::from_secs(interval))
            .with_retries(retries);
        SockRef::from(stream).set_tcp_keepalive(&settings).expect("the kernel allows it");
    }

    fn user_timeout(&self, stream: &TcpStream, timeout: Duration) {
        SockRef::from(stream).set_tcp_user_timeout(Some(timeout)).expect("the kernel allows it");
    }

    fn elapsed(&self) -> Duration {
        (self.elapsed)()
    }

    fn note(&self, what: &str) {
        self.notes.lock().unwrap().push(what.to_owned());
    }
}

/// Why the real kernel cannot take part on this machine; `None` if it can.
pub fn obstacle() -> Option<String> {
    for tool in ["ip", "nft"] {
        if Command::new(tool).arg("-V").output().is_err() {
            return Some(format!("`{tool}` is not installed"));
        }
    }
    delete_leftovers();
    match Namespaces::new() {
        Ok(namespaces) => namespaces.up().err().map(|error| format!("network namespaces cannot be made: {error}")),
        Err(error) => Some(format!("network namespaces cannot be made: {error}")),
    }
}

/// Deletes the namespaces of runs that were ended before they could.
fn delete_leftovers() {
    let Ok(entries) = std::fs::read_dir("/var/run/netns") else { return };
    for name in entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        let process = name.strip_prefix("squall-").and_then(|rest| rest.split('-').next());
        if process.is_some_and(|process| !std::path::Path::new("/proc").join(process).exists()) {
            let _ = ip(&["netns", "del", &name]);
        }
    }
}

/// Two namespaces, which are deleted with this value.
struct Namespaces {
    server: String,
    client: String,
}

impl Namespaces {
    fn new() -> io::Result<Namespaces> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = |side: &str| format!("squall-{}-{number}-{side}", std::process::id());
        let namespaces = Namespaces { server: name("s"), client: name("c") };
        ip(&["netns", "add", &namespaces.server])?;
        ip(&["netns", "add", &namespaces.client])?;
        Ok(namespaces)
    }

    /// Joins the two namespaces. Addresses of devices are fixed, so that a machine that returns is the same one.
    fn up(&self) -> io::Result<()> {
        let (server, client) = (self.server.as_str(), self.client.as_str());
        ip(&[
            "link",
            "add",
            "eth",
            "address",
            "02:00:00:00:00:01",
            "netns",
            server,
            "type",
            "veth",
            "peer",
            "name",
            "eth",
            "address",
            "02:00:00:00:00:02",
            "netns",
            client,
        ])?;
        for (namespace, address) in [(server, SERVER), (client, CLIENT)] {
            ip(&["-n", namespace, "addr", "add", &format!("{address}/24"), "dev", "eth"])?;
            ip(&["-n", namespace, "link", "set", "eth", "up"])?;
            ip(&["-n", namespace, "link", "set", "lo", "up"])?;
        }
        Ok(())
    }

    /// The server's machine loses power: everything that its kernel knew is gone.
    fn replace_server(&self) -> io::Result<()> {
        ip(&["netns", "del", &self.server])?;
        ip(&["netns", "add", &self.server])?;
        // The device of the other side disappears with its peer, some time later.
        for _ in 0..100 {
            if self.up().is_ok() {
                return Ok(());
            }
            let _ = ip(&["-n", &self.client, "link", "del", "eth"]);
            thread::sleep(Duration::from_millis(20));
        }
        Err(io::Error::other("the server's namespace cannot be joined again"))
    }

    fn filter(&self, namespace: &str, hook: &str, rule: &str) -> io::Result<()> {
        let table = format!("table inet squall {{\nchain own {{\ntype filter hook {hook} priority 0;\n{rule}\n}}\n}}");
        checked(Command::new("ip").args(["netns", "exec", namespace, "nft", &table]))
    }

    fn unfilter(&self, namespace: &str) -> io::Result<()> {
        checked(Command::new("ip").args(["netns", "exec", namespace, "nft", "delete table inet squall"]))
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for namespace in [&self.server, &self.client] {
            let _ = ip(&["netns", "del", namespace]);
        }
    }
}

fn ip(arguments: &[&str]) -> io::Result<()> {
    checked(Command::new("ip").args(arguments))
}

fn checked(command: &mut Command) -> io::Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

/// Whether the server's process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Up,
    Down,
    Over,
}

/// Stops the whole process of a server, which has one thread, in each of these spans of time.
async fn stop_for(began: Instant, spans: Vec<(u64, u64)>) {
    for (from, to) in spans {
        let at = |ms: u64| began + Duration::from_millis(ms);
        tokio::time::sleep_until(at(from).into()).await;
        thread::sleep(at(to).saturating_duration_since(Instant::now()));
    }
}

/// Runs a program in a namespace, in each life of its process, until the row is over.
fn host<Fut: Future<Output = ()>, Stops: Future<Output = ()> + 'static>(
    namespace: String,
    mut life: watch::Receiver<Life>,
    program: impl Fn() -> Fut,
    stops: impl Fn() -> Stops,
) {
    loop {
        let current = *life.borrow_and_update();
        match current {
            Life::Over => return,
            Life::Down => {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(life.changed()).ok();
            }
            Life::Up => {
                let file = File::open(format!("/var/run/netns/{namespace}")).expect("the namespace exists");
                let kind = Some(rustix::thread::LinkNameSpaceType::Network);
                rustix::thread::move_into_link_name_space(std::os::fd::AsFd::as_fd(&file), kind)
                    .expect("root may enter");
                // Dropping the runtime closes all sockets, as the end of a process does.
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let tasks = tokio::task::LocalSet::new();
                tasks.block_on(&runtime, async {
                    tokio::task::spawn_local(stops());
                    tokio::select! {
                        () = async { program().await; std::future::pending().await } => {}
                        _ = life.changed() => {}
                    }
                });
            }
        }
    }
}

/// Runs the programs of a row for this long.
pub fn observe<S, SFut, C, CFut>(server: S, client: C, troubles: &[Trouble], lasting: Duration) -> io::Result<Seen>
where
    S: Fn(Real) -> SFut + Send + Sync + 'static,
    SFut: Future<Output = ()> + 'static,
    C: Fn(Real) -> CFut + Send + Sync + 'static,
    CFut: Future<Output = ()> + 'static,
{
    let namespaces = Namespaces::new()?;
    namespaces.up()?;
    let (of_server, of_client) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<Mutex<Vec<String>>>::default());
    let began = Instant::now();
    let (server_life, server_lives) = watch::channel(Life::Up);
    let (client_life, client_lives) = watch::channel(Life::Up);
    let real = |notes: &Arc<Mutex<Vec<String>>>| Real {
        server: SERVER,
        elapsed: Arc::new(move || began.elapsed()),
        notes: notes.clone(),
    };
    let (namespace, of_this) = (namespaces.server.clone(), real(&of_server));
    let pauses = troubles.iter().filter(|trouble| matches!(trouble, Trouble::Pause(..))).copied().map(span);
    let pauses: Vec<(u64, u64)> = pauses.collect();
    let stops = move || stop_for(began, pauses.clone());
    let server = thread::spawn(move || host(namespace, server_lives, || server(of_this.clone()), stops));
    let (namespace, of_this) = (namespaces.client.clone(), real(&of_client));
    let client = thread::spawn(move || host(namespace, client_lives, || client(of_this.clone()), || async {}));
    let mut agenda: Vec<(u64, Trouble, bool)> = Vec::new();
    for trouble in troubles.iter().copied() {
        let (from, to) = span(trouble);
        agenda.extend([(from, trouble, true), (to, trouble, false)]);
    }
    agenda.sort_by_key(|(at, ..)| *at);
    for (at, trouble, begins) in agenda {
        thread::sleep((began + Duration::from_millis(at)).saturating_duration_since(Instant::now()));
        change(&namespaces, &server_life, trouble, begins)?;
    }
    thread::sleep((began + lasting).saturating_duration_since(Instant::now()));
    let take = |notes: Arc<Mutex<Vec<String>>>| std::mem::take(&mut *notes.lock().unwrap());
    let seen = Seen { server: take(of_server), client: take(of_client) };
    server_life.send_replace(Life::Over);
    client_life.send_replace(Life::Over);
    server.join().and_then(|()| client.join()).map_err(|_| io::Error::other("a program panicked"))?;
    Ok(seen)
}

fn span(trouble: Trouble) -> (u64, u64) {
    use Trouble::{CutToClient, CutToServer, Kill, Partition, Pause, PowerOff, Reject};
    match trouble {
        Partition(from, to) | CutToServer(from, to) | CutToClient(from, to) => (from, to),
        Reject(from, to) | Kill(from, to) | PowerOff(from, to) | Pause(from, to) => (from, to),
    }
}

fn change(namespaces: &Namespaces, life: &watch::Sender<Life>, trouble: Trouble, begins: bool) -> io::Result<()> {
    let filter = |namespace: &str, hook: &str, rule: &str| match begins {
        true => namespaces.filter(namespace, hook, rule),
        false => namespaces.unfilter(namespace),
    };
    // Segments are lost on their way: a kernel would notice that its own output is dropped.
    let drop_input_of = |namespace: &str| filter(namespace, "input", "ip protocol { tcp, udp, icmp } drop");
    let (server, client) = (namespaces.server.as_str(), namespaces.client.as_str());
    match trouble {
        Trouble::Partition(..) => {
            drop_input_of(client)?;
            drop_input_of(server)
        }
        Trouble::CutToServer(..) => drop_input_of(server),
        Trouble::CutToClient(..) => drop_input_of(client),
        Trouble::Reject(..) => filter(server, "input", "ip protocol tcp reject with tcp reset"),
        // The process itself stops, in `stop_for`.
        Trouble::Pause(..) => Ok(()),
        Trouble::Kill(..) => {
            life.send_replace(if begins { Life::Down } else { Life::Up });
            Ok(())
        }
        Trouble::PowerOff(..) if begins => {
            // Nothing leaves the machine when its process ends.
            namespaces.filter(server, "output", "ip protocol { tcp, udp, icmp } drop")?;
            life.send_replace(Life::Down);
            Ok(())
        }
        Trouble::PowerOff(..) => {
            namespaces.replace_server()?;
            life.send_replace(Life::Up);
            Ok(())
        }
    }
}
