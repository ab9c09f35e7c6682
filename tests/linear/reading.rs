//! Histories that other tools recorded: every form that Jepsen writes, what events mean, and what is refused.

use squall::check::Verdict;
use squall::check::linear::models::*;
use squall::check::linear::read::{self, Datum, FailedCas, ParseError};
use squall::check::linear::{Model, TypedHistory, linearizable};

fn int(number: i64) -> Datum {
    Datum::Int(number)
}

fn word<M: Model>(model: &M, history: Result<TypedHistory<M::Op, M::Output>, ParseError>) -> &'static str
where
    M::Op: std::fmt::Debug,
{
    linearizable(model, &history.unwrap()).word()
}

fn register(text: &str) -> Result<read::RegisterHistory, ParseError> {
    read::register(text, FailedCas::default())
}

/// The same history, in which a read gets what was written before it, in all forms.
const FORMS: [&str; 9] = [
    // history.edn, old: one map in each line.
    "{:type :invoke, :f :write, :value 3, :process 0, :time 10}\n\
     {:type :info, :f :start, :value nil, :process :nemesis, :time 11}\n\
     {:type :ok, :f :write, :value 3, :process 0, :time 12}\n\
     {:type :invoke, :f :read, :value nil, :process 1, :time 13}\n\
     {:type :ok, :f :read, :value 3, :process 1, :time 14}\n",
    // In one vector, with a comment, and with the reads' values known at their call.
    "; a history\n[{:process 0 :type :invoke :f :write :value 3}\n {:process 0, :type :ok, :f :write, :value 3} ; done\n\
     {:process 1 :type :invoke :f :read :value 3}{:process 1, :type :ok, :f :read, :value 3}]\n; the end\n",
    // In one list, a map over several lines, with unknown fields and a discarded form.
    "({:type :invoke,\n  :f :write,\n  :value 3,\n  :process 0, :error [:x \"y\" 1.5], :debug {:a #inst \"2020-01-01\"}}\n\
     #_{:nothing 1}\n {:type :ok :f :write :value 3 :process 0} {:type :invoke :f :read :value nil :process 1}\n\
     {:type :ok :f :read :value 3 :process 1})",
    // Records, as Jepsen from 0.3 on writes them, and as Knossos did.
    "#jepsen.history.Op{:index 0, :time 1, :type :invoke, :process 0, :f :write, :value 3}\n\
     #jepsen.history.Op{:index 1, :time 2, :type :info, :process :nemesis, :f :kill, :value #{\"n1\"}}\n\
     #jepsen.history.Op{:index 2, :time 3, :type :ok, :process 0, :f :write, :value 3}\n\
     #knossos.op.Op{:process 1, :type :invoke, :f :read, :value nil, :index 3}\n\
     #knossos.op.Op {:process 1, :type :ok, :f :read, :value 3, :index 4}\n",
    // history.txt.
    "0\t:invoke\t:write\t3\n:nemesis\t:info\t:start\tnil\n0\t:ok\t:write\t3\n1\t:invoke\t:read\tnil\n1\t:ok\t:read\t3\n",
    // history.txt with errors behind the values and with other white space.
    ":nemesis  :info  :start  nil\n0  :invoke  :write  3\n\n0  :ok  :write  3  [:slow \"really\"]\n\
     1  :invoke  :read  nil\n1 :ok :read 3",
    // jepsen.log, old.
    "INFO  jepsen.core - Running test\n  on three nodes\nINFO  jepsen.util - 0\t:invoke\t:write\t3\n\
     INFO  jepsen.util - :nemesis\t:info\t:start\tnil\nINFO  jepsen.util - 0\t:ok\t:write\t3\n\
     WARN  jepsen.core - Process 7 crashed\njava.lang.Exception: no\n\tat clojure.core$x.invoke(core.clj:1)\n\
     INFO  jepsen.util - 1\t:invoke\t:read\tnil\nINFO  jepsen.util - 1\t:ok\t:read\t3\n",
    // jepsen.log, new.
    "2023-08-18 22:31:02,123{GMT}\tINFO\t[jepsen test runner] jepsen.core: Running test:\n {:a 1}\n\
     2023-08-18 22:31:02,223{GMT}\tINFO\t[jepsen worker 0] jepsen.util: 0\t:invoke\t:write\t3\n\
     2023-08-18 22:31:02,323{GMT}\tINFO\t[jepsen worker nemesis] jepsen.util: :nemesis\t:info\t:kill\tnil\n\
     2023-08-18 22:31:02,423{GMT}\tINFO\t[jepsen worker 0] jepsen.util: 0\t:ok\t:write\t3\n\
     2023-08-18 22:31:02,523{GMT}\tINFO\t[jepsen worker 1] jepsen.util: 1\t:invoke\t:read\tnil\n\
     2023-08-18 22:31:02,623{GMT}\tINFO\t[jepsen worker 1] jepsen.util: 1\t:ok\t:read\t3\n",
    // What `jepsen.util` logs besides is none of the history.
    "INFO  jepsen.util - waiting for a lock\nINFO  jepsen.util - 0\t:invoke\t:write\t3\n\
     INFO  jepsen.util - 0\t:ok\t:write\t3\nINFO  jepsen.util - 1\t:invoke\t:read\tnil\n\
     INFO  jepsen.util - 1\t:ok\t:read\t3\n",
];

