-- Public keys that people enter workspaces with. A key may be in several accounts: whoever signs with it proves that it is
-- theirs, and who adds somebody else's public key opens only their own workspaces to them. So nobody can take a key away
-- from its owner by being first, nor learn whether somebody has it.
CREATE TABLE ssh_keys (
    id           TEXT PRIMARY KEY,
    account      TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    -- SHA256:…
    fingerprint  TEXT NOT NULL,
    -- as OpenSSH writes it, without a comment
    public_key   TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT,
    UNIQUE (account, fingerprint)
);
CREATE INDEX ssh_keys_fingerprint ON ssh_keys (fingerprint);
