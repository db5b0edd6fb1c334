-- Written for both databases: `BIGINT` is SQLite's INTEGER; `BLOB`, `TEXT` and `WITHOUT ROWID` are rewritten for PostgreSQL (schema.rs).
-- Times are milliseconds since 1970. Ids are UUIDv7, digests `sha256:…`, as text.

-- The number of the last change: one row, whose lock puts changes into order of commit.
CREATE TABLE clock (id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1), seq BIGINT NOT NULL);
INSERT INTO clock (id, seq) VALUES (1, 0);
CREATE TABLE changes (seq BIGINT NOT NULL PRIMARY KEY, scope TEXT NOT NULL);

CREATE TABLE decisions (
    id TEXT NOT NULL PRIMARY KEY,
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    environment TEXT NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('allow', 'warn', 'pending', 'deny')),
    policy TEXT NOT NULL,
    facts TEXT,
    recorded_at BIGINT NOT NULL,
    valid_until BIGINT,
    children TEXT NOT NULL,
    record BLOB NOT NULL
);
CREATE INDEX decisions_digest ON decisions (digest, id);
CREATE INDEX decisions_repository ON decisions (repository, id);
CREATE INDEX decisions_recorded_at ON decisions (recorded_at);
CREATE INDEX decisions_facts ON decisions (facts) WHERE facts IS NOT NULL;

-- The newest decision about each image in each environment, and about each manifest that an index covers.
CREATE TABLE latest_decisions (
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    environment TEXT NOT NULL,
    decision TEXT NOT NULL,
    PRIMARY KEY (repository, digest, environment)
) WITHOUT ROWID;
CREATE TABLE latest_parents (
    repository TEXT NOT NULL,
    child TEXT NOT NULL,
    environment TEXT NOT NULL,
    decision TEXT NOT NULL,
    PRIMARY KEY (repository, child, environment)
) WITHOUT ROWID;
CREATE INDEX latest_parents_decision ON latest_parents (decision);

CREATE TABLE answers (
    id TEXT NOT NULL PRIMARY KEY,
    decision TEXT NOT NULL,
    point TEXT NOT NULL,
    basis TEXT NOT NULL,
    asked_by TEXT,
    pipeline TEXT,
    commit_id TEXT,
    trace_id TEXT,
    at BIGINT NOT NULL,
    times BIGINT NOT NULL CHECK (times > 0)
);
CREATE INDEX answers_decision ON answers (decision, id);
CREATE INDEX answers_pipeline ON answers (pipeline) WHERE pipeline IS NOT NULL;
CREATE INDEX answers_commit ON answers (commit_id) WHERE commit_id IS NOT NULL;

-- `stored_at` moves on when the same bytes are stored again a day later or more, so that what is in use does not look old.
CREATE TABLE evidence (
    digest TEXT NOT NULL PRIMARY KEY,
    media_type TEXT NOT NULL,
    stored_at BIGINT NOT NULL,
    bytes BLOB NOT NULL
);

CREATE TABLE policies (
    digest TEXT NOT NULL PRIMARY KEY,
    names TEXT NOT NULL,
    uploaded_at BIGINT NOT NULL,
    uploaded_by TEXT NOT NULL,
    bundle BLOB NOT NULL
);
CREATE TABLE activations (
    id TEXT NOT NULL PRIMARY KEY,
    policy TEXT NOT NULL REFERENCES policies (digest),
    at BIGINT NOT NULL,
    activated_by TEXT NOT NULL,
    reason TEXT,
    place BIGINT NOT NULL UNIQUE
);

CREATE TABLE signals (
    id TEXT NOT NULL PRIMARY KEY,
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    kind TEXT NOT NULL,
    evidence TEXT NOT NULL,
    submitted_at BIGINT NOT NULL,
    submitted_by TEXT NOT NULL
);
CREATE INDEX signals_digest ON signals (digest, repository, id);
CREATE INDEX signals_evidence ON signals (evidence);

-- A package's id is the first half of the SHA-256 of `purl NUL version`, a set's the SHA-256 of its digest's text: one set is kept once,
-- however many images hold it.
CREATE TABLE packages (id BLOB NOT NULL PRIMARY KEY, purl TEXT NOT NULL, version TEXT NOT NULL, UNIQUE (purl, version));
CREATE TABLE package_sets (id BLOB NOT NULL PRIMARY KEY, digest TEXT NOT NULL);
CREATE TABLE set_members (package BLOB NOT NULL, set_id BLOB NOT NULL, PRIMARY KEY (package, set_id)) WITHOUT ROWID;
CREATE TABLE image_sets (
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    set_id BLOB NOT NULL,
    PRIMARY KEY (repository, digest, set_id)
) WITHOUT ROWID;
CREATE INDEX image_sets_set ON image_sets (set_id);

CREATE TABLE workloads (
    digest TEXT NOT NULL,
    cluster TEXT NOT NULL,
    namespace TEXT NOT NULL,
    owner TEXT NOT NULL,
    container TEXT NOT NULL,
    repository TEXT NOT NULL,
    first_seen BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    PRIMARY KEY (digest, cluster, namespace, owner, container, repository)
) WITHOUT ROWID;

CREATE TABLE promotions (
    id TEXT NOT NULL PRIMARY KEY,
    decision TEXT NOT NULL,
    digest TEXT NOT NULL,
    source TEXT NOT NULL,
    destination TEXT NOT NULL,
    environment TEXT NOT NULL,
    at BIGINT NOT NULL,
    promoted_by TEXT NOT NULL
);
CREATE INDEX promotions_environment ON promotions (environment, id);
CREATE INDEX promotions_decision ON promotions (decision);

-- `due_at` is when it may be taken next: for a job that is taken the end of its lease, for a dead one never. `again_at` is set if it was
-- asked for once more while it was taken.
CREATE TABLE jobs (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    payload TEXT NOT NULL,
    run_at BIGINT NOT NULL,
    due_at BIGINT,
    taken BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    again_at BIGINT,
    error TEXT,
    UNIQUE (kind, key)
);
CREATE INDEX jobs_due_at ON jobs (due_at);

CREATE TABLE idempotency (
    key TEXT NOT NULL PRIMARY KEY,
    request TEXT NOT NULL,
    until BIGINT NOT NULL,
    response BLOB NOT NULL
);
CREATE INDEX idempotency_until ON idempotency (until);

-- The audit log: entries, of which those with `place` are leaves of the tree, and the tree.
CREATE TABLE leaves (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT,
    repository TEXT,
    at BIGINT NOT NULL,
    hash BLOB NOT NULL,
    place BIGINT,
    bytes BLOB NOT NULL
);
CREATE UNIQUE INDEX leaves_place ON leaves (place) WHERE place IS NOT NULL;
CREATE INDEX leaves_unsequenced ON leaves (id) WHERE place IS NULL;
CREATE INDEX leaves_subject ON leaves (subject, id) WHERE subject IS NOT NULL;
CREATE INDEX leaves_repository ON leaves (repository, id) WHERE repository IS NOT NULL;
CREATE TABLE log_nodes (
    level BIGINT NOT NULL,
    place BIGINT NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (level, place)
) WITHOUT ROWID;
CREATE TABLE log_head (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    size BIGINT NOT NULL,
    checkpoint TEXT NOT NULL,
    at BIGINT NOT NULL,
    key TEXT NOT NULL
);
