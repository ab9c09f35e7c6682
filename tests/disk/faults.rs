//! The troubles of a disk as its own programs see them; `peers` covers what other hosts see.

use std::io;
use std::time::Duration;

use squall::disk::{DiskCall, DiskImage, DiskSpeed, File, OpenOptions, Trouble};
use squall::fault::millis;
use squall::internal::alive::AliveFlag;

use super::{attach, contents, new_dropping_image};

const EIO: Option<i32> = Some(5);

fn errors(call: impl Into<Option<DiskCall>>, rate: f64) -> Trouble {
    Trouble::Errors { call: call.into(), rate }
}

/// Creates the file `file` with these bytes in the durable state.
fn create_durable(image: &DiskImage, bytes: &[u8]) -> File {
    let file = attach(image).open_durable("file").unwrap();
    file.write_at(0, bytes).unwrap();
    file.sync_data().unwrap();
    file
}

/// Turns the power off and returns the bytes that the durable state kept.
fn bytes_after_power_off(image: &DiskImage) -> Vec<u8> {
    image.power_off();
    contents(&attach(image), "file").unwrap()
}

#[test]
fn a_failed_call_changes_nothing_and_only_the_named_calls_fail() {
    for failing in [DiskCall::Read, DiskCall::Write, DiskCall::Sync] {
        let image = new_dropping_image();
        let file = create_durable(&image, b"old");
        let disk = attach(&image);
        image.set_troubles(&[(4, errors(failing, 1.0))]);
        let results = [
            (DiskCall::Read, file.read_at(0, &mut [0; 3]).map(drop)),
            (DiskCall::Read, disk.list("").map(drop)),
            (DiskCall::Write, file.write_at(3, b"er")),
            (DiskCall::Write, file.set_len(9)),
            (DiskCall::Write, disk.rename("file", "other")),
            (DiskCall::Sync, disk.sync_directory("")),
            (DiskCall::Sync, file.sync_data()),
        ];
        for (call, result) in results {
            assert_eq!(result.err().and_then(|error| error.raw_os_error()), EIO.filter(|_| call == failing));
        }
        assert_eq!(image.effects(), [(4, if failing == DiskCall::Write { 3 } else { 2 })]);
        image.set_troubles(&[]);
        assert_eq!(disk.exists("other").unwrap(), failing != DiskCall::Write);
        let name = if failing == DiskCall::Write { "file" } else { "other" };
        let expected: &[u8] = if failing == DiskCall::Write { b"old" } else { b"older\0\0\0\0" };
        assert_eq!(contents(&disk, name).unwrap(), expected);
        assert_eq!(
            image.effects()[0].1,
            if failing == DiskCall::Write { 3 } else { 2 },
            "effects end with the trouble"
        );
    }
}

#[test]
fn no_later_sync_saves_what_a_failed_sync_gave_up() {
    let image = new_dropping_image();
    let file = create_durable(&image, &[b'o'; 10_000]);
    file.write_at(0, b"first").unwrap();
    file.write_at(9_000, b"third").unwrap();
    image.set_troubles(&[(0, errors(DiskCall::Sync, 1.0))]);
    assert_eq!(file.sync_data().unwrap_err().raw_os_error(), EIO);
    image.set_troubles(&[]);
    // The cache keeps the bytes, another page is written, and a sync succeeds: programs see nothing wrong.
    file.write_at(5_000, b"second").unwrap();
    file.sync_data().unwrap();
    let seen = contents(&attach(&image), "file").unwrap();
    assert_eq!((&seen[..5], &seen[5_000..5_006], &seen[9_000..9_005]), (&b"first"[..], &b"second"[..], &b"third"[..]));
    assert_eq!(image.counters().writes_given_up, 2);
    let left = bytes_after_power_off(&image);
    assert_eq!((&left[..5], &left[5_000..5_006], &left[9_000..9_005]), (&b"ooooo"[..], &b"second"[..], &b"ooooo"[..]));
}

#[test]
fn bytes_written_again_after_a_failed_sync_are_saved() {
    let image = new_dropping_image();
    let file = create_durable(&image, b"old");
    file.write_at(0, b"newer").unwrap();
    image.set_troubles(&[(0, errors(None, 1.0))]);
    file.sync_data().unwrap_err();
    image.set_troubles(&[]);
    image.kill();
    let file = attach(&image).open_durable("file").unwrap();
    assert_eq!(contents(&attach(&image), "file").unwrap(), b"newer", "a kill keeps the cache");
    file.write_at(0, b"newer").unwrap();
    file.sync_data().unwrap();
    assert_eq!(bytes_after_power_off(&image), b"newer");
}

#[test]
fn a_length_survives_a_failed_sync_but_its_bytes_do_not() {
    let image = new_dropping_image();
    let file = create_durable(&image, &[1; 6_000]);
    file.set_len(5_000).unwrap();
    file.set_len(20_000).unwrap();
    file.write_at(12_000, b"x").unwrap();
    image.set_troubles(&[(0, errors(DiskCall::Sync, 1.0))]);
    file.sync_data().unwrap_err();
    image.set_troubles(&[]);
    file.sync_data().unwrap();
    let left = bytes_after_power_off(&image);
    assert_eq!(left.len(), 20_000);
    assert!(left[..5_000].iter().all(|byte| *byte == 1));
    assert!(left[5_000..].iter().all(|byte| *byte == 0));
}

