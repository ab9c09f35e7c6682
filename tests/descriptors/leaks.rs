//! Descriptors that a process forgets to close are counted when the run ends.

use squall::check;

use super::*;

/// A client connects this often, one connection after the other; the server forgets what it accepts, or does not.
fn connects(often: usize, forgets: bool) -> Scenario {
    let server = move |_: HostContext| async move {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            let mut byte = [0];
            stream.read_exact(&mut byte).await?;
            if forgets {
                std::mem::forget(stream);
            }
        }
        #[allow(unreachable_code)]
        io::Result::Ok(())
    };
    let client = move |_: HostContext| async move {
        tokio::time::sleep(millis(50)).await;
        for _ in 0..often {
            TcpStream::connect(SERVER).await?.write_all(b"x").await?;
        }
        std::future::pending::<io::Result<()>>().await
    };
    Scenario::new("connects")
        .host("server", server)
        .host("client", client)
        .plain_sockets()
        .check(check::no_descriptor_leaks(secs(5)))
        .check(check::descriptors_at_most(8))
        .run_for(secs(10))
        .settle_for(secs(0))
}

/// What the checks that did not pass said.
fn findings(run: &Run) -> Vec<String> {
    run.outcome.findings.iter().map(|finding| finding.verdict.to_string()).collect()
}

#[test]
fn what_is_closed_is_no_leak() {
    let run = run_with(&connects(10, false), Vec::new());
    assert_eq!((findings(&run), run.outcome.judged), (Vec::new(), vec![2, 2]));
    let held = run.trace.records.iter().filter_map(|record| match &record.event {
        Event::DescriptorsHeld { open, most, ended } => Some((*open, *most, ended.len())),
        _ => None,
    });
    // Each runtime has three of its own. The listener stays, and one connection at a time.
    assert_eq!(held.collect::<Vec<_>>(), [(4, 5, 0), (3, 4, 0)]);
}

#[test]
fn what_is_forgotten_is_a_leak() {
    let found = findings(&run_with(&connects(10, true), Vec::new()));
    assert!(found[0].starts_with("fail: P3: of the 14 descriptors that server holds at the end, 10 are"), "{found:?}");
    assert!(found[1].starts_with("fail: P3: server had 14 descriptors open at once"), "{found:?}");
}
