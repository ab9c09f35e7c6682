//! hickory's resolver asks a name server over UDP, which answers with hickory's messages, and the client then connects to the
//! address that it was told.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{RData, Record, RecordType};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use tokio::net::{TcpStream, UdpSocket};

use crate::lines::{self, Lines};
use crate::{Failure, Habits, SharedStore};

/// The name that the name server knows.
const NAME: &str = "keys.example.";

/// A server of keys that is also the name server that knows its address.
pub async fn serve(store: SharedStore, address: Ipv4Addr) -> Result<(), Failure> {
    tokio::try_join!(async { Ok(lines::serve(store).await?) }, answer_names(address)).map(drop)
}

/// Tells the address of the one name to everybody who asks.
async fn answer_names(address: Ipv4Addr) -> Result<(), Failure> {
    let socket = UdpSocket::bind("0.0.0.0:53").await?;
    let mut buffer = [0; 1_232];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await?;
        if let Ok(question) = Message::from_vec(&buffer[..length]) {
            socket.send_to(&answer(&question, address).to_vec()?, from).await?;
        }
    }
}

fn answer(question: &Message, address: Ipv4Addr) -> Message {
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    answer.add_queries(question.queries.iter().cloned());
    match question.queries.first() {
        Some(query) if query.name().to_ascii() == NAME => {
            if query.query_type() == RecordType::A {
                answer.add_answer(Record::from_rdata(query.name().clone(), 1, RData::A(A(address))));
            }
        }
        _ => answer.metadata.response_code = ResponseCode::NXDomain,
    }
    answer
}

/// A client that asks the name server at this address.
pub async fn connect(name_server: IpAddr, habits: Habits) -> Result<Lines<TcpStream>, Failure> {
    let config = ResolverConfig::from_name_servers(vec![NameServerConfig::udp(name_server)]);
    let mut options = ResolverOpts::default();
    (options.timeout, options.attempts) = (Duration::from_millis(500), 4);
    options.use_hosts_file = ResolveHosts::Never;
    let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    let resolver = builder.with_options(options).build()?;
    let open = async || {
        let address = resolver.lookup_ip(NAME).await?.iter().next().ok_or("the name has no address")?;
        Ok(TcpStream::connect((address, lines::PORT)).await?)
    };
    Ok(Lines::new(habits.apply(open).await?, habits))
}
