-- Apps and what belongs to them. The same text runs on SQLite and PostgreSQL: ids and JSON as TEXT, times (ms) and
-- flags as BIGINT. Every row below an app goes when the app's row goes.

CREATE TABLE apps (
    id          TEXT PRIMARY KEY,
    owner       TEXT NOT NULL,
    name        TEXT NOT NULL,
    state       TEXT NOT NULL,
    limits      TEXT NOT NULL,
    -- SERVER_SECRET, sealed with the master key
    secret      TEXT NOT NULL,
    revision    BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    recycled_at BIGINT
);
CREATE INDEX apps_owner ON apps (owner);
CREATE INDEX apps_recycled ON apps (recycled_at);

CREATE TABLE members (
    app     TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    account TEXT NOT NULL,
    role    TEXT NOT NULL,
    since   BIGINT NOT NULL,
    PRIMARY KEY (app, account)
);
CREATE INDEX members_account ON members (account, app);

CREATE TABLE functions (
    id           TEXT PRIMARY KEY,
    app          TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    description  TEXT NOT NULL,
    methods      TEXT NOT NULL,
    source       TEXT NOT NULL,
    -- digest of methods and source of the draft; the live version's own digest is compared with it
    digest       TEXT NOT NULL,
    revision     BIGINT NOT NULL,
    live_version BIGINT,
    last_version BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    updated_by   TEXT NOT NULL,
    UNIQUE (app, name)
);

-- Never updated: a version is what was published, for ever.
CREATE TABLE versions (
    function     TEXT NOT NULL REFERENCES functions (id) ON DELETE CASCADE,
    number       BIGINT NOT NULL,
    app          TEXT NOT NULL,
    source       TEXT NOT NULL,
    code         TEXT NOT NULL,
    map          TEXT NOT NULL,
    imports      TEXT NOT NULL,
    methods      TEXT NOT NULL,
    digest       TEXT NOT NULL,
    message      TEXT NOT NULL,
    author       TEXT NOT NULL,
    source_bytes BIGINT NOT NULL,
    -- what code and map cost on their way into an instance
    code_bytes   BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (function, number)
);
CREATE INDEX versions_app ON versions (app, source_bytes);

CREATE TABLE variables (
    app        TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    value      TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (app, name)
);

CREATE TABLE secrets (
    app        TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    -- nonce and ciphertext; readable only with the master key
    sealed     TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (app, name)
);

CREATE TABLE dependencies (
    app       TEXT PRIMARY KEY REFERENCES apps (id) ON DELETE CASCADE,
    wanted    TEXT NOT NULL,
    installed TEXT NOT NULL,
    lockfile  TEXT,
    digest    TEXT,
    bytes     BIGINT NOT NULL
);

-- The newest install of each app.
CREATE TABLE installs (
    app        TEXT PRIMARY KEY REFERENCES apps (id) ON DELETE CASCADE,
    id         TEXT NOT NULL,
    state      TEXT NOT NULL,
    phase      TEXT NOT NULL,
    message    TEXT,
    output     TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at   BIGINT
);

-- Anybody may want a host; the first to prove it has it.
CREATE TABLE domains (
    app        TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    host       TEXT NOT NULL,
    verified   BIGINT NOT NULL,
    challenge  TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (app, host)
);
CREATE UNIQUE INDEX domains_verified ON domains (host) WHERE verified = 1;

-- A function's numbers in one minute. `writer` is one process's life: each adds rows of its own, readers sum.
CREATE TABLE metrics (
    app       TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    function  TEXT NOT NULL,
    minute    BIGINT NOT NULL,
    writer    BIGINT NOT NULL,
    calls     BIGINT NOT NULL,
    errors    BIGINT NOT NULL,
    starts    BIGINT NOT NULL,
    histogram TEXT NOT NULL,
    PRIMARY KEY (app, minute, function, writer)
);
CREATE INDEX metrics_minute ON metrics (minute);

CREATE TABLE metric_quarters (
    app     TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    quarter BIGINT NOT NULL,
    writer  BIGINT NOT NULL,
    calls   BIGINT NOT NULL,
    errors  BIGINT NOT NULL,
    PRIMARY KEY (app, quarter, writer)
);
CREATE INDEX metric_quarters_quarter ON metric_quarters (quarter);

CREATE TABLE starts (
    app      TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    time     BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    phases   TEXT NOT NULL,
    PRIMARY KEY (app, time, sequence)
);
