//! A real database on the simulated disk: redb has to repair itself after a crash, but not after an orderly drop.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use redb::{
    Builder, Database, DatabaseError, Durability, ReadableDatabase, ReadableTableMetadata, StorageBackend,
    TableDefinition, TableError,
};
use squall::disk::{Disk, DiskImage, File, OpenOptions, Trouble};
use squall::internal::alive::AliveFlag;
use squall::prelude::Seed;

use super::{attach, new_image};

const TABLE: TableDefinition<'_, u64, u64> = TableDefinition::new("numbers");

fn insert(database: &Database, keys: std::ops::Range<u64>, durability: Durability) {
    for key in keys {
        let mut transaction = database.begin_write().unwrap();
        transaction.set_durability(durability).unwrap();
        transaction.open_table(TABLE).unwrap().insert(key, key * key).unwrap();
        transaction.commit().unwrap();
    }
}

fn open_durable(disk: &Disk) -> Result<File, DatabaseError> {
    disk.open_durable("store.redb").map_err(|e| DatabaseError::Storage(e.into()))
}

/// The number of keys in the database, which must be consecutive from 0.
fn count_keys(database: &Database) -> u64 {
    let table = match database.begin_read().unwrap().open_table(TABLE) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return 0,
        Err(e) => panic!("{e}"),
    };
    let keys = table.len().unwrap();
    for key in 0..keys {
        assert_eq!(table.get(key).unwrap().unwrap().value(), key * key);
    }
    keys
}

/// Opens the database; returns how many keys it has and whether redb had to repair it.
fn reopen(disk: &Disk) -> (u64, bool) {
    let repaired = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&repaired);
    let database = Builder::new()
        .set_repair_callback(move |_| flag.store(true, Ordering::Relaxed))
        .create_with_backend(open_durable(disk).unwrap())
        .unwrap();
    (count_keys(&database), repaired.load(Ordering::Relaxed))
}

/// Commits 20 keys durably and 10 more without durability, clears the alive flag or not, drops the database, crashes,
/// and opens it again.
fn crash_and_reopen(mark_dead: bool, crash: fn(&DiskImage)) -> (u64, bool) {
    let image = new_image();
    let flag = AliveFlag::new();
    let disk = image.attach(flag.clone());
    let database = Builder::new().create_with_backend(open_durable(&disk).unwrap()).unwrap();
    insert(&database, 0..20, Durability::Immediate);
    insert(&database, 20..30, Durability::None);
    if mark_dead {
        flag.clear();
    }
    drop(database);
    crash(&image);
    reopen(&attach(&image))
}

#[test]
fn a_dead_program_cannot_save_what_was_not_durable() {
    assert_eq!(crash_and_reopen(true, DiskImage::power_off), (20, true));
    assert_eq!(crash_and_reopen(true, DiskImage::kill), (20, true));
    // If the flag stays set, the destructor of the dead program saves everything.
    assert_eq!(crash_and_reopen(false, DiskImage::power_off), (30, false));
    assert_eq!(crash_and_reopen(false, DiskImage::kill), (30, false));
}

#[test]
fn a_database_whose_name_was_never_synced_is_gone() {
    for durable in [true, false] {
        let image = new_image();
        let flag = AliveFlag::new();
        let disk = image.attach(flag.clone());
        let file = match durable {
            true => disk.open_durable("store.redb"),
            false => disk.open("store.redb", OpenOptions::create()),
        };
        let database = Builder::new().create_with_backend(file.unwrap()).unwrap();
        insert(&database, 0..5, Durability::Immediate);
        flag.clear();
        drop(database);
        image.power_off();
        assert_eq!(reopen(&attach(&image)).0, if durable { 5 } else { 0 });
    }
}

#[test]
fn a_dead_database_leaves_no_lock() {
    let image = new_image();
    let flag = AliveFlag::new();
    let open = |disk: Disk| Builder::new().create_with_backend(open_durable(&disk)?);
    let first = open(image.attach(flag.clone())).unwrap();
    assert!(matches!(open(attach(&image)), Err(DatabaseError::DatabaseAlreadyOpen)));
    flag.clear();
    assert!(open(attach(&image)).is_ok(), "the first program is dead, though not yet dropped");
    drop(first);
}

