//! tonic on both sides, with its own transport. The service is the health service of gRPC, whose code is generated already:
//! to check a service is to add a key, and all keys are in the metadata of the answer about no service.

use std::pin::Pin;

use futures::Stream;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::{Client, Failure, Habits, SharedStore};

struct Keys(SharedStore);

#[tonic::async_trait]
impl Health for Keys {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        let key = request.into_inner().service;
        let mut response = Response::new(HealthCheckResponse { status: 1 });
        if key.is_empty() {
            let keys = self.0.keys().join(" ").parse().map_err(|_| Status::internal("a key that is no text"))?;
            response.metadata_mut().insert("keys", keys);
        } else {
            self.0.add(&key).await?;
        }
        Ok(response)
    }

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("nobody watches"))
    }
}

/// The server.
pub async fn serve(store: SharedStore) -> Result<(), tonic::transport::Error> {
    Server::builder().add_service(HealthServer::new(Keys(store))).serve(([0, 0, 0, 0], 50_051).into()).await
}

/// A client.
pub struct Grpc {
    client: HealthClient<Channel>,
    habits: Habits,
}

/// A client of the server at this host.
pub async fn connect(host: &str, habits: Habits) -> Result<Grpc, Failure> {
    let endpoint = Endpoint::from_shared(format!("http://{host}:50051"))?;
    let channel = habits.apply(async || Ok(endpoint.connect().await?)).await?;
    Ok(Grpc { client: HealthClient::new(channel), habits })
}

impl Grpc {
    async fn ask(&mut self, key: &str) -> Result<Response<HealthCheckResponse>, Failure> {
        let request = || HealthCheckRequest { service: key.to_owned() };
        self.habits.apply(async || Ok(self.client.clone().check(request()).await?)).await
    }
}

impl Client for Grpc {
    async fn add(&mut self, key: &str) -> Result<(), Failure> {
        self.ask(key).await.map(drop)
    }

    async fn keys(&mut self) -> Result<Vec<String>, Failure> {
        let answer = self.ask("").await?;
        let keys = answer.metadata().get("keys").ok_or("an answer without keys")?.to_str()?;
        Ok(keys.split_whitespace().map(str::to_owned).collect())
    }
}
