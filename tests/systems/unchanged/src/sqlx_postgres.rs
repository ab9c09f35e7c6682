//! sqlx asks the small server of [`crate::postgres`]: prepared statements by a connection of a pool, which tests what it
//! hands out.

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};

use crate::{Client, Failure, Habits};

/// A client.
pub struct Sqlx {
    pool: PgPool,
    habits: Habits,
}

/// A client of the server at this host. It connects when it is first asked.
pub fn connect(host: &str, habits: Habits) -> Sqlx {
    let options = PgConnectOptions::new_without_pgpass().host(host).username("user").ssl_mode(PgSslMode::Disable);
    let pool = PgPoolOptions::new().max_connections(2);
    let pool = if let Some(limit) = habits.limit { pool.acquire_timeout(limit) } else { pool };
    Sqlx { pool: pool.connect_lazy_with(options), habits }
}

impl Client for Sqlx {
    async fn add(&mut self, key: &str) -> Result<(), Failure> {
        let insert = async || {
            let query = sqlx::query("INSERT INTO keys VALUES ($1)").bind(key.to_owned());
            Ok(query.execute(&self.pool).await?)
        };
        self.habits.apply(insert).await.map(drop)
    }

    async fn keys(&mut self) -> Result<Vec<String>, Failure> {
        let query = async || Ok(sqlx::query_scalar("SELECT key FROM keys").fetch_all(&self.pool).await?);
        self.habits.apply(query).await
    }
}