/// Commits keys until the power fails at disk call number `call`. Returns how many commits were acknowledged, how many
/// keys the next life finds (`None` if it cannot open the database), and whether the power failed before the end.
fn fail_power_at(call: u64, open: impl Fn(&Disk) -> Result<Database, DatabaseError>) -> (u64, Option<u64>, bool) {
    let image = DiskImage::new(Seed(call), 0);
    let flag = AliveFlag::new();
    let (calls, observed) = (AtomicU64::new(0), flag.clone());
    image.observe(move |_| {
        if calls.fetch_add(1, Ordering::Relaxed) == call {
            observed.clear();
        }
    });
    let disk = image.attach(flag.clone());
    let mut acknowledged = 0;
    let database = open(&disk);
    if let Ok(database) = &database {
        let commit = |key| -> Result<(), redb::Error> {
            let transaction = database.begin_write()?;
            transaction.open_table(TABLE)?.insert(key, key * key)?;
            Ok(transaction.commit()?)
        };
        acknowledged = (0..6).take_while(|key| commit(*key).is_ok()).count() as u64;
    }
    let failed = !flag.is_set();
    flag.clear();
    drop(database);
    image.power_off();
    let found = open(&attach(&image)).map(|database| count_keys(&database));
    (acknowledged, found.ok(), failed)
}

#[test]
fn redb_keeps_what_it_acknowledged_wherever_the_power_fails() {
    for call in 0.. {
        let (acknowledged, found, failed) =
            fail_power_at(call, |disk| disk.open_database("store.redb", &Builder::new()));
        // The commit during which the power failed may have become durable.
        assert!(
            found.is_some_and(|found| (acknowledged..=acknowledged + 1).contains(&found)),
            "call {call}: {acknowledged} acknowledged, {found:?} found"
        );
        if !failed {
            assert!(call > 50, "only {call} calls were tried");
            break;
        }
    }
}

#[test]
fn a_database_created_in_place_may_not_open_after_a_power_off() {
    let open = |disk: &Disk| Builder::new().create_with_backend(open_durable(disk)?);
    assert!((0..20).any(|call| fail_power_at(call, open).1.is_none()));
}

#[test]
fn a_failed_creation_leaves_no_broken_database() {
    let open = |disk: &Disk| disk.open_database("store.redb", &Builder::new());
    let mut failures = 0;
    for (call, seed) in (0..).flat_map(|call| (0..4).map(move |seed| (call, seed))) {
        let image = DiskImage::new(Seed(seed), 0);
        let (calls, observed) = (Arc::new(AtomicU64::new(0)), image.clone());
        image.observe(move |_| {
            let fails = calls.fetch_add(1, Ordering::Relaxed) == call;
            let errors = [(0, Trouble::Errors { call: None, rate: 1.0 })];
            observed.set_troubles(if fails { &errors } else { &[] });
        });
        let flag = AliveFlag::new();
        let created = open(&image.attach(flag.clone())).is_ok();
        flag.clear();
        image.observe(|_| {});
        image.set_troubles(&[]);
        let affected = image.effects().len();
        let expect_open = |result: Result<Database, DatabaseError>| {
            result.unwrap_or_else(|error| panic!("call {call}, created: {created}: {error}"))
        };
        // Whichever call failed, there is either no database or a usable one.
        let flag = AliveFlag::new();
        let database = expect_open(open(&image.attach(flag.clone())));
        insert(&database, 0..3, Durability::Immediate);
        flag.clear();
        drop(database);
        image.power_off();
        assert_eq!(count_keys(&expect_open(open(&attach(&image)))), 3);
        failures += u32::from(!created);
        if affected == 0 {
            assert!(created && call > 20, "only {call} calls were tried");
            break;
        }
    }
    assert!(failures > 10, "only {failures} creations failed");
}

/// A file whose syncs succeed without doing anything.
#[derive(Debug)]
struct LostSyncs(File);

impl StorageBackend for LostSyncs {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.len().map(drop)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, data)
    }
}

#[test]
fn a_disk_that_loses_syncs_loses_acknowledged_commits() {
    let open = |disk: &Disk| Builder::new().create_with_backend(LostSyncs(open_durable(disk)?));
    let losses = (0..60).filter(|call| {
        let (acknowledged, found, _) = fail_power_at(*call, open);
        found.is_none_or(|found| found < acknowledged)
    });
    assert!(losses.count() > 5);
}
