//! Datagrams: what their sockets promise, and what the faults of links do to them.

use std::net::{Ipv4Addr, SocketAddr};

use super::*;

/// Sends each datagram back.
async fn echo_datagrams(cx: HostContext) -> io::Result<()> {
    let socket = cx.datagrams(53)?;
    let mut buffer = [0; 65_535];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..length], from).await?;
    }
}

fn server() -> SocketAddr {
    SocketAddr::from(([192, 168, 0, 1], 53))
}

/// Sends the numbers from 0 to 199 to the server, one each 10 ms, and returns the echoes that arrive by 5 s with their
/// times, in order.
async fn send_200(cx: &HostContext) -> Vec<(u8, Duration)> {
    let socket = cx.datagrams(0).unwrap();
    let mut echoes = Vec::new();
    let mut buffer = [0; 16];
    for number in 0..200 {
        socket.send_to(&[number], server()).await.unwrap();
        let until = millis(10 * u64::from(number + 1));
        while let Ok(received) =
            tokio::time::timeout(until.saturating_sub(cx.elapsed()), socket.recv_from(&mut buffer)).await
        {
            assert_eq!(received.unwrap(), (1, server()));
            echoes.push((buffer[0], cx.elapsed()));
        }
    }
    while tokio::time::timeout(secs(5).saturating_sub(cx.elapsed()), socket.recv_from(&mut buffer)).await.is_ok() {
        echoes.push((buffer[0], cx.elapsed()));
    }
    echoes
}

/// The echoes under these faults, and the effects of the faults.
fn echoes(faults: Vec<Fault>, latency: std::ops::Range<Duration>) -> (Vec<(u8, Duration)>, Vec<u64>) {
    let echoes = Arc::new(Mutex::new(Vec::new()));
    let shared = echoes.clone();
    let client = move |cx: HostContext, _: Seen| {
        let shared = shared.clone();
        async move {
            let seen = send_200(&cx).await;
            *shared.lock().unwrap() = seen;
        }
    };
    let (run, _) = world_with(20, faults, echo_datagrams, client, move |s| s.latency(latency.clone()));
    let echoes = std::mem::take(&mut *echoes.lock().unwrap());
    (echoes, run.outcome.fault_effects)
}

fn numbers(echoes: &[(u8, Duration)]) -> Vec<u8> {
    echoes.iter().map(|(number, _)| *number).collect()
}

#[test]
fn datagrams_arrive_after_a_latency_and_may_overtake_each_other() {
    let (even, _) = echoes(vec![], millis(20)..millis(20));
    assert_eq!(numbers(&even), (0..200).collect::<Vec<u8>>());
    even.iter().for_each(|(number, at)| assert_between(*at - millis(10 * u64::from(*number)), 40, 42));
    let (uneven, _) = echoes(vec![], millis(10)..millis(60));
    let mut sorted = numbers(&uneven);
    assert!(!sorted.is_sorted(), "{sorted:?}");
    sorted.sort_unstable();
    assert_eq!(sorted, (0..200).collect::<Vec<u8>>());
}

