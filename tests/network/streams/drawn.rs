//! Faults of streams that are drawn: every source bites, and keeping more of a run changes nothing.

use super::*;

/// Each source for itself, on a client that pings on one connection until it breaks, and then on another.
fn chatter(source: fault::FaultSource) -> Scenario {
    let client = |cx: HostContext| async move {
        while cx.elapsed() < secs(64) {
            if let Ok(mut stream) = cx.connector().connect("server", 80).await {
                while let Ok(Ok(())) = timeout(secs(2), talk(&mut stream)).await {
                    tokio::time::sleep(millis(700)).await;
                }
            }
        }
    };
    Scenario::new("chatter")
        .host("server", |cx| echo(cx.listener(80)))
        .host("client", client)
        .fault(source.every(secs(2)..secs(5)).lasting(millis(500)..secs(3)))
        .run_for(secs(60))
        .settle_for(secs(5))
}

/// Something of the size of a small request, which is answered with the same.
async fn talk(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(&[7; 300]).await?;
    stream.read_exact(&mut [0; 300]).await.map(drop)
}

#[test]
fn each_source_bites_and_a_recorded_run_is_the_same() {
    let sources = [
        fault::reset(100, "client", "server"),
        fault::cut(100, "server", "client").one_way(),
        fault::stall(100, "client", "server"),
        fault::drip(50, millis(20), "client", "server"),
        fault::flip(0.3, "client", "server"),
        fault::close_idle(millis(300), "client", "server"),
        fault::half_open("client", "server"),
        fault::short_reads("server", 7),
        fault::short_writes(one("*"), 7),
        fault::small_window("server", 100),
    ];
    for source in sources {
        let what = format!("{source:?}");
        let scenario = chatter(source);
        for seed in 0..3 {
            let case = scenario.case(Seed(seed));
            let lean = run(&scenario, &case, Detail::Lean).outcome;
            let rich = run(&scenario, &case, Detail::Rich).outcome;
            assert!(lean.verdict.is_pass(), "{what}: {:?}", lean.findings);
            assert_eq!(lean.fingerprint, rich.fingerprint, "{what}");
            assert_eq!(lean.fault_bites, rich.fault_bites, "{what}");
            let bitten = lean.fault_bites.iter().filter(|bites| **bites > 0).count();
            assert!(bitten * 2 > lean.fault_bites.len(), "{what}: {:?}", lean.fault_bites);
        }
    }
}
