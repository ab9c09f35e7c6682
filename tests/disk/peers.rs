//! Disk faults in a whole world: what a client sees of its server's disk, and that the effects end with the fault.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use squall::disk::Disk;
use squall::fault::{DiskCalls, Fault, FaultGenerator};
use squall::internal::run::{Detail, Run, run};
use squall::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The answers that a client received: when it asked, how long it waited, and the answer.
type Answers = Vec<(Duration, Duration, String)>;

/// Runs a server and a client under these faults. For each request the server does `work` and waits for its disk; the
/// client asks every 100 ms.
fn run_with_faults(faults: Vec<Fault>, seed: u64, work: fn(&Disk) -> String) -> (Run, Answers) {
    let serve = move |cx: HostContext| async move {
        let listener = cx.listener(80);
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

fn text_of(result: io::Result<String>) -> String {
    result.unwrap_or_else(|error| format!("error {}", error.raw_os_error().unwrap_or_default()))
}

/// A plan with one fault, from 1 s to 2 s.
fn one_second_of(fault: FaultGenerator) -> Vec<Fault> {
    vec![fault.at(secs(1)).lasting(secs(1))]
}

/// Appends a byte to the journal, syncs it, and reads the journal back; returns its length and how many bytes are
/// wrong.
fn append(disk: &Disk) -> String {
    text_of((|| {
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

/// Asserts that exactly the answers during the fault satisfy `is_expected`; returns the fault's number of effects.
fn assert_answers(fault: FaultGenerator, is_expected: impl Fn(&str) -> bool) -> u64 {
    let (run, answers) = run_with_faults(one_second_of(fault), 1, append);
    assert_eq!(answers.len(), 40);
    for (asked, took, answer) in &answers {
        let is_bad = (millis(1_000)..millis(1_990)).contains(asked);
        assert_eq!(is_bad, is_expected(answer), "at {asked:?}: {answer}");
        assert!(is_bad || answer.ends_with(" 0 wrong"), "at {asked:?}: {answer}");
        assert!(millis(40) <= *took && *took <= millis(50), "{took:?}");
    }
    run.outcome.fault_effects[0]
}

#[test]
fn a_peer_sees_disk_errors_only_during_the_fault() {
    for calls in [DiskCalls::All, DiskCalls::Reads, DiskCalls::Writes, DiskCalls::Syncs] {
        let effects = assert_answers(fault::disk_errors(1.0, calls, "server"), |answer| answer == "error 5");
        assert_eq!(effects, 10, "{calls:?}: one call fails in each of ten requests");
    }
}

#[test]
fn a_peer_sees_a_full_disk_only_during_the_fault() {
    assert_eq!(assert_answers(fault::disk_full(0, "server"), |answer| answer == "error 28"), 10);
    let (run, answers) = run_with_faults(one_second_of(fault::disk_full(4, "server")), 1, append);
    let full = answers.iter().filter(|(_, _, answer)| answer == "error 28").count();
    assert_eq!((full, run.outcome.fault_effects[0]), (6, 6), "four bytes were free");
}

#[test]
fn a_peer_sees_flipped_bits_only_during_the_fault() {
    let effects = assert_answers(fault::disk_corruption(1.0, "server"), |answer| answer.ends_with(" 1 wrong"));
    assert_eq!(effects, 10);
}

#[test]
fn a_peer_waits_for_a_slow_disk_only_during_the_fault() {
    let (run, answers) =
        run_with_faults(one_second_of(fault::disk_slow(millis(5), millis(7), millis(15), "server")), 1, append);
    for (asked, took, _) in answers {
        // A directory sync, a file sync, a write and a read.
        let extra = if (millis(1_000)..millis(1_990)).contains(&asked) { 42 } else { 0 };
        let usual = millis(40)..=millis(50);
        assert!(usual.contains(&took.saturating_sub(millis(extra))), "asked at {asked:?}, took {took:?}");
    }
    assert_eq!(run.outcome.fault_effects, [40]);
}

#[test]
fn a_peer_finds_synced_bytes_lost_after_lost_syncs_and_a_power_off() {
    for loses_syncs in [false, true] {
        let mut faults = vec![fault::power_off("server").at(millis(1_500)).lasting(millis(200))];
        faults.extend(loses_syncs.then(|| fault::lost_syncs("server").at(secs(1)).lasting(secs(1))));
        let (_, answers) = run_with_faults(faults, 1, append);
        let (length, wrong) = answers[39].2.strip_suffix(" wrong").unwrap().split_once(" bytes, ").unwrap();
        let kept = length.parse::<u64>().unwrap() - wrong.parse::<u64>().unwrap();
        // Five bytes were written after syncs were lost and before the power failed; a keyed draw saved one of them.
        assert_eq!(kept, if loses_syncs { 36 } else { 40 }, "{}", answers[39].2);
        let is_as_expected = |(asked, _, answer): &(Duration, Duration, String)| {
            answer.ends_with(" 0 wrong") == (!loses_syncs || *asked < millis(1_500))
        };
        assert!(answers.iter().all(is_as_expected), "{answers:?}");
    }
}

/// The first life overwrites a record without syncing it; every life returns what it finds.
fn torn_record(disk: &Disk) -> String {
    text_of((|| {
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
fn a_program_finds_its_torn_write_after_a_power_off() {
    let (mut lost, mut whole, mut torn) = (0, 0, 0);
    for seed in 0..40 {
        let (run, answers) = run_with_faults(one_second_of(fault::power_off("server")), seed, torn_record);
        assert_eq!(run.outcome.fault_effects, [1]);
        let (before, after): (Vec<_>, Vec<_>) = answers.iter().partition(|(asked, ..)| *asked < secs(1));
        assert!(before.iter().all(|(_, _, answer)| answer == "4000 true"));
        let found = &after[0].2;
        assert!(after.iter().all(|(_, _, answer)| answer == found), "the record no longer changes");
        let new: usize = found.strip_suffix(" true").expect("the surviving part is a prefix").parse().unwrap();
        match new {
            0 => lost += 1,
            4_000 => whole += 1,
            _ => {
                assert_eq!((300 + new) % 512, 0, "cut at a sector boundary");
                torn += 1;
            }
        }
    }
    assert!([lost, whole, torn].iter().all(|count| *count >= 5), "{lost} {whole} {torn}");
}
