//! The simulated disk as programs see it: what syncs make durable, what crashes lose, and what dead programs cannot do.

mod database;
mod faults;
mod model;
mod peers;
mod verified;
#[path = "../../sims/shop/verified.rs"]
mod verified_reads;

use std::io;
use std::time::Duration;

use squall::disk::{Disk, DiskCall, DiskImage, DiskSpeed, File, OpenOptions};
use squall::internal::alive::AliveFlag;
use squall::prelude::Seed;

fn new_image() -> DiskImage {
    DiskImage::new(Seed(7), 0)
}

/// An image whose power offs drop all writes in flight.
fn new_dropping_image() -> DiskImage {
    let image = new_image();
    image.set_tearing(false);
    image
}

fn attach(image: &DiskImage) -> Disk {
    image.attach(AliveFlag::new())
}

fn contents(disk: &Disk, path: &str) -> Option<Vec<u8>> {
    let file = disk.open(path, OpenOptions::read_only()).ok()?;
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_exact_at(0, &mut bytes).unwrap();
    Some(bytes)
}

/// The contents of `file` that the next life finds after `program` has run and `crash` has happened.
fn after(program: impl Fn(&Disk), crash: impl Fn(&DiskImage)) -> Option<Vec<u8>> {
    let image = new_dropping_image();
    program(&attach(&image));
    crash(&image);
    contents(&attach(&image), "file")
}

fn create(disk: &Disk) -> File {
    disk.open("file", OpenOptions::create()).unwrap()
}

#[test]
fn unsynced_bytes_survive_a_kill_but_not_a_power_off() {
    let program = |disk: &Disk| {
        let file = disk.open_durable("file").unwrap();
        file.write_at(0, b"old").unwrap();
        file.sync_data().unwrap();
        file.write_at(0, b"newer").unwrap();
    };
    assert_eq!(after(program, DiskImage::kill).unwrap(), b"newer");
    assert_eq!(after(program, DiskImage::power_off).unwrap(), b"old");
}

#[test]
fn synced_bytes_survive_kill_and_power_off() {
    let program = |disk: &Disk| {
        let file = disk.open_durable("file").unwrap();
        file.write_at(5000, b"new").unwrap();
        file.set_len(6000).unwrap();
        file.sync_data().unwrap();
    };
    let mut expected = vec![0; 6000];
    expected[5000..5003].copy_from_slice(b"new");
    assert_eq!(after(program, DiskImage::kill).unwrap(), expected);
    assert_eq!(after(program, DiskImage::power_off).unwrap(), expected);
}

#[test]
fn a_name_needs_a_sync_of_its_own() {
    let bytes_alone = |disk: &Disk| {
        let file = create(disk);
        file.write_at(0, b"bytes").unwrap();
        file.sync_all().unwrap();
    };
    let name_alone = |disk: &Disk| {
        create(disk).write_at(0, b"bytes").unwrap();
        disk.sync_directory("/").unwrap();
    };
    assert_eq!(after(bytes_alone, DiskImage::kill).unwrap(), b"bytes");
    assert_eq!(after(bytes_alone, DiskImage::power_off), None);
    assert_eq!(after(name_alone, DiskImage::power_off).unwrap(), b"");
}

#[test]
fn open_durable_syncs_the_name_that_a_killed_life_left_unsynced() {
    for durable in [true, false] {
        let image = new_dropping_image();
        let flag = AliveFlag::new();
        let at_sync = flag.clone();
        image.observe(move |call| {
            if call == DiskCall::Sync {
                at_sync.clear();
            }
        });
        assert!(image.attach(flag).open_durable("file").is_err());
        image.kill();
        image.observe(|_| {});
        let disk = attach(&image);
        let file = if durable { disk.open_durable("file").unwrap() } else { create(&disk) };
        file.write_at(0, b"x").unwrap();
        file.sync_data().unwrap();
        image.power_off();
        assert_eq!(contents(&attach(&image), "file").is_some(), durable);
    }
}

#[test]
fn a_rename_needs_a_sync_of_the_directory() {
    let replace = |disk: &Disk| {
        for (path, bytes) in [("file", "old"), ("file.new", "new")] {
            let file = disk.open_durable(path).unwrap();
            file.write_at(0, bytes.as_bytes()).unwrap();
            file.sync_data().unwrap();
        }
        disk.rename("file.new", "file").unwrap();
        assert!(!disk.exists("file.new").unwrap());
    };
    let replace_and_sync = |disk: &Disk| {
        replace(disk);
        disk.sync_directory("").unwrap();
    };
    assert_eq!(after(replace, DiskImage::kill).unwrap(), b"new");
    assert_eq!(after(replace, DiskImage::power_off).unwrap(), b"old");
    assert_eq!(after(replace_and_sync, DiskImage::power_off).unwrap(), b"new");
}