#[test]
fn all_forms_of_one_history_are_read_alike() {
    for form in FORMS {
        let history = register(form).unwrap_or_else(|error| panic!("{error}\n{form}"));
        let [write, read] = history.entries() else { panic!("two operations\n{form}") };
        assert_eq!((&write.op, &write.ret), (&RegisterOp::Write(int(3)), &Some((1, RegisterOutput::Done))), "{form}");
        assert_eq!((&read.op, &read.ret), (&RegisterOp::Read, &Some((3, RegisterOutput::Value(int(3))))), "{form}");
        // The same, but the read gets another value, which nobody wrote.
        let stale = form
            .replace(":read\t3", ":read\t4")
            .replace(":ok :read 3", ":ok :read 4")
            .replace(":ok, :f :read, :value 3", ":ok, :f :read, :value 4");
        let stale = stale.replace(":ok :f :read :value 3", ":ok :f :read :value 4");
        assert_eq!(word(&Register::new(Datum::Nil), register(&stale)), "fail", "{form}");
    }
}

/// `:fail` of a compare-and-set was once taken for an observation in every history, which condemned right ones.
#[test]
fn what_failed_did_not_happen_unless_the_file_means_otherwise() {
    let text = "0 :invoke :write 1\n0 :ok :write 1\n1 :invoke :cas [1 2]\n1 :fail :cas [1 2]\n\
                2 :invoke :read nil\n2 :ok :read 1\n";
    let model = Register::new(Datum::Nil);
    assert_eq!(word(&model, read::register(text, FailedCas::DidNotHappen)), "pass", "it did not happen");
    assert_eq!(word(&model, read::register(text, FailedCas::FoundAnotherValue)), "fail", "it would have found the 1");
    let timed_out = text.replace(":fail :cas [1 2]", ":fail :cas :timed-out");
    assert_eq!(word(&model, read::register(&timed_out, FailedCas::FoundAnotherValue)), "pass", "an error says nothing");
    let read = text.replace(":ok :read 1", ":ok :read 2");
    assert_eq!(word(&model, read::register(&read, FailedCas::DidNotHappen)), "fail");
    let info = read.replace(":fail :cas", ":info :cas");
    assert_eq!(word(&model, read::register(&info, FailedCas::DidNotHappen)), "pass", "its outcome is unknown");
}

#[test]
fn a_register_has_its_initial_value() {
    let text = "0 :invoke :read nil\n0 :ok :read 7\n";
    assert_eq!(word(&Register::new(Datum::Nil), register(text)), "fail");
    assert_eq!(word(&Register::new(read::datum("7").unwrap()), register(text)), "pass");
    let text = "{:process 0 :type :invoke :f :read}{:process 0 :type :ok :f :read :value [1 \"a\" {:b nil}]}";
    assert_eq!(word(&Register::new(read::datum("[1, \"a\" {:b nil}]").unwrap()), register(text)), "pass");
    assert_eq!(read::datum("[1").unwrap_err(), "`[1` is not a value in EDN");
}

