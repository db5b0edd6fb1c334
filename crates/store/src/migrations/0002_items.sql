-- What people settle beside the policy: exceptions, overrides, entries of the deny list, labels, tokens, proposals. Each is a document that is
-- replaced by its next revision, and only by one who has seen the last.
CREATE TABLE items (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    revision BIGINT NOT NULL,
    state TEXT NOT NULL,
    repository TEXT,
    digest TEXT,
    environment TEXT,
    created_at BIGINT NOT NULL,
    until BIGINT,
    body BLOB NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE INDEX items_state ON items (kind, state, id);
CREATE INDEX items_digest ON items (digest, kind, id) WHERE digest IS NOT NULL;

-- Which decisions an item changed.
CREATE TABLE uses (
    item TEXT NOT NULL,
    decision TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (item, decision)
) WITHOUT ROWID;
