-- Attempts at passwords and codes that are past the free ones, so that a restart does not forgive them. A name is an
-- address, or a digest of an address and what it guesses at: what people type as their name may be their password.
CREATE TABLE guesses (
    name     TEXT PRIMARY KEY,
    attempts BIGINT NOT NULL,
    last     BIGINT NOT NULL
);
