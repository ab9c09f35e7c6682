//! tokio-postgres asks a small server of its protocol that knows two statements: an insertion, which is prepared and takes a
//! key, and a query for all keys, which is simple or prepared.

use std::collections::BTreeMap;
use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::{Config, NoTls, SimpleQueryMessage};

use crate::{Client, Failure, Habits, SharedStore};

/// The type of texts.
const TEXT: i32 = 25;

/// The server.
pub async fn serve(store: SharedStore) -> io::Result<()> {
    let listener = TcpListener::bind("0.0.0.0:5432").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(answer_all(stream, store.clone()));
    }
}

/// Appends a message of this type.
fn message(to: &mut BytesMut, tag: u8, body: &[u8]) {
    to.put_u8(tag);
    to.put_i32(body.len() as i32 + 4);
    to.put_slice(body);
}

async fn answer_all(mut stream: TcpStream, store: SharedStore) -> io::Result<()> {
    let mut answers = BytesMut::new();
    read_body(&mut stream).await?; // who the client is
    message(&mut answers, b'R', &0_i32.to_be_bytes());
    message(&mut answers, b'Z', b"I");
    let mut session = Session { store, prepared: BTreeMap::new(), portal: None, is_failed: false };
    loop {
        stream.write_all(&answers.split()).await?;
        let tag = stream.read_u8().await?;
        let body = read_body(&mut stream).await?;
        session.answer(tag, body, &mut answers).await?;
        if tag == b'X' {
            return Ok(());
        }
    }
}

async fn read_body(stream: &mut TcpStream) -> io::Result<Bytes> {
    let mut body = vec![0; (stream.read_i32().await? - 4) as usize];
    stream.read_exact(&mut body).await?;
    Ok(body.into())
}

/// A statement that the server knows.
#[derive(Clone, Copy)]
enum Statement {
    Insertion,
    Keys,
}

/// A statement with its values.
enum Portal {
    Insertion(String),
    Keys,
}

/// What a connection remembers.
struct Session {
    store: SharedStore,
    prepared: BTreeMap<Bytes, Statement>,
    portal: Option<Portal>,
    /// After a failure, nothing is done until the client synchronises.
    is_failed: bool,
}

impl Session {
    async fn answer(&mut self, tag: u8, mut body: Bytes, answers: &mut BytesMut) -> io::Result<()> {
        match tag {
            b'S' => {
                self.is_failed = false;
                message(answers, b'Z', b"I");
            }
            _ if self.is_failed => {}
            b'P' => {
                let (name, text) = (word(&mut body)?, word(&mut body)?);
                let is_insertion = text.starts_with(b"INSERT");
                self.prepared.insert(name, if is_insertion { Statement::Insertion } else { Statement::Keys });
                message(answers, b'1', &[]);
            }
            b'D' => {
                body.advance(1); // a statement, which no client asks about by its portal
                describe(self.statement(&word(&mut body)?)?, answers);
            }
            b'B' => {
                word(&mut body)?; // the portal, which has no name
                self.portal = Some(match self.statement(&word(&mut body)?)? {
                    Statement::Insertion => Portal::Insertion(bound(body)?),
                    Statement::Keys => Portal::Keys,
                });
                message(answers, b'2', &[]);
            }
            b'E' => self.execute(answers).await,
            b'C' => message(answers, b'3', &[]),
            b'Q' => {
                message(answers, b'T', &one_column());
                self.rows(answers);
                message(answers, b'Z', b"I");
            }
            _ => {}
        }
        Ok(())
    }

    fn statement(&self, name: &Bytes) -> io::Result<Statement> {
        self.prepared.get(name).copied().ok_or(io::ErrorKind::InvalidData.into())
    }

    async fn execute(&mut self, answers: &mut BytesMut) {
        match self.portal.take() {
            Some(Portal::Insertion(key)) => match self.store.add(&key).await {
                Ok(()) => message(answers, b'C', b"INSERT 0 1\0"),
                Err(error) => {
                    self.is_failed = true;
                    message(answers, b'E', format!("SERROR\0VERROR\0CXX000\0M{error}\0\0").as_bytes());
                }
            },
            Some(Portal::Keys) => self.rows(answers),
            None => message(answers, b'I', &[]),
        }
    }

    fn rows(&self, answers: &mut BytesMut) {
        for key in self.store.keys() {
            message(answers, b'D', &[b"\0\x01\0\0\0", &[key.len() as u8][..], key.as_bytes()].concat());
        }
        message(answers, b'C', b"SELECT\0");
    }
}

/// What a statement takes and returns.
fn describe(statement: Statement, answers: &mut BytesMut) {
    match statement {
        Statement::Insertion => {
            message(answers, b't', &[&1_i16.to_be_bytes()[..], &TEXT.to_be_bytes()].concat());
            message(answers, b'n', &[]);
        }
        Statement::Keys => {
            message(answers, b't', &0_i16.to_be_bytes());
            message(answers, b'T', &one_column());
        }
    }
}

/// The description of rows that have one column of text.
fn one_column() -> Vec<u8> {
    [b"\0\x01keys\0".as_slice(), &[0; 6], &TEXT.to_be_bytes(), &[0; 8]].concat()
}

/// Takes the text up to the next zero.
fn word(body: &mut Bytes) -> io::Result<Bytes> {
    let end = body.iter().position(|byte| *byte == 0).ok_or(io::ErrorKind::InvalidData)?;
    let word = body.split_to(end);
    body.advance(1);
    Ok(word)
}

/// The value that is bound to a statement's only parameter.
fn bound(mut body: Bytes) -> io::Result<String> {
    let formats = usize::from(body.get_u16());
    body.advance(formats * 2 + 2);
    let length = body.get_i32() as usize;
    String::from_utf8(body.split_to(length).to_vec()).map_err(io::Error::other)
}

/// A client.
pub struct Postgres {
    client: tokio_postgres::Client,
    habits: Habits,
}

/// A client of the server at this host.
pub async fn connect(host: &str, habits: Habits) -> Result<Postgres, Failure> {
    let mut config = Config::new();
    config.host(host).user("user");
    let (client, connection) = habits.apply(async || Ok(config.connect(NoTls).await?)).await?;
    tokio::spawn(connection);
    Ok(Postgres { client, habits })
}

impl Client for Postgres {
    async fn add(&mut self, key: &str) -> Result<(), Failure> {
        let insert = async || Ok(self.client.execute("INSERT INTO keys VALUES ($1)", &[&key]).await?);
        self.habits.apply(insert).await.map(drop)
    }

    async fn keys(&mut self) -> Result<Vec<String>, Failure> {
        let rows = self.habits.apply(async || Ok(self.client.simple_query("SELECT key FROM keys").await?)).await?;
        let key = |row| if let SimpleQueryMessage::Row(row) = row { row.get(0).map(str::to_owned) } else { None };
        Ok(rows.into_iter().filter_map(key).collect())
    }
}