#[test]
fn a_removed_name_comes_back_unless_its_removal_was_synced() {
    let remove = |disk: &Disk| {
        let file = disk.open_durable("file").unwrap();
        disk.remove("file").unwrap();
        // The open handle can still use the file.
        file.write_at(0, b"x").unwrap();
        file.sync_data().unwrap();
        assert_eq!(file.len().unwrap(), 1);
    };
    assert_eq!(after(remove, DiskImage::kill), None);
    assert_eq!(after(remove, DiskImage::power_off).unwrap(), b"x");
    let remove_and_sync = |disk: &Disk| {
        remove(disk);
        disk.sync_directory("").unwrap();
    };
    assert_eq!(after(remove_and_sync, DiskImage::power_off), None);
}

#[test]
fn a_name_survives_only_below_synced_directories() {
    for synced_root in [true, false] {
        let image = new_dropping_image();
        let disk = attach(&image);
        disk.create_dir_all("/a/b").unwrap();
        disk.open_durable("a/b/file").unwrap();
        disk.sync_directory("a").unwrap();
        if synced_root {
            disk.sync_directory("/").unwrap();
        }
        image.power_off();
        let disk = attach(&image);
        assert_eq!(disk.exists("a/b/file").unwrap(), synced_root);
        assert_eq!(disk.list("").unwrap(), if synced_root { vec!["a"] } else { vec![] });
        assert_eq!(image.counters().files_lost, u64::from(!synced_root));
    }
}

/// The file after a power off tore one unsynced write of 4,000 bytes at offset 300, over older bytes.
fn torn_file(seed: Seed, other_file: bool) -> Vec<u8> {
    let image = DiskImage::new(seed, 3);
    let disk = attach(&image);
    let file = disk.open_durable("file").unwrap();
    file.write_at(0, &[1; 5000]).unwrap();
    file.sync_data().unwrap();
    file.write_at(300, &[2; 4000]).unwrap();
    if other_file {
        disk.open_durable("other").unwrap().write_at(0, &[3; 9000]).unwrap();
    }
    image.power_off();
    contents(&attach(&image), "file").unwrap()
}

#[test]
fn a_torn_write_ends_at_a_sector_boundary_and_depends_only_on_the_seed() {
    let (mut lost, mut whole, mut torn) = (0, 0, 0);
    for seed in (0..300).map(Seed) {
        let left = torn_file(seed, false);
        assert_eq!(left, torn_file(seed, false));
        assert_eq!(left, torn_file(seed, true), "the writes of another file have no influence");
        let new = left.iter().filter(|byte| **byte == 2).count();
        assert!(left[300..300 + new].iter().all(|byte| *byte == 2), "the surviving part is a prefix");
        match new {
            0 => lost += 1,
            4000 => whole += 1,
            _ => {
                assert_eq!((300 + new) % 512, 0);
                torn += 1;
            }
        }
    }
    assert!([lost, whole, torn].iter().all(|count| (70..130).contains(count)), "{lost} {whole} {torn}");
}

/// Makes every call that a program can make; returns the results by name.
fn make_all_calls(disk: &Disk, file: &File) -> Vec<(&'static str, io::Result<()>)> {
    vec![
        ("read_at", file.read_at(0, &mut [0]).map(drop)),
        ("read_exact_at", file.read_exact_at(0, &mut [0])),
        ("write_at", file.write_at(0, b"2")),
        ("set_len", file.set_len(9)),
        ("len", file.len().map(drop)),
        ("is_empty", file.is_empty().map(drop)),
        ("sync_data", file.sync_data()),
        ("sync_all", file.sync_all()),
        ("try_lock", file.try_lock().map(drop)),
        ("try_lock_shared", file.try_lock_shared().map(drop)),
        ("unlock", file.unlock()),
        ("create_dir_all", disk.create_dir_all("directory")),
        ("open", disk.open("second", OpenOptions::create()).map(drop)),
        ("open_durable", disk.open_durable("third").map(drop)),
        ("rename", disk.rename("second", "fourth")),
        ("remove", disk.remove("third")),
        ("sync_directory", disk.sync_directory("")),
        ("exists", disk.exists("fourth").map(drop)),
        ("list", disk.list("").map(drop)),
    ]
}

#[test]
fn a_dead_program_has_no_effect() {
    type End = fn(&DiskImage, &AliveFlag);
    let ends: [(&str, End, bool); 4] = [
        ("nothing happened", |_, _| {}, true),
        ("the alive flag was cleared", |_, flag| flag.clear(), false),
        ("the process was killed", |image, _| image.kill(), false),
        ("the machine lost power", |image, _| image.power_off(), false),
    ];
    for (end, act, alive) in ends {
        let image = new_dropping_image();
        let flag = AliveFlag::new();
        let disk = image.attach(flag.clone());
        let file = disk.open_durable("file").unwrap();
        file.write_at(0, b"1").unwrap();
        file.sync_data().unwrap();
        act(&image, &flag);
        let debt = disk.debt();
        for (call, result) in make_all_calls(&disk, &file) {
            assert_eq!(result.is_ok(), alive, "{call} when {end}: {result:?}");
        }
        assert_eq!(disk.debt() > debt, alive);
        assert_eq!(image.counters().refused > 0, !alive);
        let left = |image: &DiskImage| {
            let disk = attach(image);
            (contents(&disk, "file").unwrap() == b"1", disk.list("").unwrap() == ["file"])
        };
        assert_eq!(left(&image), (!alive, !alive), "in the cache when {end}");
        image.power_off();
        assert_eq!(left(&image), (!alive, !alive), "in the durable state when {end}");
    }
}

