//! tokio-postgres asks a small server of its protocol that knows two statements: an insertion, which is prepared and takes a
//! key, and a simple query for all keys.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::{Config, NoTls, SimpleQueryMessage};

use crate::{Client, Failure, Habits, SharedStore};

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
    loop {
        stream.write_all(&answers.split()).await?;
        let tag = stream.read_u8().await?;
        let body = read_body(&mut stream).await?;
        answer(tag, body, &store, &mut answers).await?;
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

async fn answer(tag: u8, body: Bytes, store: &SharedStore, answers: &mut BytesMut) -> io::Result<()> {
    const TEXT: i32 = 25;
    match tag {
        b'P' => message(answers, b'1', &[]),
        b'D' => {
            let one_text = [&1_i16.to_be_bytes()[..], &TEXT.to_be_bytes()].concat();
            message(answers, b't', &one_text);
            message(answers, b'n', &[]);
        }
        b'B' => match store.add(&bound(body)?).await {
            Ok(()) => message(answers, b'2', &[]),
            Err(error) => message(answers, b'E', format!("SERROR\0CXX000\0M{error}\0\0").as_bytes()),
        },
        b'E' => message(answers, b'C', b"INSERT 0 1\0"),
        b'C' => message(answers, b'3', &[]),
        b'S' => message(answers, b'Z', b"I"),
        b'Q' => {
            message(answers, b'T', &[b"\0\x01keys\0".as_slice(), &[0; 6], &TEXT.to_be_bytes(), &[0; 8]].concat());
            for key in store.keys() {
                message(answers, b'D', &[b"\0\x01\0\0\0", &[key.len() as u8][..], key.as_bytes()].concat());
            }
            message(answers, b'C', b"SELECT\0");
            message(answers, b'Z', b"I");
        }
        _ => {}
    }
    Ok(())
}

/// The value that is bound to a statement's only parameter.
fn bound(mut body: Bytes) -> io::Result<String> {
    for _ in ["portal", "statement"] {
        let end = body.iter().position(|byte| *byte == 0).ok_or(io::ErrorKind::InvalidData)?;
        body.advance(end + 1);
    }
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