#[test]
fn the_failure_of_a_call_depends_only_on_its_ordinal() {
    let successes = |reads_between: bool, troubles: &[(u32, Trouble)]| -> Vec<bool> {
        let image = new_dropping_image();
        let file = attach(&image).open("file", OpenOptions::create()).unwrap();
        image.set_troubles(troubles);
        let write = |number: u64| {
            if reads_between {
                let _ = file.read_at(0, &mut [0; 9]);
            }
            file.write_at(number, b"x").is_ok()
        };
        (0..1_000).map(write).collect()
    };
    let plain = successes(false, &[(0, errors(DiskCall::Write, 0.2))]);
    let failed = plain.iter().filter(|ok| !**ok).count();
    assert!((160..240).contains(&failed), "{failed} of 1000");
    assert_eq!(plain, successes(true, &[(0, errors(DiskCall::Write, 0.2))]));
    // Of two troubles, the one with the higher rate decides, whatever their numbers.
    assert_eq!(plain, successes(true, &[(7, errors(None, 0.1)), (9, errors(DiskCall::Write, 0.2))]));
}

#[test]
fn a_full_disk_allows_overwriting_but_not_growth() {
    let image = new_dropping_image();
    let file = create_durable(&image, &[1; 1_000]);
    let full = (3, Trouble::Full { free_bytes: 500 });
    image.set_troubles(std::slice::from_ref(&full));
    let assert_full = |result: io::Result<()>| {
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.raw_os_error()), (io::ErrorKind::StorageFull, Some(28)));
    };
    file.write_at(0, &[2; 1_000]).unwrap();
    file.write_at(900, &[3; 400]).unwrap();
    assert_full(file.set_len(1_501));
    // Adding another trouble does not reset the free space.
    image.set_troubles(&[(2, errors(DiskCall::Read, 0.0)), full.clone()]);
    assert_full(file.write_at(1_300, &[3; 201]));
    let other = attach(&image).open("other", OpenOptions::create()).unwrap();
    assert_full(other.write_at(0, &[4; 201]));
    other.write_at(0, &[4; 200]).unwrap();
    file.set_len(1_200).unwrap();
    other.write_at(200, &[4; 100]).unwrap();
    assert_eq!(image.effects(), [(3, 3)]);
    assert_eq!((file.len().unwrap(), other.len().unwrap()), (1_200, 300));
    image.set_troubles(&[]);
    other.set_len(100_000).unwrap();
}

#[test]
fn a_slow_disk_adds_to_the_debt() {
    let image = new_dropping_image();
    let disk = attach(&image);
    let file = disk.open("file", OpenOptions::create()).unwrap();
    let by =
        |read, write, sync| Trouble::Slow(DiskSpeed { read: millis(read), write: millis(write), sync: millis(sync) });
    image.set_troubles(&[(0, by(3, 0, 100)), (1, by(4, 50, 0))]);
    let mut owed = Duration::ZERO;
    let mut took = || {
        let before = std::mem::replace(&mut owed, disk.debt());
        disk.debt() - before
    };
    file.write_at(0, b"x").unwrap();
    assert_eq!(took(), Duration::from_micros(50_020));
    file.sync_data().unwrap();
    assert_eq!(took(), millis(101));
    file.read_at(0, &mut [0]).unwrap();
    assert_eq!(took(), millis(7));
    assert_eq!(image.effects(), [(0, 2), (1, 2)]);
    image.set_troubles(&[]);
    file.read_at(0, &mut [0]).unwrap();
    assert_eq!(took(), Duration::ZERO);
}

#[test]
fn corruption_flips_one_bit_of_one_read() {
    let image = new_dropping_image();
    let file = create_durable(&image, &[0; 64]);
    let corrupted_bits = || {
        let mut out = [0; 100];
        assert_eq!(file.read_at(0, &mut out).unwrap(), 64);
        assert_eq!(out[64..], [0; 36], "bytes past the end of the file are not touched");
        out.iter().map(|byte| byte.count_ones()).sum::<u32>()
    };
    image.set_troubles(&[(0, Trouble::Corruption { rate: 1.0 })]);
    assert!((0..50).all(|_| corrupted_bits() == 1));
    assert_eq!(file.read_at(64, &mut [0]).unwrap(), 0);
    assert_eq!(image.effects(), [(0, 50)], "a read of nothing corrupts nothing");
    image.set_troubles(&[(0, Trouble::Corruption { rate: 0.1 })]);
    let flipped: u32 = (0..1_000).map(|_| corrupted_bits()).sum();
    assert!((70..130).contains(&flipped), "{flipped} of 1000");
    image.set_troubles(&[]);
    assert_eq!(corrupted_bits(), 0);
    assert_eq!(bytes_after_power_off(&image), [0; 64]);
}

#[test]
fn lost_syncs_lose_bytes_until_a_real_sync() {
    for syncs_at_last in [false, true] {
        let image = new_dropping_image();
        let file = create_durable(&image, b"old");
        image.set_troubles(&[(0, Trouble::LostSyncs)]);
        file.write_at(0, b"newer").unwrap();
        file.sync_data().unwrap();
        attach(&image).sync_directory("").unwrap();
        assert_eq!(image.effects(), [(0, 2)]);
        image.set_troubles(&[]);
        if syncs_at_last {
            file.sync_data().unwrap();
        }
        assert_eq!(bytes_after_power_off(&image), if syncs_at_last { &b"newer"[..] } else { b"old" });
    }
}

#[test]
fn a_dead_program_meets_no_trouble() {
    let image = new_dropping_image();
    let flag = AliveFlag::new();
    let file = image.attach(flag.clone()).open("file", OpenOptions::create()).unwrap();
    image.set_troubles(&[(0, errors(None, 1.0)), (1, Trouble::LostSyncs)]);
    flag.clear();
    assert!(file.write_at(0, b"x").is_err() && file.sync_data().is_err() && file.read_at(0, &mut [0]).is_err());
    assert!(image.effects().is_empty());
}