#[test]
fn a_mutex_is_held_by_one_at_a_time() {
    let text = "0 :invoke :acquire nil\n0 :ok :acquire nil\n1 :invoke :acquire nil\n0 :invoke :release nil\n\
                0 :ok :release nil\n1 :ok :acquire nil\n";
    assert_eq!(word(&Mutex::default(), read::mutex(text)), "pass");
    assert_eq!(word(&Mutex::held(), read::mutex(text)), "fail");
    let both = text.replace("0 :invoke :release nil\n0 :ok :release nil\n", "");
    assert_eq!(word(&Mutex::default(), read::mutex(&both)), "fail", "both hold it");
    let unknown = both.replace("0 :ok :acquire", "0 :info :acquire");
    assert_eq!(word(&Mutex::default(), read::mutex(&unknown)), "pass", "the first may not hold it");
}

#[test]
fn transactions_happen_at_once() {
    let text = "[{:process 0 :type :invoke :f :txn :value [[:write :x 1] [:write :y 1]]}
        {:process 1 :type :invoke :f :txn :value [[:read :x nil] [:r :y nil]]}
        {:process 1 :type :ok :f :txn :value [[:read :x 1] [:r :y 1]]}
        {:process 0 :type :ok :f :txn :value [[:write :x 1] [:write :y 1]]}
        {:process 1 :type :invoke :f :txn :value [[:w :x 2] [:read :x nil] [:read :z nil]]}
        {:process 1 :type :ok :f :txn :value [[:w :x 2] [:read :x 2] [:read :z nil]]}]";
    assert_eq!(word(&MultiRegister::default(), read::multi_register(text)), "pass");
    let torn = text.replace("[:r :y 1]", "[:r :y nil]");
    assert_eq!(word(&MultiRegister::default(), read::multi_register(&torn)), "fail", "half of a transaction");
    let before = text.replace("[:read :x 1] [:r :y 1]", "[:read :x 0] [:r :y 0]");
    let keyword = |name: &str| read::datum(name).unwrap();
    let zero = MultiRegister::of([(keyword(":x"), int(0)), (keyword(":y"), int(0))]);
    assert_eq!(word(&zero, read::multi_register(&before)), "pass", "it is read before the writes");
    let own = text.replace("[:w :x 2] [:read :x 2]", "[:w :x 2] [:read :x 1]");
    assert_eq!(word(&MultiRegister::default(), read::multi_register(&own)), "fail", "it does not see its own write");
    let other = text.replacen("[[:read :x 1] [:r :y 1]]", "[[:read :x 1]]", 1);
    let error = read::multi_register(&other).unwrap_err().to_string();
    assert!(error.starts_with("line 3: process 1 called MultiRegisterOp([Read(:x), Read(:y)]), but"), "{error}");
}

#[test]
fn sets_and_queues_are_read() {
    let set = "0 :invoke :add 1\n0 :ok :add 1\n1 :invoke :read nil\n1 :ok :read #{1}\n0 :invoke :read nil\n\
               0 :ok :read [1]\n";
    assert_eq!(word(&Set::default(), read::set(set)), "pass");
    assert_eq!(word(&Set::default(), read::set(&set.replace("#{1}", "#{}"))), "fail", "the value is lost");
    assert_eq!(word(&Set::of([int(2)]), read::set(set)), "fail");
    assert_eq!(word(&Set::of([int(2)]), read::set(&set.replace("#{1}", "#{1 2}").replace("[1]", "(2 1)"))), "pass");

    let queue = "0 :invoke :enqueue 1\n0 :ok :enqueue 1\n0 :invoke :enqueue 2\n0 :ok :enqueue 2\n\
                 1 :invoke :dequeue nil\n1 :ok :dequeue 1\n1 :invoke :drain nil\n1 :ok :drain [2]\n\
                 1 :invoke :dequeue nil\n1 :ok :dequeue nil\n1 :invoke :dequeue nil\n1 :fail :dequeue :empty\n";
    assert_eq!(word(&Queue::default(), read::queue(queue)), "pass");
    assert_eq!(word(&Queue::of([int(9)]), read::queue(queue)), "fail", "the 9 comes first");
    assert_eq!(word(&Queue::default(), read::queue(&queue.replace("[2]", "[]"))), "fail", "the 2 is still there");
    assert_eq!(word(&Queue::default(), read::queue(&queue.replace(":dequeue 1", ":dequeue 2"))), "fail");
    let error = read::queue(&queue.replace(":ok :drain [2]", ":info :drain nil")).unwrap_err().to_string();
    assert_eq!(error, "line 8: a :drain whose outcome is unknown cannot be judged");
}

