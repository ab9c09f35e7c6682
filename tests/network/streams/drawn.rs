//! Drawn faults of streams: every generator is effective, and rich runs equal lean runs.

use super::*;

/// One generator, with a client that pings on one connection until it breaks, and then on another.
fn chatter(generator: fault::FaultGenerator) -> Scenario {
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
        .fault(generator.every(secs(2)..secs(5)).lasting(millis(500)..secs(3)))
        .run_for(secs(60))
        .settle_for(secs(5))
}

/// Sends bytes of the size of a small request, and reads their echo.
async fn talk(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(&[7; 300]).await?;
    stream.read_exact(&mut [0; 300]).await.map(drop)
}

#[test]
fn each_generator_is_effective_and_rich_runs_equal_lean_runs() {
    let generators = [
        fault::reset(100, "client", "server"),
        fault::close(100, "server", "client").one_way(),
        fault::stall(100, "client", "server"),
        fault::trickle(50, millis(20), "client", "server"),
        fault::corrupt(0.5, "client", "server"),
        fault::close_idle(millis(300), "client", "server"),
        fault::half_open("client", "server"),
        fault::short_reads("server", 7),
        fault::short_writes(one("*"), 7),
        fault::small_window("server", 100),
    ];
    for generator in generators {
        let what = format!("{generator:?}");
        let scenario = chatter(generator);
        for seed in 0..3 {
            let case = scenario.case(Seed(seed));
            let effects = passing_either_way(&scenario, &case).outcome.fault_effects;
            let effective = effects.iter().filter(|effects| **effects > 0).count();
            assert!(effective * 2 > effects.len(), "{what}: {effects:?}");
        }
    }
}

#[test]
fn under_all_faults_together_no_answer_is_wrong_and_clients_recover_afterwards() {
    let seen = Seen::default();
    let client = sharing(&seen, |cx, seen| async move {
        while cx.elapsed() < secs(69) {
            let Ok(Ok(mut stream)) = timeout(secs(3), cx.connector().connect("server", 80)).await else { continue };
            for number in 0_u32.. {
                let sent = number.to_le_bytes().repeat(300);
                let mut answer = vec![0; sent.len()];
                let talk = async {
                    stream.write_all(&sent).await?;
                    stream.read_exact(&mut answer).await
                };
                if !matches!(timeout(secs(2), talk).await, Ok(Ok(_))) {
                    break;
                }
                assert_eq!(answer, sent);
                note(&seen, &cx, "answer");
                tokio::time::sleep(millis(100)).await;
                if cx.elapsed() > secs(69) {
                    break;
                }
            }
        }
    });
    let mut scenario = Scenario::new("all").host("server", |cx| echo(cx.listener(80))).host("client", client);
    for generator in [
        fault::kill("server"),
        fault::power_off("server"),
        fault::reset(500, "client", "server"),
        fault::close(2_000, "client", "server"),
        fault::stall(700, "client", "server"),
        fault::trickle(300, millis(30), "client", "server"),
        fault::close_idle(millis(50), "client", "server"),
        fault::half_open("server", "client"),
        fault::short_reads("server", 100),
        fault::short_writes("client", 90),
        fault::small_window(one("*"), 500),
        fault::loss(0.05, "client", "server"),
        fault::hold("client", "server").one_way(),
        fault::partition_with_reset("server", "client").one_way(),
    ] {
        scenario = scenario.fault(generator.every(secs(4)..secs(20)).lasting(millis(100)..secs(3)));
    }
    let scenario = scenario.run_for(secs(60)).settle_for(secs(10));
    for seed in 0..24 {
        seen.lock().unwrap().clear();
        let case = scenario.case(Seed(seed));
        let lean = run(&scenario, &case, Detail::Lean).outcome;
        assert!(lean.verdict.is_pass(), "seed {seed}: {:?}", lean.findings);
        let answers = seen.lock().unwrap().clone();
        let late = answers.iter().filter(|(_, at)| *at > secs(65)).count();
        // These answers come within 4 s; each takes 20 to 60 ms, and is followed by a pause of 100 ms.
        assert!(late > 20, "seed {seed}: {late} of {} answers after the faults", answers.len());
        assert!(answers.len() > 100, "seed {seed}: {}", answers.len());
        assert_eq!(run(&scenario, &case, Detail::Rich).outcome.fingerprint, lean.fingerprint);
    }
}
