//! Records that are whole: what is read is what somebody wrote, not parts of it.

use std::collections::BTreeSet;
use std::fmt::Debug;

use super::decoded::{Decoded, decode};
use super::{Check, CountedVerdict, life};
use crate::history::Operation;

/// C4: no record is torn. Every record that an operation read is one that an operation wrote, or tried to write, before that
/// read ended.
///
/// `written` returns what an operation writes, whatever its outcome, and `read` what it found; both return `Ok(None)` for any
/// other operation. A record includes its key, if a key tells whose it is: parts of two records under one key are torn, too.
pub fn records_are_whole<R: Ord + Debug>(
    written: impl Fn(&Operation) -> Decoded<R> + Send + Sync + 'static,
    read: impl Fn(&Operation) -> Decoded<Vec<R>> + Send + Sync + 'static,
) -> Check {
    Check::new("C4 records are whole", move |_, history| {
        let mut writes = Vec::new();
        for operation in &history.operations {
            match decode(operation, &written) {
                Ok(record) => writes.extend(record.map(|record| (operation.invoked_at, record))),
                Err(error) => return error.into(),
            }
        }
        let mut judged = 0;
        // The reads in the order of their ends, so that each write is looked at once.
        let mut reads: Vec<_> = history.operations.iter().filter(|operation| operation.is_ok()).collect();
        reads.sort_by_key(|operation| operation.completed.as_ref().map(|(at, _)| *at));
        writes.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        let mut known = BTreeSet::new();
        for operation in reads {
            let records = match decode(operation, &read) {
                Ok(records) => records.unwrap_or_default(),
                Err(error) => return error.into(),
            };
            let ended_at = operation.completed.as_ref().map_or(operation.invoked_at, |(at, _)| *at);
            while let Some((_, record)) = writes.pop_if(|(at, _)| *at <= ended_at) {
                known.insert(record);
            }
            for record in records {
                judged += 1;
                if !known.contains(&record) {
                    let who = life::describe(operation);
                    let why = format!("C4: nobody wrote {record:?}, which was read: {who}");
                    return CountedVerdict::broken(judged, why).of(operation);
                }
            }
        }
        CountedVerdict::kept(judged, "no record was read: let the clients read what they have written")
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fault::{millis, secs};
    use crate::history::{Completion, History};
    use crate::trace::{HostId, Trace};

    /// An operation that was invoked then, and ended a second later.
    fn operation(name: &str, at: Duration, input: &str, answer: Option<&str>) -> Operation {
        let completed = answer.map(|answer| (at + secs(1), Completion::Ok(answer.to_owned())));
        Operation {
            host: HostId(0),
            client: 0,
            life: 0,
            name: name.to_owned(),
            input: input.to_owned(),
            invoked_at: at,
            completed,
        }
    }

    fn judge(operations: Vec<Operation>) -> (String, u64) {
        let check = records_are_whole(
            |operation| Ok(if operation.name == "write" { Some(operation.input::<String>()?) } else { None }),
            |operation| Ok(if operation.name == "read" { operation.answer::<Vec<String>>()? } else { None }),
        );
        let trace = Trace::new(vec!["client".into()], millis(10), secs(60), false);
        let verdict = check.judge_counting(&trace, &History { operations });
        (verdict.verdict().to_string(), verdict.judged())
    }

    #[test]
    fn c4_finds_records_that_nobody_wrote() {
        let write = |at, record: &str| operation("write", secs(at), &format!("{record:?}"), None);
        let read = |at, records: &str| operation("read", secs(at), "null", Some(records));
        let pass = |judged| ("pass".to_owned(), judged);
        assert_eq!(judge(vec![write(1, "aa"), write(2, "bb"), read(3, r#"["aa", "bb"]"#)]), pass(2));
        assert_eq!(
            judge(vec![write(1, "aa"), write(4, "bb"), read(3, r#"["aa", "bb"]"#)]),
            pass(2),
            "written meanwhile"
        );
        let (why, judged) = judge(vec![write(1, "aa"), write(2, "bb"), read(3, r#"["aa", "ab"]"#)]);
        assert!(why.starts_with("fail: C4: nobody wrote \"ab\", which was read") && judged == 2, "{why}");
        let (why, _) = judge(vec![write(5, "aa"), read(3, r#"["aa"]"#)]);
        assert!(why.starts_with("fail: C4: nobody wrote \"aa\""), "before it was written: {why}");
        let (why, judged) = judge(vec![write(1, "aa"), read(3, "[]")]);
        assert!(why.starts_with("unknown: no record was read") && judged == 0, "{why}");
        assert!(judge(vec![operation("write", secs(1), "7", None)]).0.starts_with("fail: the decoder"));
    }
}
