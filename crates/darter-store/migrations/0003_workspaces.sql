-- Workspaces and what belongs to them. The same text runs on SQLite and PostgreSQL: ids and JSON as TEXT, times (ms) and
-- flags as BIGINT. Every row below a workspace goes when the workspace's row goes. Secrets are here only as digests.

CREATE TABLE workspaces (
    id          TEXT PRIMARY KEY,
    owner       TEXT NOT NULL,
    name        TEXT NOT NULL,
    -- named, temporary
    kept        TEXT NOT NULL,
    environment TEXT NOT NULL,
    depth       TEXT NOT NULL,
    -- what the owner wants: awake, asleep, recycled. What is so is in workspace_observed
    desired     TEXT NOT NULL,
    limits      TEXT NOT NULL,
    rest        TEXT NOT NULL,
    -- "keep 2 h": it does not go to rest before
    keep_until  BIGINT,
    revision    BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    -- when somebody last wanted it: made, started, opened
    used_at     BIGINT NOT NULL,
    recycled_at BIGINT
);
CREATE INDEX workspaces_owner ON workspaces (owner);
CREATE INDEX workspaces_desired ON workspaces (desired, id);

CREATE TABLE workspace_members (
    workspace TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    account   TEXT NOT NULL,
    role      TEXT NOT NULL,
    since     BIGINT NOT NULL,
    PRIMARY KEY (workspace, account)
);
CREATE INDEX workspace_members_account ON workspace_members (account, workspace);

-- What the engine saw last. Written by one process at a time, and meaningless once that process has ended.
CREATE TABLE workspace_observed (
    workspace  TEXT PRIMARY KEY REFERENCES workspaces (id) ON DELETE CASCADE,
    state      TEXT NOT NULL,
    since      BIGINT NOT NULL,
    -- why it failed, how the last start went
    detail     TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- A browser that entered a workspace's host (or a port's): the longer session behind its one-minute passes. It ends with
-- the credential that it was made by.
CREATE TABLE door_visits (
    id           TEXT PRIMARY KEY,
    secret       TEXT NOT NULL UNIQUE,
    workspace    TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    -- editor, or a port's number
    door         TEXT NOT NULL,
    account      TEXT REFERENCES accounts (id) ON DELETE CASCADE,
    session      TEXT REFERENCES sessions (id) ON DELETE CASCADE,
    token        TEXT REFERENCES tokens (id) ON DELETE CASCADE,
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    -- a guest's: the link that let them in
    share        TEXT
);
CREATE INDEX door_visits_workspace ON door_visits (workspace);
CREATE INDEX door_visits_account ON door_visits (account);
CREATE INDEX door_visits_session ON door_visits (session);
CREATE INDEX door_visits_token ON door_visits (token);
CREATE INDEX door_visits_expiry ON door_visits (expires_at);

-- What the console hands to a workspace's host: used once, within a minute.
CREATE TABLE door_codes (
    secret     TEXT PRIMARY KEY,
    workspace  TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    door       TEXT NOT NULL,
    account    TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    session    TEXT REFERENCES sessions (id) ON DELETE CASCADE,
    token      TEXT REFERENCES tokens (id) ON DELETE CASCADE,
    -- where the browser goes then; begins with one slash
    path       TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX door_codes_expiry ON door_codes (expires_at);

-- What a workspace's owner decided about a port. Without a row it is private and HTTP.
CREATE TABLE ports (
    workspace  TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    port       BIGINT NOT NULL,
    visibility TEXT NOT NULL,
    protocol   TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (workspace, port)
);

-- A link that opens one port for whoever has it.
CREATE TABLE port_shares (
    id         TEXT PRIMARY KEY,
    workspace  TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    port       BIGINT NOT NULL,
    secret     TEXT NOT NULL UNIQUE,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX port_shares_workspace ON port_shares (workspace, port);

-- The index of snapshots; their data is elsewhere, named by their content.
CREATE TABLE snapshots (
    id           TEXT PRIMARY KEY,
    workspace    TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    -- manual, timetable, delete, restore, depth, environment
    reason       TEXT NOT NULL,
    label        TEXT NOT NULL,
    environment  TEXT NOT NULL,
    files        BIGINT NOT NULL,
    -- of the files, and of what was not stored before
    bytes        BIGINT NOT NULL,
    stored_bytes BIGINT NOT NULL,
    -- digest of the manifest
    manifest     TEXT NOT NULL,
    created_by   TEXT NOT NULL,
    created_at   BIGINT NOT NULL
);
CREATE INDEX snapshots_workspace ON snapshots (workspace, id);
