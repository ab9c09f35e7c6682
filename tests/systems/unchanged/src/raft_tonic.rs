//! Three nodes of openraft agree on keys, over tonic's own transport, which carries all questions of nodes and clients as
//! JSON in one message of prost.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use openraft::error::{InstallSnapshotError, RPCError, RaftError, Unreachable};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse, VoteRequest,
    VoteResponse,
};
use openraft::{BasicNode, Config, Raft, RaftNetwork, RaftNetworkFactory, SnapshotPolicy};
use serde::{Deserialize, Serialize};
use tonic::body::Body;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::{Service, http};
use tonic::server::{NamedService, UnaryService};
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use crate::raft_log::{Journal, Log, Machine, Types};
use crate::{Client, Failure, Habits};

/// The number of nodes, which are called `node-1` and so on.
pub const NODES: u64 = 3;
const PORT: u16 = 5_000;

#[derive(Clone, PartialEq, prost::Message)]
struct Envelope {
    #[prost(bytes = "vec", tag = "1")]
    json: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
enum Question {
    Append(AppendEntriesRequest<Types>),
    Vote(VoteRequest<u64>),
    Add(String),
    Keys,
    WhoLeads,
}

#[derive(Serialize, Deserialize)]
enum Answer {
    Appended(AppendEntriesResponse<u64>),
    Voted(VoteResponse<u64>),
    Added,
    Keys(Vec<String>),
    /// The term, and who leads in it.
    Leader(u64, Option<u64>),
}

/// A channel that connects when it is first used.
fn channel(node: u64) -> Result<Channel, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(format!("http://node-{node}:{PORT}"))?;
    Ok(endpoint.connect_timeout(Duration::from_millis(500)).connect_lazy())
}

async fn ask(channel: &Channel, question: &Question) -> Result<Answer, Failure> {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await?;
    let request = Request::new(Envelope { json: serde_json::to_vec(question)? });
    let path = PathAndQuery::from_static("/raft.Raft/Ask");
    let answer: Response<Envelope> = client.unary(request, path, ProstCodec::default()).await?;
    Ok(serde_json::from_slice(&answer.into_inner().json)?)
}

/// How one node asks another. After a failure it connects anew.
struct Peer {
    node: u64,
    channel: Option<Channel>,
}

impl Peer {
    async fn ask(&mut self, question: &Question, limit: Duration) -> Result<Answer, Unreachable> {
        let asked = async {
            let channel = match self.channel.take() {
                Some(channel) => channel,
                None => channel(self.node)?,
            };
            let answer = tokio::time::timeout(limit, ask(&channel, question)).await??;
            self.channel = Some(channel);
            Ok(answer)
        };
        asked.await.map_err(|failure: Failure| Unreachable::new(&io::Error::other(failure)))
    }
}

/// The answer is to another question.
fn mistaken() -> Unreachable {
    Unreachable::new(&io::Error::from(io::ErrorKind::InvalidData))
}

impl RaftNetwork<Types> for Peer {
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, RPCError<u64, BasicNode, RaftError<u64>>> {
        match self.ask(&Question::Append(request), option.hard_ttl()).await? {
            Answer::Appended(response) => Ok(response),
            _ => Err(mistaken().into()),
        }
    }

    async fn install_snapshot(
        &mut self,
        _: InstallSnapshotRequest<Types>,
        _: RPCOption,
    ) -> Result<InstallSnapshotResponse<u64>, RPCError<u64, BasicNode, RaftError<u64, InstallSnapshotError>>> {
        // No node takes snapshots.
        Err(mistaken().into())
    }

    async fn vote(
        &mut self,
        request: VoteRequest<u64>,
        option: RPCOption,
    ) -> Result<VoteResponse<u64>, RPCError<u64, BasicNode, RaftError<u64>>> {
        match self.ask(&Question::Vote(request), option.hard_ttl()).await? {
            Answer::Voted(response) => Ok(response),
            _ => Err(mistaken().into()),
        }
    }
}

struct Peers;

impl RaftNetworkFactory<Types> for Peers {
    type Network = Peer;

    async fn new_client(&mut self, node: u64, _: &BasicNode) -> Peer {
        Peer { node, channel: None }
    }
}

