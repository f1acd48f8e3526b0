-- People, how they prove who they are, and who changed what. The same text runs on SQLite and PostgreSQL: ids and JSON
-- as TEXT, times (ms) and flags as BIGINT. Secrets are here only as digests (sessions, tokens, codes) or argon2id.

CREATE TABLE accounts (
    id             TEXT PRIMARY KEY,
    username       TEXT NOT NULL UNIQUE,
    -- normalised; absent for an account that came from a provider which did not prove an address
    email          TEXT UNIQUE,
    -- 1: a provider proved it
    email_verified BIGINT NOT NULL,
    display_name   TEXT NOT NULL,
    -- absent: signs in elsewhere only
    password       TEXT,
    administrator  BIGINT NOT NULL,
    disabled       BIGINT NOT NULL,
    -- digest of the picture; absent: none
    avatar         TEXT,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    last_seen_at   BIGINT
);
CREATE INDEX accounts_created ON accounts (created_at, id);

CREATE TABLE sessions (
    id           TEXT PRIMARY KEY,
    account      TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    secret       TEXT NOT NULL UNIQUE,
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    user_agent   TEXT NOT NULL,
    address      TEXT NOT NULL
);
CREATE INDEX sessions_account ON sessions (account);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE tokens (
    id           TEXT PRIMARY KEY,
    account      TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    secret       TEXT NOT NULL UNIQUE,
    hint         TEXT NOT NULL,
    scopes       TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    last_used_at BIGINT
);
CREATE INDEX tokens_account ON tokens (account);

-- A provider's account bound to one of ours; one of each provider for an account.
CREATE TABLE identities (
    provider   TEXT NOT NULL,
    subject    TEXT NOT NULL,
    account    TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    label      TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (provider, subject),
    UNIQUE (account, provider)
);

CREATE TABLE invitations (
    id         TEXT PRIMARY KEY,
    secret     TEXT NOT NULL UNIQUE,
    email      TEXT,
    uses_left  BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE password_resets (
    secret     TEXT PRIMARY KEY,
    account    TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    expires_at BIGINT NOT NULL
);
CREATE INDEX password_resets_account ON password_resets (account);

-- Never updated, and not removed with what it speaks of.
CREATE TABLE audit (
    id         TEXT PRIMARY KEY,
    time       BIGINT NOT NULL,
    actor      TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    operation  TEXT NOT NULL,
    object     TEXT NOT NULL,
    app        TEXT,
    address    TEXT NOT NULL,
    request_id TEXT NOT NULL,
    details    TEXT NOT NULL
);
CREATE INDEX audit_actor ON audit (actor, id);
CREATE INDEX audit_app ON audit (app, id);

-- Answers to creations, so that a repeated request gets the same one. `status` 0: still at work.
CREATE TABLE idempotency (
    account    TEXT NOT NULL,
    name       TEXT NOT NULL,
    digest     TEXT NOT NULL,
    status     BIGINT NOT NULL,
    -- sealed: an answer may hold a secret that is shown once
    answer     TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, name)
);
CREATE INDEX idempotency_created ON idempotency (created_at);

-- What an administrator chose, or (chosen = 0) the configuration's value.
CREATE TABLE settings (
    name   TEXT PRIMARY KEY,
    value  TEXT NOT NULL,
    chosen BIGINT NOT NULL
);
INSERT INTO settings (name, value, chosen) VALUES ('signup', '"open"', 0);
INSERT INTO settings (name, value, chosen) VALUES ('apps_per_account', '50', 0);
-- Taken (updated) by whoever must be alone: the first account, the last administrator.
INSERT INTO settings (name, value, chosen) VALUES ('lock', '0', 0);