#[test]
fn faults_of_links_act_on_each_datagram() {
    let during = |generator: fault::FaultGenerator| generator.at(secs(0)).lasting(secs(5));
    let even = millis(20)..millis(20);
    let (lost, effects) = echoes(vec![during(fault::loss(0.2, "client", "server"))], even.clone());
    assert!((90..=160).contains(&lost.len()), "{} of 200 came back through a loss of 20 % each way", lost.len());
    assert_eq!(effects, [200 - lost.len() as u64]);
    let burst = fault::burst_loss(millis(300), millis(150), 1.0, "client", "server");
    let (bursts, effects) = echoes(vec![during(burst)], even.clone());
    assert!(bursts.len() < 190 && effects[0] > 10, "{} {effects:?}", bursts.len());
    let (twice, effects) =
        echoes(vec![during(fault::duplicate(0.3, "client", "server").one_way())], millis(10)..millis(60));
    assert_eq!(twice.len() as u64, 200 + effects[0]);
    assert!((30..=90).contains(&effects[0]), "{effects:?}");
    let (late, _) = echoes(vec![during(fault::latency(millis(30)..millis(30), "client", "server"))], even.clone());
    late.iter().for_each(|(number, at)| assert_between(*at - millis(10 * u64::from(*number)), 100, 102));
    let partition = fault::partition("client", "server").at(millis(500)).lasting(millis(500));
    let (cut, _) = echoes(vec![partition], even.clone());
    assert_eq!(cut.len(), 148, "those on their way when it begins are lost as well, on their way back");
    let hold = fault::hold("client", "server").at(millis(500)).lasting(millis(500));
    let (held, _) = echoes(vec![hold], even.clone());
    assert_eq!(held.len(), 200);
    let stalled = fault::output_stall("client").at(millis(500)).lasting(millis(500));
    let (stalled, effects) = echoes(vec![stalled], even.clone());
    assert_eq!((stalled.len(), effects), (200, vec![50]), "the output of the client waits for the end");
    let between = |from: u64, to: u64| stalled.iter().filter(|(_, at)| (millis(from)..millis(to)).contains(at)).count();
    assert_eq!(between(540, 1_030), 0);
    let reset = fault::partition_with_reset("client", "server").at(millis(500)).lasting(millis(500));
    let (cut, _) = echoes(vec![reset], even.clone());
    assert_eq!(cut.len(), 148, "a firewall drops datagrams, and answers none");
    let slow = during(fault::bandwidth(2_000, 1_000, "client", "server").one_way());
    let (slow, effects) = echoes(vec![slow], even);
    assert!(effects[0] > 0 && slow.last().unwrap().1 > millis(2_040), "{effects:?} {slow:?}");
}

#[test]
fn a_socket_receives_what_fits_and_nothing_too_long_is_sent() {
    let client = |cx: HostContext, seen: Seen| async move {
        let socket = cx.datagrams(9_000).unwrap();
        assert_eq!(socket.local_addr().unwrap(), SocketAddr::new(cx.address(), 9_000));
        assert_eq!(cx.datagrams(9_000).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert_eq!(socket.send_to(&[0; 65_508], server()).await.unwrap_err().raw_os_error(), Some(90), "EMSGSIZE");
        let nobody = SocketAddr::from(([10, 0, 0, 1], 53));
        assert_eq!(socket.send_to(&[0], nobody).await.unwrap_err().kind(), io::ErrorKind::NetworkUnreachable);
        assert_eq!(socket.send_to(&[7; 65_507], server()).await.unwrap(), 65_507);
        let mut buffer = [0; 65_535];
        assert_eq!(socket.recv_from(&mut buffer).await.unwrap(), (65_507, server()));
        // Three of them fit into the buffer of a socket; a short buffer of the program cuts one off.
        for _ in 0..5 {
            socket.send_to(&[7; 65_507], server()).await.unwrap();
        }
        tokio::time::sleep(secs(1)).await;
        let mut received = 0;
        while tokio::time::timeout(millis(1), socket.recv_from(&mut buffer[..10])).await.is_ok() {
            received += 1;
        }
        note(&seen, &cx, format!("{received} of 5"));
        // Nobody has this port: silence.
        socket.send_to(&[1], SocketAddr::from(([192, 168, 0, 1], 54))).await.unwrap();
        let silence = tokio::time::timeout(secs(1), socket.recv_from(&mut buffer)).await;
        assert!(silence.is_err());
        drop(socket);
        cx.datagrams(9_000).unwrap();
    };
    let (_, seen) = world_with(20, vec![], echo_datagrams, client, |s| s);
    assert!(saw(&seen, "3 of 5"), "{:?}", seen.lock().unwrap());
}

#[test]
fn a_connected_socket_knows_its_peer_on_its_own_machine_and_by_ipv6() {
    let client = |cx: HostContext, seen: Seen| async move {
        let socket = cx.datagrams(0).unwrap();
        let port = socket.local_addr().unwrap().port();
        assert_eq!(socket.peer_addr().unwrap_err().kind(), io::ErrorKind::NotConnected);
        assert_eq!(socket.send(b"x").await.unwrap_err().raw_os_error(), Some(89), "EDESTADDRREQ");
        let nobody = SocketAddr::from(([10, 0, 0, 1], 53));
        assert_eq!(socket.connect(nobody).await.unwrap_err().kind(), io::ErrorKind::NetworkUnreachable);
        // The limit of a kernel's answers is none for its own machine.
        let own = SocketAddr::from((Ipv4Addr::LOCALHOST, 7));
        socket.connect(own).await.unwrap();
        assert_eq!(socket.local_addr().unwrap(), SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        for _ in 0..50 {
            socket.send(b"x").await.unwrap();
            assert_eq!(socket.recv(&mut [0; 9]).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        }
        let ipv6 = SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0xc0a8, 1], 53));
        socket.connect(ipv6).await.unwrap();
        socket.send(b"abc").await.unwrap();
        let mut buffer = [0; 9];
        assert_eq!(socket.peek_from(&mut buffer).await.unwrap(), (3, ipv6));
        assert_eq!(socket.recv(&mut buffer).await.unwrap(), 3);
        assert!(socket.local_addr().unwrap().is_ipv6());
        assert_eq!(socket.peer_addr().unwrap(), ipv6);
        note(&seen, &cx, "done");
    };
    let (_, seen) = world_with(20, vec![], echo_datagrams, client, |s| s);
    assert!(saw(&seen, "done"), "{:?}", seen.lock().unwrap());
}

