//! Ports that several sockets share, and ports that a program chooses for a connection.

use std::net::SocketAddr;

use tokio::net::TcpSocket;

use super::*;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Two listeners of a process share port 80; each notes what it accepts.
fn shares(seen: &Seen) -> Scenario {
    let server = sharing(seen, |cx, seen| async move {
        let listener = || {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseport(true)?;
            socket.bind(address("0.0.0.0:80"))?;
            socket.listen(128)
        };
        for name in ["first", "second"] {
            let (listener, cx, seen) = (listener()?, cx.clone(), seen.clone());
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    note(&seen, &cx, name);
                    drop(stream);
                }
            });
        }
        let alone = TcpSocket::new_v4()?;
        assert_eq!(alone.bind(address("0.0.0.0:80")).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        std::future::pending::<io::Result<()>>().await
    });
    let client = |_: HostContext| async {
        tokio::time::sleep(millis(50)).await;
        for _ in 0..40 {
            TcpStream::connect(SERVER).await?;
        }
        io::Result::Ok(())
    };
    Scenario::new("shares")
        .host("server", server)
        .host("client", client)
        .plain_sockets()
        .run_for(secs(20))
        .settle_for(secs(0))
}

#[test]
fn listeners_that_share_a_port_each_get_connections() {
    let accepted = || {
        let seen = Seen::default();
        let run = run_with(&shares(&seen), Vec::new());
        assert!(run.outcome.escapes.is_empty(), "{:?}", run.outcome);
        let seen = seen.lock().unwrap();
        seen.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    let first = accepted();
    let count = |name: &str| first.iter().filter(|other| *other == name).count();
    assert!(count("first") > 5 && count("second") > 5 && first.len() == 40, "{first:?}");
    assert_eq!(first, accepted(), "the same connections go to the same listeners");
}

#[test]
fn a_connection_has_the_port_that_it_was_bound_to() {
    let seen = Seen::default();
    let client = sharing(&seen, |cx, seen| async move {
        tokio::time::sleep(millis(50)).await;
        let from = |port: u16| {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::new([0, 0, 0, 0].into(), port))?;
            io::Result::Ok(socket)
        };
        let stream = from(5_000)?.connect(address(SERVER)).await?;
        note(&seen, &cx, stream.local_addr()?.port());
        let taken = from(5_000)?.connect(address(SERVER)).await.unwrap_err();
        note(&seen, &cx, taken.kind());
        let any = from(0)?;
        let port = any.local_addr()?.port();
        let stream = any.connect(address(SERVER)).await?;
        assert_eq!((stream.local_addr()?.port(), port >= 32_768), (port, true));
        io::Result::Ok(())
    });
    let run = run_with(&scenario(10).host("client", client), Vec::new());
    let seen: Vec<String> = seen.lock().unwrap().iter().map(|(what, _)| what.clone()).collect();
    assert_eq!(seen, ["5000", "address not available"], "{:?}", run.outcome);
    assert!(!matches!(run.outcome.verdict, Verdict::Fail(_)), "{:?}", run.outcome.findings);
}

#[test]
fn a_listener_has_the_backlog_that_its_program_asks_for() {
    let seen = Seen::default();
    let server = |_: HostContext| async {
        let socket = TcpSocket::new_v4()?;
        socket.bind(address("0.0.0.0:80"))?;
        let _listener = socket.listen(2)?;
        std::future::pending::<io::Result<()>>().await
    };
    let client = sharing(&seen, |cx, seen| async move {
        tokio::time::sleep(millis(50)).await;
        let mut streams = Vec::new();
        // As on Linux, one more than the backlog waits to be accepted.
        while let Ok(stream) = tokio::time::timeout(secs(1), TcpStream::connect(SERVER)).await {
            streams.push(stream?);
        }
        note(&seen, &cx, streams.len());
        io::Result::Ok(())
    });
    let scenario = Scenario::new("backlog").host("server", server).host("client", client).plain_sockets();
    run_with(&scenario.latency(millis(10)..millis(10)).run_for(secs(20)).settle_for(secs(0)), Vec::new());
    assert_eq!(seen.lock().unwrap()[0].0, "3");
}

/// A datagram socket that shares its port by these options.
fn datagrams(port: u16, spreads: bool, takes_over: bool) -> io::Result<std::net::UdpSocket> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_port(spreads)?;
    socket.set_reuse_address(takes_over)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], port)).into())?;
    Ok(socket.into())
}

/// How many datagrams each of these sockets has received after a while.
async fn received(sockets: [&std::net::UdpSocket; 2]) -> [usize; 2] {
    tokio::time::sleep(millis(100)).await;
    sockets.map(|socket| std::iter::from_fn(|| socket.recv(&mut [0; 8]).ok()).count())
}

/// What datagram sockets see that share a port, on any kernel.
async fn share_datagrams() -> io::Result<Vec<String>> {
    let mut seen = Vec::new();
    let kind = |socket: io::Result<std::net::UdpSocket>| format!("{:?}", socket.map(drop).map_err(|e| e.kind()));

    let first = datagrams(0, true, false)?;
    let address = first.local_addr()?;
    let second = datagrams(address.port(), true, false)?;
    seen.push(format!("alone: {}", kind(datagrams(address.port(), false, false))));
    seen.push(format!("by another option: {}", kind(datagrams(address.port(), false, true))));
    let mut senders = Vec::new();
    for _ in 0..40 {
        let sender = datagrams(0, false, false)?;
        sender.send_to(b"one", address)?;
        senders.push(sender);
    }
    let counts = received([&first, &second]).await;
    seen.push(format!("each of {} gets some: {}", counts[0] + counts[1], counts.iter().all(|count| *count > 5)));
    for _ in 0..10 {
        senders[0].send_to(b"again", address)?;
    }
    let counts = received([&first, &second]).await;
    seen.push(format!("of one sender: {} and {}", counts.iter().max().unwrap(), counts.iter().min().unwrap()));
    for (sender, connected) in senders.iter().zip([&first, &second]) {
        connected.connect(sender.local_addr()?)?;
        sender.send_to(b"mine", address)?;
    }
    seen.push(format!("connected: {:?}", received([&first, &second]).await));

    let first = datagrams(0, false, true)?;
    let address = first.local_addr()?;
    let second = datagrams(address.port(), false, true)?;
    for sender in &senders {
        sender.send_to(b"one", address)?;
    }
    seen.push(format!("the last takes over: {:?}", received([&first, &second]).await));
    drop(second);
    senders[0].send_to(b"one", address)?;
    seen.push(format!("and gives back: {:?}", received([&first, &senders[0]]).await));
    Ok(seen)
}

#[test]
fn datagram_sockets_share_a_port_as_on_linux() {
    let seen = Seen::default();
    let client = sharing(&seen, |cx, seen| async move {
        share_datagrams().await?.into_iter().for_each(|what| note(&seen, &cx, what));
        io::Result::Ok(())
    });
    let run = run_with(&scenario(10).host("client", client), Vec::new());
    assert!(run.outcome.escapes.is_empty(), "{:?}", run.outcome);
    let seen: Vec<String> = seen.lock().unwrap().iter().map(|(what, _)| what.clone()).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let on_linux = runtime.block_on(share_datagrams()).unwrap();
    assert_eq!(seen, on_linux);
    assert_eq!(seen[2..5], ["each of 40 gets some: true", "of one sender: 10 and 0", "connected: [1, 1]"]);
    assert_eq!(seen[5..], ["the last takes over: [0, 40]", "and gives back: [1, 0]"]);
}
