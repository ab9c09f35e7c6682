//! rumqttc publishes to a tiny broker, which keeps what comes to the topic `add`, each key once, and publishes all keys to
//! who subscribes to `keys`.

use std::io;

use bytes::BytesMut;
use rumqttc::{
    AsyncClient, ConnAck, ConnectReturnCode, Event, EventLoop, MqttOptions, Outgoing, Packet, PubAck, Publish, QoS,
    SubAck, SubscribeReasonCode,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::{Client, Failure, Habits, SharedStore};

const LARGEST: usize = 1 << 20;

/// The broker.
pub async fn serve(store: SharedStore) -> io::Result<()> {
    let listener = TcpListener::bind("0.0.0.0:1883").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(answer_all(stream, store.clone()));
    }
}

async fn answer_all(mut stream: TcpStream, store: SharedStore) -> Result<(), Failure> {
    let mut received = BytesMut::new();
    loop {
        let mut answers = BytesMut::new();
        match Packet::read(&mut received, LARGEST) {
            Ok(packet) => answer(packet, &store, &mut answers).await?,
            Err(rumqttc::mqttbytes::Error::InsufficientBytes(_)) => {
                if stream.read_buf(&mut received).await? == 0 {
                    return Ok(());
                }
            }
            Err(error) => return Err(error.into()),
        }
        stream.write_all(&answers).await?;
    }
}

async fn answer(packet: Packet, store: &SharedStore, answers: &mut BytesMut) -> Result<(), Failure> {
    match packet {
        Packet::Connect(_) => ConnAck::new(ConnectReturnCode::Success, false).write(answers)?,
        Packet::Publish(message) => {
            let key = String::from_utf8(message.payload.to_vec())?;
            // A message that is sent again is the same message.
            if !store.keys().contains(&key) {
                store.add(&key).await?;
            }
            if message.qos == QoS::AtMostOnce { 0 } else { PubAck::new(message.pkid).write(answers)? }
        }
        Packet::Subscribe(subscribe) => {
            SubAck::new(subscribe.pkid, vec![SubscribeReasonCode::Success(QoS::AtMostOnce)]).write(answers)?;
            Publish::new("keys", QoS::AtMostOnce, store.keys().join(" ")).write(answers)?
        }
        Packet::PingReq => rumqttc::PingResp.write(answers)?,
        _ => return Err("a packet that this broker does not know".into()),
    };
    Ok(())
}

/// A client.
pub struct Mqtt {
    client: AsyncClient,
    events: EventLoop,
    habits: Habits,
}

/// A client of the broker at this host.
pub fn connect(host: &str, habits: Habits) -> Mqtt {
    let (client, events) = AsyncClient::new(MqttOptions::new("client", host, 1_883), 4);
    Mqtt { client, events, habits }
}

impl Mqtt {
    /// Waits for an event that `read` understands.
    async fn wait<T>(&mut self, read: impl Fn(&Event) -> Option<T>) -> Result<T, Failure> {
        let events = &mut self.events;
        let wait = async || {
            loop {
                if let Some(found) = read(&events.poll().await?) {
                    return Ok(found);
                }
            }
        };
        self.habits.apply(wait).await
    }
}

impl Client for Mqtt {
    async fn add(&mut self, key: &str) -> Result<(), Failure> {
        let believes = self.habits.believes;
        let quality = if believes { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        self.client.publish("add", quality, false, key).await?;
        self.wait(|event| match event {
            Event::Incoming(Packet::PubAck(_)) => Some(()),
            Event::Outgoing(Outgoing::Publish(_)) if believes => Some(()),
            _ => None,
        })
        .await
    }

    async fn keys(&mut self) -> Result<Vec<String>, Failure> {
        self.client.subscribe("keys", QoS::AtMostOnce).await?;
        self.wait(|event| match event {
            Event::Incoming(Packet::Publish(message)) => {
                Some(String::from_utf8_lossy(&message.payload).split_whitespace().map(str::to_owned).collect())
            }
            _ => None,
        })
        .await
    }
}