/// A node, as a service.
#[derive(Clone)]
struct Node {
    raft: Raft<Types>,
    keys: Arc<Mutex<Vec<String>>>,
}

impl Node {
    async fn answer(self, question: Question) -> Result<Answer, Failure> {
        Ok(match question {
            Question::Append(request) => Answer::Appended(self.raft.append_entries(request).await?),
            Question::Vote(request) => Answer::Voted(self.raft.vote(request).await?),
            Question::Add(key) => {
                self.raft.client_write(key).await?;
                Answer::Added
            }
            Question::Keys => {
                self.raft.ensure_linearizable().await?;
                Answer::Keys(self.keys.lock().unwrap().clone())
            }
            Question::WhoLeads => {
                let metrics = self.raft.metrics().borrow().clone();
                Answer::Leader(metrics.current_term, metrics.current_leader)
            }
        })
    }
}

/// A node that answers one call.
struct Call(Node);

impl UnaryService<Envelope> for Call {
    type Response = Envelope;
    type Future = BoxFuture<'static, Result<Response<Envelope>, Status>>;

    fn call(&mut self, request: Request<Envelope>) -> Self::Future {
        let node = self.0.clone();
        Box::pin(async move {
            let question = serde_json::from_slice(&request.into_inner().json);
            let question = question.map_err(|error| Status::invalid_argument(error.to_string()))?;
            let answer = node.answer(question).await.map_err(|failure| Status::unavailable(failure.to_string()))?;
            let json = serde_json::to_vec(&answer).map_err(|error| Status::internal(error.to_string()))?;
            Ok(Response::new(Envelope { json }))
        })
    }
}

impl Service<http::Request<Body>> for Node {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let call = Call(self.clone());
        Box::pin(async move { Ok(tonic::server::Grpc::new(ProstCodec::default()).unary(call, request).await) })
    }
}

impl NamedService for Node {
    const NAME: &'static str = "raft.Raft";
}

/// The node with this number, from 1 on, which keeps its log in a journal.
pub async fn serve(node: u64, journal: Arc<dyn Journal>) -> Result<(), Failure> {
    let config = Config {
        heartbeat_interval: 250,
        election_timeout_min: 800,
        election_timeout_max: 1_600,
        snapshot_policy: SnapshotPolicy::Never,
        ..Config::default()
    };
    let machine = Machine::default();
    let keys = machine.keys.clone();
    let raft = Raft::new(node, Arc::new(config.validate()?), Peers, Log::open(journal)?, machine).await?;
    if !raft.is_initialized().await? {
        let members: BTreeMap<u64, BasicNode> = (1..=NODES).map(|node| (node, BasicNode::default())).collect();
        raft.initialize(members).await?;
    }
    Ok(Server::builder().add_service(Node { raft, keys }).serve(([0, 0, 0, 0], PORT).into()).await?)
}

/// A client, which asks the leader.
pub struct Cluster {
    leader: Channel,
    habits: Habits,
}

/// The leader of the latest term that any node knows, asked until there is one.
async fn leader() -> Result<Channel, Failure> {
    loop {
        let asked = (1..=NODES).map(|node| async move {
            let (limit, channel) = (Duration::from_millis(500), channel(node)?);
            match tokio::time::timeout(limit, ask(&channel, &Question::WhoLeads)).await?? {
                Answer::Leader(term, Some(leader)) => Ok((term, leader)),
                _ => Err(Failure::from("nobody leads")),
            }
        });
        let answers = futures::future::join_all(asked).await;
        if let Some((_, leader)) = answers.into_iter().flatten().max() {
            return Ok(channel(leader)?);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A client of the nodes.
pub async fn connect(habits: Habits) -> Result<Cluster, Failure> {
    Ok(Cluster { leader: habits.apply(leader).await?, habits })
}

impl Client for Cluster {
    async fn add(&mut self, key: &str) -> Result<(), Failure> {
        let question = Question::Add(key.to_owned());
        self.habits.apply(async || ask(&self.leader, &question).await).await.map(drop)
    }

    async fn keys(&mut self) -> Result<Vec<String>, Failure> {
        match self.habits.apply(async || ask(&self.leader, &Question::Keys).await).await? {
            Answer::Keys(keys) => Ok(keys),
            _ => Err("the answer is to another question".into()),
        }
    }
}
