//! A blocking client on a thread of its own, with nothing but the standard library's sockets, channels and threads.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use futures::channel::oneshot;

use crate::{Client, Failure, Habits};

/// A question, and where its answer goes.
type Question = (String, oneshot::Sender<io::Result<String>>);

/// A client, which hands its questions to its thread.
pub struct Blocking(Sender<Question>);

/// A client of the server at this host.
pub fn connect(host: &str, habits: Habits) -> Blocking {
    let (questions, asked) = channel();
    let host = host.to_owned();
    thread::spawn(move || answer_all(&host, habits, &asked));
    Blocking(questions)
}

fn answer_all(host: &str, habits: Habits, questions: &Receiver<Question>) {
    let mut stream = open(host, habits);
    while let Ok((question, to)) = questions.recv() {
        let answer = match &mut stream {
            Ok(stream) => ask(stream, &question),
            Err(error) => Err(error.kind().into()),
        };
        // Nobody waits for an answer after the client is gone.
        let _ = to.send(answer);
    }
}

fn open(host: &str, habits: Habits) -> io::Result<BufReader<TcpStream>> {
    let mut addresses = (host, 7_000).to_socket_addrs()?;
    let address = addresses.next().ok_or(io::ErrorKind::NotFound)?;
    let stream = match habits.limit {
        Some(limit) => TcpStream::connect_timeout(&address, limit)?,
        None => TcpStream::connect(address)?,
    };
    stream.set_read_timeout(habits.limit)?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

fn ask(stream: &mut BufReader<TcpStream>, question: &str) -> io::Result<String> {
    stream.get_mut().write_all(format!("{question}\n").as_bytes())?;
    let mut answer = String::new();
    match stream.read_line(&mut answer)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(answer.trim_end().to_owned()),
    }
}

impl Blocking {
    async fn ask(&mut self, question: String) -> Result<String, Failure> {
        let (to, answer) = oneshot::channel();
        self.0.send((question, to)).map_err(|_| "the thread has ended")?;
        Ok(answer.await??)
    }
}

impl Client for Blocking {
    async fn add(&mut self, key: &str) -> Result<(), Failure> {
        let answer = self.ask(format!("add {key}")).await?;
        if answer == "added" { Ok(()) } else { Err(answer.into()) }
    }

    async fn keys(&mut self) -> Result<Vec<String>, Failure> {
        Ok(self.ask("keys".to_owned()).await?.split_whitespace().map(str::to_owned).collect())
    }
}