#[test]
fn the_answer_that_nobody_has_a_port_crosses_the_link_as_any_datagram() {
    let refused = |faults: Vec<Fault>| {
        let client = |cx: HostContext, seen: Seen| async move {
            let socket = cx.datagrams(0).unwrap();
            socket.connect(SocketAddr::from(([192, 168, 0, 1], 54))).await.unwrap();
            for number in 0..40 {
                socket.send(b"x").await.unwrap();
                let began = cx.elapsed();
                match tokio::time::timeout(secs(1), socket.recv(&mut [0; 9])).await {
                    Ok(Err(error)) => {
                        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
                        note(&seen, &cx, format!("refused {number}"));
                        assert_between(cx.elapsed() - began, 40, 42);
                    }
                    Ok(Ok(_)) => panic!("nobody answers"),
                    Err(_) => {}
                }
                until(&cx, (number + 1) * 1_000).await;
            }
        };
        let even = |scenario: Scenario| scenario.latency(millis(20)..millis(20));
        let (run, seen) = world_with(60, faults, echo_datagrams, client, even);
        let count = seen.lock().unwrap().iter().filter(|(label, _)| label.starts_with("refused")).count();
        (count, run.outcome.fault_effects)
    };
    assert_eq!(refused(vec![]), (40, vec![]));
    let during = |fault: fault::FaultGenerator| vec![fault.at(secs(0)).lasting(secs(50))];
    let (back, effects) = refused(during(fault::loss(0.3, "server", "client").one_way()));
    assert_eq!(effects, [40 - back as u64], "only the answers are lost");
    assert!((18..=36).contains(&back), "{back}");
    let (there, effects) = refused(during(fault::partition_with_reset("client", "server")));
    assert_eq!((there, effects), (0, vec![40]), "a firewall drops datagrams, and answers none");
}

#[test]
fn datagrams_of_a_machine_to_itself_cross_no_link() {
    let partition = vec![on_link(fault::kinds::Partition {}, 0, 1_000)];
    let client = |cx: HostContext, seen: Seen| async move {
        let inside = cx.datagrams_on(Ipv4Addr::LOCALHOST, 7).unwrap();
        let other = cx.datagrams(0).unwrap();
        let port = other.local_addr().unwrap().port();
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, 7));
        other.send_to(b"x", to).await.unwrap();
        let mut buffer = [0; 9];
        let (length, from) = inside.recv_from(&mut buffer).await.unwrap();
        assert_eq!((length, from), (1, SocketAddr::from((Ipv4Addr::LOCALHOST, port))));
        // A socket on loopback only is not reached by the machine's own address.
        other.send_to(b"y", SocketAddr::new(cx.address(), 7)).await.unwrap();
        assert!(tokio::time::timeout(millis(100), inside.recv_from(&mut buffer)).await.is_err());
        note(&seen, &cx, "received");
    };
    let (_, seen) = world_with(20, partition, echo_datagrams, client, |s| s);
    assert!(saw(&seen, "received"), "{:?}", seen.lock().unwrap());
}

#[test]
fn a_dead_program_receives_nothing_and_its_next_life_only_what_comes_later() {
    let killed = vec![on_server(fault::kinds::Kill {}, 500, 1_000)];
    let (echoes, _) = echoes(killed, millis(20)..millis(20));
    let numbers = numbers(&echoes);
    // Those that arrive from 0.5 s to 1 s are lost: 48 to 98.
    assert_eq!(numbers.len(), 149, "{numbers:?}");
    assert!(!numbers.contains(&60) && numbers.contains(&40) && numbers.contains(&120));
}