#[test]
fn damaged_histories_are_refused_with_their_line() {
    let line = |rest: &str| format!("INFO  jepsen.util - {rest}\n");
    let call = line("0 :invoke :write 3");
    let edn = "{:process 0, :type :invoke, :f :write, :value 3}\n";
    for (text, expected) in [
        (String::new(), "line 1: the history ends without any operation"),
        (line(":nemesis :info :start nil"), "line 1: the history ends without any operation"),
        (line("0 :ok :read 3"), "line 1: process 0 returns although it has no open call"),
        (call.clone() + &line("0 :invoke :read nil"), "line 2: process 0 calls before its previous call has returned"),
        (call.clone() + &line("0 :ok :read 3"), "line 2: process 0 called :write, but :read returns"),
        (call.clone() + &line("0 :ok :write 4"), "line 2: process 0 called Write(3), but :write 4 returns"),
        (call.clone() + &line("0 :fail :write 4"), "line 2: process 0 called Write(3), but :write 4 returns"),
        (call.clone() + &line("0 :ok :write :timed-out"), "line 2: process 0 called Write(3), but :write :timed-out"),
        (call.clone() + &line("0 :done :write 3"), "line 2: `:done` is not :invoke"),
        (call.clone() + &line("0 :ok"), "line 2: the line is incomplete"),
        (call.clone() + &line("0 :ok :write [3"), "line 2: what begins here has no end"),
        (call.clone() + "INFO  jepsen.u", "line 2: `INFO  jepsen.u` is not a line"),
        (call.clone() + "hello", "line 2: `hello` is not a line of Jepsen's log"),
        (line("x :invoke :read nil"), "line 1: `x` is not a process number"),
        (line("0 :invoke :cas [1]"), "line 1: `[1]` is not a pair"),
        (line("0 :invoke :push 1"), "line 1: `:push` is not :read"),
        (format!("\n{edn}{{:process 0, :type :ok, :f :write, :value"), "line 3: what begins here has no end"),
        (format!("[{edn}"), "line 2: the closing `]` is missing"),
        (format!("[{edn}] 7"), "line 2: `7` follows the end of the history"),
        (format!("{edn}]"), "line 2: `]` closes nothing"),
        (edn.replace(":value 3", ""), "line 1: `:value` is missing"),
        (edn.replace(":process 0,", ""), "line 1: `:process` is missing"),
        (edn.replace(":process 0", ":process -1"), "line 1: `-1` is not a process number"),
        (edn.replace(":f", ":type"), "line 1: a map or a set has the same entry twice"),
        (edn.replace(":write", "7"), "line 1: `:f` is `7`, but a keyword is expected"),
        (format!("{edn}(1 2)"), "line 2: `(1 2)` is not a map"),
    ] {
        let error = register(&text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error} instead of {expected}");
    }
    let call = "{:process 0, :type :invoke, :f :append, :key \"1\", :value \"x\"}\n";
    for (text, expected) in [
        ("{:process 0, :type :ok, :f :get, :key \"1\", :value \"\"}".to_owned(), "line 1: process 0 returns although"),
        (call.repeat(2), "line 2: process 0 calls before"),
        (call.replace('}', ""), "line 1: what begins here has no end"),
        (call.replace("\"x\"", "\"x"), "line 1: what begins here has no end"),
        (call.replace(":key \"1\", ", ""), "line 1: `:key` is missing"),
        (call.replace("\"1\"", "1"), "line 1: `:key` is `1`, but a string"),
        (call.replace("append", "cut"), "line 1: `:cut` is not :get"),
        (call.to_owned() + &call.replace("invoke", "ok").replace("\"x\"", "\"y\""), "line 2: process 0 called"),
    ] {
        let error = read::key_value(&text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error} instead of {expected}");
    }
}

#[test]
fn quoted_strings_and_field_orders_are_parsed() {
    let text = r#"{:process 0, :type :invoke, :f :put, :key "a, b}", :value "\"x\"\n"}
        {:value "\"x\"\n" :key "a, b}" :f :put :type :ok :process 0}"#;
    let history = read::key_value(text).unwrap();
    let [entry] = history.entries() else { panic!("one operation") };
    assert_eq!((entry.op.key.as_str(), entry.call), ("a, b}", 0));
    assert_eq!(entry.op.action, KeyValueAction::Put("\"x\"\n".to_owned()));
    assert_eq!(entry.ret, Some((1, KeyValueOutput::Done)));
    assert_eq!(linearizable(&KeyValue, &history), Verdict::Pass);
}

