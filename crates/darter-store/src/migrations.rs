//! The steps from an empty database to today's. A step that was released is never changed: a new one follows it.

use sqlx::SqlStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// All steps, compiled in.
pub fn all() -> Migrator {
    let steps = [
        (1, "accounts", include_str!("../migrations/0001_accounts.sql")),
        (2, "apps", include_str!("../migrations/0002_apps.sql")),
        (3, "workspaces", include_str!("../migrations/0003_workspaces.sql")),
        (4, "guesses", include_str!("../migrations/0004_guesses.sql")),
        (5, "ssh keys", include_str!("../migrations/0005_ssh_keys.sql")),
    ];
    let migrations = steps.map(|(version, name, sql)| {
        Migration::new(version, name.into(), MigrationType::Simple, SqlStr::from_static(sql), false)
    });
    Migrator::with_migrations(migrations.to_vec())
}
