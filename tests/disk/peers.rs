//! Faults of disks through a world: what a client sees of its server's disk, and that it is over when the fault is.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use squall::disk::Disk;
use squall::fault::{DiskCalls, Fault, FaultGenerator};
use squall::prelude::*;
use squall::run::{Detail, Run, run};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What a client was answered: when it asked, how long it waited, and the answer.
type Answers = Vec<(Duration, Duration, String)>;

/// A server that does `work` with its disk for each request, then waits for it, and a client that asks every 100 ms. The
/// faults are as they say.
fn asked(faults: Vec<Fault>, seed: u64, work: fn(&Disk) -> String) -> (Run, Answers) {
    let serve = move |cx: HostContext| async move {
        let mut listener = cx.listener(80);
        loop {
            let (mut stream, _) = listener.accept().await?;
            let disk = cx.disk();
            tokio::spawn(async move {
                let mut request = [0];
                while stream.read_exact(&mut request).await.is_ok() {
                    let answer = work(&disk);
                    disk.wait_until_idle().await;
                    let answer = [&[answer.len() as u8], answer.as_bytes()].concat();
                    if stream.write_all(&answer).await.is_err() {
                        break;
                    }
                }
            });
        }
        #[allow(unreachable_code)]
        io::Result::Ok(())
    };
    let answers = Arc::new(Mutex::new(Answers::new()));
    let shared = answers.clone();
    let ask = move |cx: HostContext| {
        let answers = shared.clone();
        async move {
            for number in 0..40 {
                tokio::time::sleep(millis(number * 100 + 50).saturating_sub(cx.elapsed())).await;
                let asked = cx.elapsed();
                let Ok(mut stream) = cx.connector().connect("server", 80).await else { continue };
                let mut answer = vec![0];
                let exchange = async {
                    stream.write_all(&[0]).await?;
                    stream.read_exact(&mut answer).await?;
                    answer.resize(answer[0].into(), 0);
                    stream.read_exact(&mut answer).await
                };
                if exchange.await.is_ok() {
                    let text = String::from_utf8(answer).unwrap();
                    answers.lock().unwrap().push((asked, cx.elapsed() - asked, text));
                }
            }
        }
    };
    let scenario = Scenario::new("disks")
        .host("server", serve)
        .host("client", ask)
        .latency(millis(10)..millis(10))
        .fault(fault::scripted("script", faults))
        .run_for(secs(5))
        .settle_for(secs(1));
    let run = run(&scenario, &scenario.case(Seed(seed)), Detail::Lean);
    assert!(run.outcome.verdict.is_pass(), "{:?}", run.outcome.findings);
    let answers = std::mem::take(&mut *answers.lock().unwrap());
    (run, answers)
}

fn told(result: io::Result<String>) -> String {
    result.unwrap_or_else(|error| format!("error {}", error.raw_os_error().unwrap_or_default()))
}

/// One fault, which lasts from the second second to the third.
fn then(fault: FaultGenerator) -> Vec<Fault> {
    vec![fault.at(secs(1)).lasting(secs(1))]
}

/// Adds a byte to the journal, syncs it, and reads it back; tells its length.
fn append(disk: &Disk) -> String {
    told((|| {
        let file = disk.open_durable("journal")?;
        let len = file.len()?;
        file.write_at(len, b"x")?;
        file.sync_data()?;
        let mut all = vec![0; len as usize + 1];
        file.read_exact_at(0, &mut all)?;
        let wrong = all.iter().filter(|byte| **byte != b'x').count();
        Ok(format!("{} bytes, {wrong} wrong", all.len()))
    })())
}

/// Asserts what is answered while the fault acts, and that all is well before and after; tells the fault's effects.
fn assert_answers(fault: FaultGenerator, expect: impl Fn(&str) -> bool) -> u64 {
    let (run, answers) = asked(then(fault), 1, append);
    assert_eq!(answers.len(), 40);
    for (asked, took, answer) in &answers {
        let is_bad = (millis(1_000)..millis(1_990)).contains(asked);
        assert_eq!(is_bad, expect(answer), "at {asked:?}: {answer}");
        assert!(is_bad || answer.ends_with(" 0 wrong"), "at {asked:?}: {answer}");
        assert!(millis(40) <= *took && *took <= millis(50), "{took:?}");
    }
    run.outcome.fault_effects[0]
}

