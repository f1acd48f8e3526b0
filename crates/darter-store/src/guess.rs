//! Counts of attempts at passwords and codes. They belong to the server: no account reads them.

use darter_core::Millis;
use sqlx::AnyConnection;

use crate::Result;

/// A count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guess {
    /// A digest of who guesses at what.
    pub name: String,
    pub attempts: u32,
    pub last: Millis,
}

/// For the server itself: keeps a count as it is now.
pub async fn keep(db: &mut AnyConnection, guess: &Guess) -> Result<()> {
    sqlx::query(
        "INSERT INTO guesses (name, attempts, last) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET attempts = excluded.attempts, last = excluded.last",
    )
    .bind(&guess.name)
    .bind(i64::from(guess.attempts))
    .bind(guess.last)
    .execute(db)
    .await?;
    Ok(())
}

/// For the server itself: forgets a count.
pub async fn remove(db: &mut AnyConnection, name: &str) -> Result<()> {
    sqlx::query("DELETE FROM guesses WHERE name = $1").bind(name).execute(db).await?;
    Ok(())
}

/// For the server itself: the latest counts, at most so many.
pub async fn list(db: &mut AnyConnection, most: u32) -> Result<Vec<Guess>> {
    let rows: Vec<(String, i64, i64)> =
        sqlx::query_as("SELECT name, attempts, last FROM guesses ORDER BY last DESC LIMIT $1")
            .bind(i64::from(most))
            .fetch_all(db)
            .await?;
    let guess = |(name, attempts, last)| Guess { name, attempts: crate::codec::count(attempts), last };
    Ok(rows.into_iter().map(guess).collect())
}

/// For the server itself: removes counts from before a time.
pub async fn sweep(db: &mut AnyConnection, before: Millis) -> Result<u64> {
    Ok(sqlx::query("DELETE FROM guesses WHERE last < $1").bind(before).execute(db).await?.rows_affected())
}
