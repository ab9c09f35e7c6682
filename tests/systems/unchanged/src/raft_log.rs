//! What a node of [`crate::raft_tonic`] stores: its log and its vote, as lines of a journal, and the keys, which it rebuilds
//! from the log.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::{self, Cursor};
use std::ops::RangeBounds;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use openraft::storage::{LogFlushed, LogState, RaftLogStorage, RaftStateMachine};
use openraft::{
    AnyError, BasicNode, Entry, EntryPayload, LogId, OptionalSend, RaftLogReader, RaftSnapshotBuilder, Snapshot,
    SnapshotMeta, StorageError, StorageIOError, StoredMembership, Vote,
};
use serde::{Deserialize, Serialize};

openraft::declare_raft_types!(
    /// An entry is a key to add.
    pub Types: D = String, R = ()
);

/// Where a node appends what it must not forget.
pub trait Journal: Send + Sync {
    /// All that was appended.
    fn read(&self) -> io::Result<Vec<u8>>;
    /// Forgets everything behind this many bytes.
    fn cut(&self, length: usize) -> io::Result<()>;
    /// Appends, and waits until it is still there after any crash.
    fn append<'a>(&'a self, bytes: &'a [u8]) -> BoxFuture<'a, io::Result<()>>;
}

/// A line of the journal.
#[derive(Serialize, Deserialize)]
enum Line {
    Vote(Vote<u64>),
    Entry(Entry<Types>),
    /// The entry with this number and all later ones are void.
    Void(u64),
}

#[derive(Default)]
struct Contents {
    vote: Option<Vote<u64>>,
    entries: BTreeMap<u64, Entry<Types>>,
}

impl Contents {
    fn apply(&mut self, line: Line) {
        match line {
            Line::Vote(vote) => self.vote = Some(vote),
            Line::Entry(entry) => drop(self.entries.insert(entry.log_id.index, entry)),
            Line::Void(from) => drop(self.entries.split_off(&from)),
        }
    }
}

/// The log and the vote.
#[derive(Clone)]
pub struct Log {
    journal: Arc<dyn Journal>,
    contents: Arc<Mutex<Contents>>,
}

impl Log {
    /// Reads the journal. A last line that was not written completely was never acknowledged, and is cut off.
    pub fn open(journal: Arc<dyn Journal>) -> io::Result<Log> {
        let (bytes, mut contents, mut length) = (journal.read()?, Contents::default(), 0);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let Ok(read) = serde_json::from_slice(line) else { break };
            if !line.ends_with(b"\n") {
                break;
            }
            contents.apply(read);
            length += line.len();
        }
        journal.cut(length)?;
        Ok(Log { journal, contents: Arc::new(Mutex::new(contents)) })
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn append_lines(&self, lines: Vec<Line>) -> io::Result<()> {
        let mut bytes = Vec::new();
        for line in &lines {
            serde_json::to_writer(&mut bytes, line)?;
            bytes.push(b'\n');
        }
        self.journal.append(&bytes).await?;
        lines.into_iter().for_each(|line| self.contents().apply(line));
        Ok(())
    }
}

impl RaftLogReader<Types> for Log {
    async fn try_get_log_entries<Range: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: Range,
    ) -> Result<Vec<Entry<Types>>, StorageError<u64>> {
        Ok(self.contents().entries.range(range).map(|(_, entry)| entry.clone()).collect())
    }
}

impl RaftLogStorage<Types> for Log {
    type LogReader = Log;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, StorageError<u64>> {
        let last_log_id = self.contents().entries.last_key_value().map(|(_, entry)| entry.log_id);
        Ok(LogState { last_purged_log_id: None, last_log_id })
    }

    async fn get_log_reader(&mut self) -> Log {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote<u64>) -> Result<(), StorageError<u64>> {
        let saved = self.append_lines(vec![Line::Vote(*vote)]).await;
        saved.map_err(|error| StorageIOError::write_vote(&error).into())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote<u64>>, StorageError<u64>> {
        Ok(self.contents().vote)
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<Types>) -> Result<(), StorageError<u64>>
    where
        I: IntoIterator<Item = Entry<Types>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        callback.log_io_completed(self.append_lines(entries.into_iter().map(Line::Entry).collect()).await);
        Ok(())
    }

    async fn truncate(&mut self, log_id: LogId<u64>) -> Result<(), StorageError<u64>> {
        let truncated = self.append_lines(vec![Line::Void(log_id.index)]).await;
        truncated.map_err(|error| StorageIOError::write_logs(&error).into())
    }

    async fn purge(&mut self, log_id: LogId<u64>) -> Result<(), StorageError<u64>> {
        Err(StorageIOError::write_log_entry(log_id, no_snapshots()).into())
    }
}

/// The log is short, so it is kept as a whole.
fn no_snapshots() -> AnyError {
    AnyError::error("this node takes no snapshots")
}

/// The keys that were added, and the last entry that is among them.
#[derive(Clone, Default)]
pub struct Machine {
    pub keys: Arc<Mutex<Vec<String>>>,
    last: Option<LogId<u64>>,
    membership: StoredMembership<u64, BasicNode>,
}

impl RaftSnapshotBuilder<Types> for Machine {
    async fn build_snapshot(&mut self) -> Result<Snapshot<Types>, StorageError<u64>> {
        Err(StorageIOError::read_state_machine(no_snapshots()).into())
    }
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotBuilder = Machine;

    async fn applied_state(
        &mut self,
    ) -> Result<(Option<LogId<u64>>, StoredMembership<u64, BasicNode>), StorageError<u64>> {
        Ok((self.last, self.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<()>, StorageError<u64>>
    where
        I: IntoIterator<Item = Entry<Types>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let apply = |entry: Entry<Types>| {
            self.last = Some(entry.log_id);
            match entry.payload {
                EntryPayload::Blank => {}
                EntryPayload::Normal(key) => self.keys.lock().unwrap().push(key),
                EntryPayload::Membership(members) => {
                    self.membership = StoredMembership::new(Some(entry.log_id), members);
                }
            }
        };
        Ok(entries.into_iter().map(apply).collect())
    }

    async fn get_snapshot_builder(&mut self) -> Machine {
        self.clone()
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Cursor<Vec<u8>>>, StorageError<u64>> {
        Err(StorageIOError::write_snapshot(None, no_snapshots()).into())
    }

    async fn install_snapshot(
        &mut self,
        _: &SnapshotMeta<u64, BasicNode>,
        _: Box<Cursor<Vec<u8>>>,
    ) -> Result<(), StorageError<u64>> {
        Err(StorageIOError::write_snapshot(None, no_snapshots()).into())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<Types>>, StorageError<u64>> {
        Ok(None)
    }
}