#[test]
fn a_peer_hears_of_errors_while_they_last() {
    for calls in [DiskCalls::All, DiskCalls::Reads, DiskCalls::Writes, DiskCalls::Syncs] {
        let effects = assert_answers(fault::disk_errors(1.0, calls, "server"), |answer| answer == "error 5");
        assert_eq!(effects, 10, "{calls:?}: one call of each of ten requests");
    }
}

#[test]
fn a_peer_hears_of_a_full_disk_while_it_is() {
    assert_eq!(assert_answers(fault::disk_full(0, "server"), |answer| answer == "error 28"), 10);
    let (run, answers) = asked(then(fault::disk_full(4, "server")), 1, append);
    let full = answers.iter().filter(|(_, _, answer)| answer == "error 28").count();
    assert_eq!((full, run.outcome.fault_effects[0]), (6, 6), "four bytes were free");
}

#[test]
fn a_peer_hears_of_flipped_bits_while_they_flip() {
    let effects = assert_answers(fault::disk_corruption(1.0, "server"), |answer| answer.ends_with(" 1 wrong"));
    assert_eq!(effects, 10);
}

#[test]
fn a_peer_waits_for_a_slow_disk() {
    let (run, answers) = asked(then(fault::disk_slow(millis(5), millis(7), millis(15), "server")), 1, append);
    for (asked, took, _) in answers {
        // Two syncs (the directory's is one), a write and a read.
        let more = if (millis(1_000)..millis(1_990)).contains(&asked) { 42 } else { 0 };
        let usual = millis(40)..=millis(50);
        assert!(usual.contains(&took.saturating_sub(millis(more))), "asked at {asked:?}, took {took:?}");
    }
    assert_eq!(run.outcome.fault_effects, [40]);
}

#[test]
fn a_peer_finds_synced_bytes_gone_after_a_disk_that_lied() {
    for lies in [false, true] {
        let mut faults = vec![fault::power_off("server").at(millis(1_500)).lasting(millis(200))];
        faults.extend(lies.then(|| fault::lost_syncs("server").at(secs(1)).lasting(secs(1))));
        let (_, answers) = asked(faults, 1, append);
        let (length, wrong) = answers[39].2.strip_suffix(" wrong").unwrap().split_once(" bytes, ").unwrap();
        let kept = length.parse::<u64>().unwrap() - wrong.parse::<u64>().unwrap();
        // Of the five bytes that were written while it lied, and before the power went, a keyed draw saved one.
        assert_eq!(kept, if lies { 36 } else { 40 }, "{}", answers[39].2);
        let is_found = |(asked, _, answer): &(Duration, Duration, String)| {
            answer.ends_with(" 0 wrong") == (!lies || *asked < millis(1_500))
        };
        assert!(answers.iter().all(is_found), "{answers:?}");
    }
}

/// A life writes a record and does not sync it; the next one tells what it finds.
fn torn_record(disk: &Disk) -> String {
    told((|| {
        let file = disk.open_durable("record")?;
        if file.is_empty()? {
            file.write_at(0, &[b'1'; 5_000])?;
            file.sync_data()?;
            file.write_at(300, &[b'2'; 4_000])?;
        }
        let mut found = [0; 5_000];
        file.read_exact_at(0, &mut found)?;
        let new = found.iter().filter(|byte| **byte == b'2').count();
        let is_prefix = found[300..300 + new].iter().all(|byte| *byte == b'2');
        Ok(format!("{new} {is_prefix}"))
    })())
}

#[test]
fn a_program_finds_its_torn_write_after_power_on() {
    let (mut lost, mut whole, mut cut) = (0, 0, 0);
    for seed in 0..40 {
        let (run, answers) = asked(then(fault::power_off("server")), seed, torn_record);
        assert_eq!(run.outcome.fault_effects, [1]);
        let (before, after): (Vec<_>, Vec<_>) = answers.iter().partition(|(asked, ..)| *asked < secs(1));
        assert!(before.iter().all(|(_, _, answer)| answer == "4000 true"));
        let found = &after[0].2;
        assert!(after.iter().all(|(_, _, answer)| answer == found), "what was found stays");
        let new: usize = found.strip_suffix(" true").expect("what survives is a prefix").parse().unwrap();
        match new {
            0 => lost += 1,
            4_000 => whole += 1,
            _ => {
                assert_eq!((300 + new) % 512, 0, "cut at a sector's end");
                cut += 1;
            }
        }
    }
    assert!([lost, whole, cut].iter().all(|count| *count >= 5), "{lost} {whole} {cut}");
}