/// As `jepsen.independent` writes them: the values are pairs of a key and a value.
#[test]
fn independent_registers_are_split_by_their_keys() {
    let events = "#jepsen.history.Op{:index 0, :process 0, :type :invoke, :f :write, :value [0 1]}
        #jepsen.history.Op{:index 1, :process 1, :type :invoke, :f :write, :value [\"b\" 2]}
        #jepsen.history.Op{:index 2, :process :nemesis, :type :info, :f :kill, :value [\"n1\" \"n2\"]}
        #jepsen.history.Op{:index 3, :process 0, :type :ok, :f :write, :value [0 1]}
        #jepsen.history.Op{:index 4, :process 1, :type :info, :f :write, :value [\"b\" 2], :error :timeout}
        #jepsen.history.Op{:index 5, :process 0, :type :invoke, :f :read, :value [\"b\" nil]}
        #jepsen.history.Op{:index 6, :process 2, :type :invoke, :f :cas, :value [0 [1 4]]}
        #jepsen.history.Op{:index 7, :process 2, :type :ok, :f :cas, :value [0 [1 4]]}
        #jepsen.history.Op{:index 8, :process 0, :type :ok, :f :read, :value [\"b\" 2]}
        #jepsen.history.Op{:index 9, :process 2, :type :invoke, :f :cas, :value [0 [7 8]]}
        #jepsen.history.Op{:index 10, :process 2, :type :fail, :f :cas, :value nil, :error :no}
        #jepsen.history.Op{:index 11, :process 0, :type :invoke, :f :read, :value [0 nil]}
        #jepsen.history.Op{:index 12, :process 0, :type :ok, :f :read, :value [0 4]}";
    let words = |text: &str| {
        let histories = read::register_by_key(text, FailedCas::default()).unwrap();
        let judged = histories.iter().map(|(key, history)| {
            (key.to_string(), linearizable(&Register::new(Datum::Nil), history).word(), history.entries().len())
        });
        judged.collect::<Vec<_>>()
    };
    let (first, second) = ("0".to_owned(), "\"b\"".to_owned());
    assert_eq!(words(events), [(first.clone(), "pass", 3), (second.clone(), "pass", 2)]);
    let stale = events.replace(":ok, :f :read, :value [0 4]", ":ok, :f :read, :value [0 1]");
    assert_eq!(words(&stale), [(first.clone(), "fail", 3), (second.clone(), "pass", 2)]);
    // The value of the other key is none of this one.
    let mixed = events.replace(":ok, :f :read, :value [\"b\" 2]", ":ok, :f :read, :value [\"b\" 1]");
    assert_eq!(words(&mixed), [(first, "pass", 3), (second, "fail", 2)]);

    assert!(read::has_keys(events).unwrap());
    assert!(!read::has_keys(&events.replace("[0 nil]", "nil")).unwrap(), "one read without a key");
    assert!(!read::has_keys("0 :invoke :cas [0 [1 2]]\n0 :ok :cas [0 [1 2]]\n").unwrap(), "there is no read");
    for (text, expected) in [
        ("0 :invoke :read nil\n", "line 1: `nil` is not a pair of a key and a value"),
        ("0 :invoke :read [1 nil]\n0 :ok :read [2 1]\n", "line 2: process 0 called key 1, but key 2 returns"),
        ("0 :invoke :read [1 nil]\n0 :ok :read 1\n", "line 2: process 0 called key 1, but a value without a key"),
        ("0 :invoke :read [1 nil]\n0 :invoke :read [2 nil]\n", "line 2: process 0 calls before its previous call"),
        ("0 :ok :read [1 nil]\n", "line 1: process 0 returns although"),
        ("0 :invoke :write [1 2]\n0 :ok :write [1 3]\n", "line 2: process 0 called Write(2), but :write 3 returns"),
        (":nemesis :info :start nil\n", "line 1: the history ends without any operation"),
    ] {
        let error = read::register_by_key(text, FailedCas::default()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error} instead of {expected}");
    }
}
