//! The shop's verified file, which does not trust its disk, under the disk faults that it guards against.

use redb::StorageBackend;
use squall::disk::{DiskCall, DiskImage, File, OpenOptions, Trouble};
use squall::prelude::Seed;

use super::verified_reads::Verified;
use super::{attach, contents, new_dropping_image};

fn open(image: &DiskImage) -> File {
    attach(image).open("file", OpenOptions::create()).unwrap()
}

fn corruption(rate: f64) -> [(u32, Trouble); 1] {
    [(0, Trouble::Corruption { rate })]
}

#[test]
fn reads_are_correct_or_refused() {
    let image = DiskImage::new(Seed(3), 0);
    attach(&image).open_durable("file").unwrap();
    let disk = Verified::open(open(&image), true).unwrap();
    let mut model = Vec::new();
    let (mut correct, mut refused) = (0, 0);
    for number in 0..4_000_u64 {
        let draw = |label: &str, below: u64| Seed(1).decide(label, &[number]) % below;
        let rate = [0.0, 0.3, 0.9][draw("rate", 3) as usize];
        image.set_troubles(&corruption(rate));
        let (offset, len) = (draw("offset", 20_000), draw("len", 9_000) as usize);
        match draw("call", 8) {
            0 => {
                let len = draw("set_len", 25_000);
                if disk.set_len(len).is_ok() {
                    model.resize(len as usize, 0);
                }
            }
            1..4 => {
                let data = vec![number as u8; len];
                if len > 0 && disk.write(offset, &data).is_ok() {
                    model.resize(model.len().max(offset as usize + len), 0);
                    model[offset as usize..][..len].copy_from_slice(&data);
                }
            }
            _ => {
                let mut out = vec![0; len];
                let expected = model.get(offset as usize..offset as usize + len);
                match disk.read(offset, &mut out) {
                    Ok(()) => {
                        assert!(expected == Some(&out), "read {number} of {len} bytes at {offset}");
                        correct += 1;
                    }
                    Err(_) => {
                        assert!(rate > 0.0 || expected.is_none(), "read {number} was refused without a cause");
                        refused += u32::from(expected.is_some());
                    }
                }
            }
        }
    }
    image.set_troubles(&[]);
    assert!(contents(&attach(&image), "file").unwrap() == model);
    assert!(correct > 500 && refused > 100, "{correct} correct, {refused} refused");
}

#[test]
fn a_flipped_bit_in_the_first_read_is_found() {
    let bytes: Vec<u8> = (0..300_000_u32).map(|number| (number / 7) as u8).collect();
    let mut refused = 0;
    for seed in 0..100 {
        let image = DiskImage::new(Seed(seed), 0);
        open(&image).write_at(0, &bytes).unwrap();
        image.set_troubles(&corruption(0.4));
        let verified = Verified::open(open(&image), true);
        image.set_troubles(&[]);
        assert!(contents(&attach(&image), "file").unwrap() == bytes, "a flipped bit was written back");
        match verified {
            Err(_) => refused += 1,
            Ok(disk) => {
                let mut out = vec![0; bytes.len()];
                disk.read(0, &mut out).unwrap();
                assert!(out == bytes);
            }
        }
    }
    assert!((20..80).contains(&refused), "{refused} of 100");
}

#[test]
fn bytes_that_an_earlier_life_failed_to_sync_are_saved() {
    for write_again in [false, true] {
        let image = new_dropping_image();
        let file = attach(&image).open_durable("file").unwrap();
        file.write_at(0, b"before").unwrap();
        image.set_troubles(&[(0, Trouble::Errors { call: Some(DiskCall::Sync), rate: 1.0 })]);
        file.sync_data().unwrap_err();
        image.set_troubles(&[]);
        image.kill();
        let disk = Verified::open(open(&image), write_again).unwrap();
        disk.sync_data().unwrap();
        image.power_off();
        let left = contents(&attach(&image), "file").unwrap();
        assert_eq!(left, if write_again { b"before" } else { &[0; 6] });
    }
}

#[test]
fn a_locked_file_is_not_opened() {
    let image = new_dropping_image();
    let other = open(&image);
    assert!(other.try_lock().unwrap());
    assert!(Verified::open(open(&image), true).is_err());
    other.unlock().unwrap();
    let first = Verified::open(open(&image), true).unwrap();
    assert!(Verified::open(open(&image), true).is_ok(), "its lock ends after the first read");
    drop(first);
}
