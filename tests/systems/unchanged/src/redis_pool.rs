//! deadpool-redis asks the small server of [`crate::redis_resp`]: each question by a connection of a pool, which tests what
//! it hands out.

use deadpool_redis::redis::AsyncCommands;
use deadpool_redis::{Config, Connection, Pool, PoolConfig, Runtime, Timeouts};

use crate::{Client, Failure, Habits};

/// A client.
pub struct Pooled {
    pool: Pool,
    habits: Habits,
}

/// A client of the server at this host. It connects when it is first asked.
pub fn connect(host: &str, habits: Habits) -> Result<Pooled, Failure> {
    let mut config = Config::from_url(format!("redis://{host}/"));
    let timeouts = Timeouts { wait: habits.limit, create: habits.limit, recycle: habits.limit };
    config.pool = Some(PoolConfig { max_size: 2, timeouts, ..PoolConfig::default() });
    Ok(Pooled { pool: config.create_pool(Some(Runtime::Tokio1))?, habits })
}

impl Pooled {
    async fn connection(&self) -> Result<Connection, Failure> {
        Ok(self.pool.get().await?)
    }
}

impl Client for Pooled {
    async fn add(&mut self, key: &str) -> Result<(), Failure> {
        self.habits.apply(async || Ok(self.connection().await?.incr::<_, _, ()>(key, 1).await?)).await
    }

    async fn keys(&mut self) -> Result<Vec<String>, Failure> {
        let keys: String = self.habits.apply(async || Ok(self.connection().await?.get("keys").await?)).await?;
        Ok(keys.split_whitespace().map(str::to_owned).collect())
    }
}
