//! Calls of Squall's sockets that are named after those of tokio's, and do the same.

use super::*;

/// Runs a server that sends `hello` after a second, and then closes, with a client that is given the connection.
fn with_greeting<Fut>(client: impl Fn(HostContext, Seen, TcpStream) -> Fut + Send + Sync + 'static) -> Seen
where
    Fut: Future<Output = ()> + 'static,
{
    let server = |cx: HostContext| async move {
        let (mut stream, _) = cx.listener(80).accept().await?;
        tokio::time::sleep(secs(1)).await;
        stream.write_all(b"hello").await?;
        // What the client sends must be read, or closing the stream resets the connection.
        let mut request = [0; 2];
        stream.read_exact(&mut request).await.map(drop)
    };
    let client = Arc::new(client);
    let program = move |cx: HostContext, seen: Seen| {
        let client = client.clone();
        async move {
            let stream = cx.connector().connect("server", 80).await.unwrap();
            client(cx, seen, stream).await;
        }
    };
    world_with(20, vec![], server, program, |scenario| scenario).1
}

#[test]
fn readiness_is_waited_for_and_tried() {
    let seen = with_greeting(|cx, seen, stream| async move {
        let mut buffer = [0; 16];
        assert_eq!(stream.try_read(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        stream.writable().await.unwrap();
        assert_eq!(stream.try_write(b"o").unwrap(), 1);
        // Two wait for the same change.
        let (first, second) = tokio::join!(stream.readable(), stream.readable());
        first.and(second).unwrap();
        note(&seen, &cx, "readable");
        assert_eq!(stream.peek(&mut buffer[..3]).await.unwrap(), 3);
        assert_eq!(stream.try_read(&mut buffer).unwrap(), 5);
        assert_eq!(&buffer[..5], b"hello");
        assert_eq!(stream.try_read(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        stream.try_write(b"k").unwrap();
        stream.readable().await.unwrap();
        note(&seen, &cx, "closed");
        assert_eq!((stream.peek(&mut buffer).await.unwrap(), stream.try_read(&mut buffer).unwrap()), (0, 0));
    });
    // The server accepts with the third segment, and the greeting takes one way more.
    assert_between(at(&seen, "readable"), 1_080, 1_082);
    assert_between(at(&seen, "closed"), 1_120, 1_122);
}

#[test]
fn writing_waits_for_room() {
    let client = |cx: HostContext, seen: Seen| async move {
        let stream = cx.connector().connect("server", 80).await.unwrap();
        let mut written = 0;
        while let Ok(length) = stream.try_write(&[7; 10_000]) {
            written += length;
        }
        assert_eq!(written, 256 * 1024);
        assert_eq!(stream.try_write(b"x").unwrap_err().kind(), io::ErrorKind::WouldBlock);
        stream.writable().await.unwrap();
        note(&seen, &cx, "room");
        assert!(stream.try_write(b"x").is_ok());
    };
    let server = |cx: HostContext| async move {
        let (mut stream, _) = cx.listener(80).accept().await?;
        tokio::time::sleep(secs(1)).await;
        stream.read_exact(&mut vec![0; 256 * 1024]).await?;
        std::future::pending().await
    };
    let (_, seen) = world_with(20, vec![], server, client, |scenario| scenario);
    assert_between(at(&seen, "room"), 1_020, 1_080);
}

#[test]
fn halves_are_put_together_again() {
    let seen = with_greeting(|cx, seen, mut stream| async move {
        {
            let (reader, mut writer) = stream.split();
            assert_eq!(reader.local_addr().unwrap(), writer.local_addr().unwrap());
            writer.write_all(b"o").await.unwrap();
        }
        let (reader, writer) = stream.into_split();
        assert_eq!(reader.peer_addr().unwrap().to_string(), "192.168.0.1:80");
        let (_other_reader, other_writer) = {
            let other = cx.connector().connect("server", 81).await;
            assert!(other.is_err(), "nobody listens there");
            let listener = cx.listener(82);
            let own = cx.connector();
            let (accepted, connected) = tokio::join!(listener.accept(), own.connect("client", 82));
            connected.unwrap();
            accepted.unwrap().0.into_split()
        };
        let (reader, _) = match reader.reunite(other_writer) {
            Ok(_) => panic!("the halves are of two streams"),
            Err(squall::net::ReuniteError(reader, writer)) => (reader, writer),
        };
        // No FIN is sent, so the server still waits for the rest of the request.
        let mut stream = writer.reunite(reader).unwrap();
        let mut greeting = [0; 5];
        stream.read_exact(&mut greeting).await.unwrap();
        stream.write_all(b"k").await.unwrap();
        assert_eq!(stream.read(&mut greeting).await.unwrap(), 0);
        note(&seen, &cx, "whole");
    });
    assert!(saw(&seen, "whole"));
}

#[test]
fn a_forgotten_writer_sends_no_end() {
    let seen = with_greeting(|cx, seen, stream| async move {
        let (mut reader, mut writer) = stream.into_split();
        writer.write_all(b"o").await.unwrap();
        writer.forget();
        let mut greeting = [0; 5];
        reader.read_exact(&mut greeting).await.unwrap();
        let more = tokio::time::timeout(secs(2), reader.readable()).await;
        assert!(more.is_err(), "the server has seen no end, so it waits");
        note(&seen, &cx, "waited");
        reader.as_ref().try_write(b"k").unwrap();
        reader.readable().await.unwrap();
    });
    assert!(saw(&seen, "waited"));
}

#[test]
fn several_tasks_accept_from_one_listener() {
    let server = |cx: HostContext| async move {
        let listener = Arc::new(cx.listener(80));
        let accepting = (0..3).map(|_| {
            let listener = listener.clone();
            tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.write_all(b"hello").await;
                std::future::pending::<()>().await
            })
        });
        let accepting: Vec<_> = accepting.collect();
        for task in accepting {
            task.await.map_err(io::Error::other)?;
        }
        Ok(())
    };
    let client = |cx: HostContext, seen: Seen| async move {
        let mut streams = Vec::new();
        for _ in 0..3 {
            let mut stream = cx.connector().connect("server", 80).await.unwrap();
            stream.read_exact(&mut [0; 5]).await.unwrap();
            streams.push(stream);
        }
        note(&seen, &cx, "three");
    };
    let (_, seen) = world_with(20, vec![], server, client, |scenario| scenario);
    assert!(saw(&seen, "three"));
}

#[test]
fn options_are_read_as_they_were_set() {
    with_greeting(|_, _, mut stream| async move {
        assert_eq!((stream.nodelay().unwrap(), stream.ttl().unwrap(), stream.linger().unwrap()), (false, 64, None));
        stream.set_nodelay(true).unwrap();
        stream.set_ttl(9).unwrap();
        stream.set_linger(Some(secs(3))).unwrap();
        assert_eq!(
            (stream.nodelay().unwrap(), stream.ttl().unwrap(), stream.linger().unwrap()),
            (true, 9, Some(secs(3)))
        );
        assert!(stream.take_error().unwrap().is_none());
        stream.write_all(b"ok").await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.unwrap();
    });
}

#[test]
fn datagrams_are_tried_and_waited_for() {
    let server = |cx: HostContext| async move {
        let socket = cx.datagrams(53)?;
        socket.readable().await?;
        let mut buffer = [0; 16];
        let (length, from) = socket.try_recv_from(&mut buffer)?;
        assert_eq!(socket.try_recv(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        socket.try_send_to(&buffer[..length], from)?;
        std::future::pending().await
    };
    let client = |cx: HostContext, seen: Seen| async move {
        let socket = cx.datagrams(0).unwrap();
        socket.connect("192.168.0.1:53".parse().unwrap()).await.unwrap();
        tokio::time::sleep(millis(10)).await;
        socket.try_send(b"ask").unwrap();
        socket.readable().await.unwrap();
        let mut buffer = [0; 16];
        assert_eq!(socket.try_recv(&mut buffer).unwrap(), 3);
        note(&seen, &cx, "answered");
    };
    let (_, seen) = world_with(20, vec![], server, client, |scenario| scenario);
    assert_between(at(&seen, "answered"), 50, 52);
}