#[test]
fn a_lock_excludes_other_handles_and_ends_with_its_program() {
    let image = new_image();
    let flag = AliveFlag::new();
    let first = image.attach(flag.clone()).open_durable("file").unwrap();
    let second = attach(&image).open_durable("file").unwrap();
    assert!(first.try_lock().unwrap());
    assert!(!second.try_lock_shared().unwrap());
    first.unlock().unwrap();
    assert!(second.try_lock_shared().unwrap());
    assert!(first.try_lock_shared().unwrap());
    assert!(!first.try_lock().unwrap());
    drop(second);
    assert!(first.try_lock().unwrap());

    let second = attach(&image).open_durable("file").unwrap();
    assert!(!second.try_lock().unwrap());
    flag.clear();
    assert!(second.try_lock().unwrap(), "the dead program still holds its file, but no lock");
}

#[test]
fn wrong_options_and_paths_are_refused() {
    let disk = attach(&new_image());
    disk.create_dir_all("directory").unwrap();
    create(&disk).write_at(0, b"123").unwrap();
    let kind = |result: io::Result<()>| result.unwrap_err().kind();
    let open = |path: &str, options| disk.open(path, options).map(drop);
    let create_new = OpenOptions { create_new: true, ..OpenOptions::default() };
    let truncate = OpenOptions { truncate: true, ..OpenOptions::default() };
    assert_eq!(kind(open("none", OpenOptions::default())), io::ErrorKind::NotFound);
    assert_eq!(kind(open("none/file", OpenOptions::create())), io::ErrorKind::NotFound);
    assert_eq!(kind(open("file/file", OpenOptions::create())), io::ErrorKind::NotADirectory);
    assert_eq!(kind(open("file", create_new)), io::ErrorKind::AlreadyExists);
    assert_eq!(kind(open("directory", OpenOptions::default())), io::ErrorKind::IsADirectory);
    assert_eq!(kind(open("../file", OpenOptions::default())), io::ErrorKind::InvalidInput);
    assert_eq!(kind(open("", OpenOptions::create())), io::ErrorKind::InvalidInput);
    assert_eq!(kind(open("file", OpenOptions { read_only: true, ..truncate })), io::ErrorKind::InvalidInput);
    assert_eq!(kind(disk.remove("directory")), io::ErrorKind::IsADirectory);
    assert_eq!(kind(disk.rename("directory", "other")), io::ErrorKind::Unsupported);
    assert_eq!(kind(disk.rename("file", "directory")), io::ErrorKind::IsADirectory);
    assert_eq!(kind(disk.create_dir_all("file/below")), io::ErrorKind::NotADirectory);
    let read_only = disk.open("file", OpenOptions::read_only()).unwrap();
    assert_eq!(kind(read_only.write_at(0, b"4")), io::ErrorKind::PermissionDenied);
    assert_eq!(kind(read_only.read_exact_at(1, &mut [0; 3])), io::ErrorKind::UnexpectedEof);
    assert_eq!(kind(create(&disk).write_at(u64::MAX - 1, b"45")), io::ErrorKind::FileTooLarge);
    assert_eq!(contents(&disk, "file").unwrap(), b"123");
    open("file", truncate).unwrap();
    assert_eq!(contents(&disk, "file").unwrap(), b"");
}

#[test]
fn the_time_of_calls_accumulates_as_a_debt() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let image = new_image();
        image.set_speed(DiskSpeed { sync: Duration::from_millis(3), ..DiskSpeed::default() });
        let disk = attach(&image);
        let start = tokio::time::Instant::now();
        disk.wait_until_idle().await;
        assert_eq!(start.elapsed(), Duration::ZERO);

        let file = create(&disk);
        file.write_at(0, b"x").unwrap();
        assert_eq!(disk.debt(), Duration::from_micros(20));
        file.sync_data().unwrap();
        assert_eq!(disk.debt(), Duration::from_micros(3020));
        // The second task has made no call, but waits for the calls that the first one waits for.
        tokio::join!(disk.wait_until_idle(), async {
            disk.wait_until_idle().await;
            assert!(start.elapsed() >= Duration::from_micros(3020));
        });
        assert!(start.elapsed() <= Duration::from_millis(5), "{:?}", start.elapsed());
        assert_eq!(disk.debt(), Duration::ZERO);
    });
}
