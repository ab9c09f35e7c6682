//! Unix sockets of one process, by path and by abstract name.
#![allow(unsafe_code)]

use std::os::unix::net::SocketAddr;

use tokio::net::{UnixListener, UnixStream};

use super::*;

const PATH: &str = "/run/service.sock";

async fn serve(listener: UnixListener) -> io::Result<()> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let mut request = String::new();
            stream.read_to_string(&mut request).await?;
            stream.write_all(request.to_uppercase().as_bytes()).await
        });
    }
}

async fn ask(mut stream: UnixStream) -> io::Result<String> {
    stream.write_all(b"hello").await?;
    stream.shutdown().await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// What this program notes on a machine with nothing else to do.
fn noted<Fut>(program: impl Fn(HostContext, Seen) -> Fut + Send + Sync + 'static) -> Vec<(String, Duration)>
where
    Fut: Future<Output = io::Result<()>> + 'static,
{
    let seen = Seen::default();
    let run = run_with(&scenario(10).host("client", sharing(&seen, program)), Vec::new());
    assert!(run.outcome.escapes.is_empty(), "{:?}", run.outcome.escapes);
    assert!(!matches!(run.outcome.verdict, Verdict::Fail(_)), "{:?}", run.outcome.findings);
    let seen = seen.lock().unwrap();
    seen.clone()
}

fn at_once(labels: &[&str]) -> Vec<(String, Duration)> {
    labels.iter().map(|label| ((*label).to_owned(), Duration::ZERO)).collect()
}

#[test]
fn a_listener_is_found_by_its_path() {
    let seen = noted(|cx, seen| async move {
        let missing = UnixStream::connect(PATH).await.unwrap_err();
        note(&seen, &cx, missing.kind());
        let listener = UnixListener::bind(PATH)?;
        note(&seen, &cx, UnixListener::bind(PATH).unwrap_err().kind());
        assert_eq!(listener.local_addr()?.as_pathname(), Some(PATH.as_ref()));
        let serving = tokio::spawn(serve(listener));
        let stream = UnixStream::connect(PATH).await?;
        assert_eq!(stream.peer_addr()?.as_pathname(), Some(PATH.as_ref()));
        assert!(stream.local_addr()?.is_unnamed());
        note(&seen, &cx, ask(stream).await?);
        serving.abort();
        let _ = serving.await;
        // As a file does, the name outlives the listener.
        note(&seen, &cx, UnixStream::connect(PATH).await.unwrap_err().kind());
        note(&seen, &cx, UnixListener::bind(PATH).unwrap_err().kind());
        std::fs::remove_file(PATH)?;
        UnixListener::bind(PATH)?;
        Ok(())
    });
    let refused = "connection refused";
    assert_eq!(seen, at_once(&["entity not found", "address in use", "HELLO", refused, "address in use"]));
}

#[test]
fn an_abstract_name_ends_with_its_listener() {
    use std::os::linux::net::SocketAddrExt;
    let seen = noted(|cx, seen| async move {
        let address = SocketAddr::from_abstract_name("service")?;
        let bind = || {
            let listener = std::os::unix::net::UnixListener::bind_addr(&address)?;
            listener.set_nonblocking(true)?;
            UnixListener::from_std(listener)
        };
        let serving = tokio::spawn(serve(bind()?));
        let stream = std::os::unix::net::UnixStream::connect_addr(&address)?;
        stream.set_nonblocking(true)?;
        note(&seen, &cx, ask(UnixStream::from_std(stream)?).await?);
        serving.abort();
        let _ = serving.await;
        bind().map(drop)
    });
    assert_eq!(seen, at_once(&["HELLO"]));
}

#[test]
fn no_descriptor_is_passed() {
    let program = |_: HostContext| async {
        let (here, _there) = UnixStream::pair()?;
        let descriptor = std::os::fd::AsRawFd::as_raw_fd(&here);
        let mut control = [0_u64; 8];
        let mut byte = 0_u8;
        let mut slice = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
        // SAFETY: the message points to memory that is there, and its control part is that of one descriptor.
        let sent = unsafe {
            let mut message: libc::msghdr = std::mem::zeroed();
            (message.msg_iov, message.msg_iovlen) = (&raw mut slice, 1);
            message.msg_control = control.as_mut_ptr().cast();
            message.msg_controllen = libc::CMSG_SPACE(4) as usize;
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(4) as usize;
            libc::CMSG_DATA(header).cast::<i32>().write_unaligned(descriptor);
            libc::sendmsg(descriptor, &raw const message, 0)
        };
        assert_eq!((sent, io::Error::last_os_error().raw_os_error()), (-1, Some(libc::EINVAL)));
        io::Result::Ok(())
    };
    let run = run_with(&scenario(10).host("client", program), Vec::new());
    let escapes: Vec<_> = run.outcome.escapes.iter().map(|escape| escape.detail.clone()).collect();
    assert_eq!(escapes, ["descriptors in a message (SCM_RIGHTS)"]);
}
