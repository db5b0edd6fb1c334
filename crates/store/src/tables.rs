//! The tables: their columns, the first of which are the key. One list, for writing, counting and moving them.

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A number.
    Int,
    /// Text.
    Text,
    /// Bytes.
    Blob,
}

/// A table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// How many of the columns are the key.
    pub(crate) key: usize,
    pub(crate) columns: &'static [(&'static str, Kind)],
    /// What an insert does with a row whose key is there already.
    pub(crate) again: &'static str,
}

use Kind::{Blob, Int, Text};

const LEAVE: &str = "DO NOTHING";

pub(crate) const CLOCK: Table = Table { name: "clock", key: 1, columns: &[("id", Int), ("seq", Int)], again: LEAVE };
pub(crate) const CHANGES: Table =
    Table { name: "changes", key: 1, columns: &[("seq", Int), ("scope", Text)], again: LEAVE };
pub(crate) const DECISIONS: Table = Table {
    name: "decisions",
    key: 1,
    columns: &[
        ("id", Text),
        ("repository", Text),
        ("digest", Text),
        ("environment", Text),
        ("verdict", Text),
        ("policy", Text),
        ("facts", Text),
        ("recorded_at", Int),
        ("valid_until", Int),
        ("children", Text),
        ("record", Blob),
    ],
    again: LEAVE,
};
pub(crate) const LATEST_DECISIONS: Table = Table {
    name: "latest_decisions",
    key: 3,
    columns: &[("repository", Text), ("digest", Text), ("environment", Text), ("decision", Text)],
    again: "DO UPDATE SET decision = excluded.decision WHERE excluded.decision > latest_decisions.decision",
};
pub(crate) const LATEST_PARENTS: Table = Table {
    name: "latest_parents",
    key: 3,
    columns: &[("repository", Text), ("child", Text), ("environment", Text), ("decision", Text)],
    // S1: an index that lets nothing through takes no leave from what another one gives.
    again: "DO UPDATE SET decision = excluded.decision WHERE excluded.decision > latest_parents.decision \
            AND NOT EXISTS (SELECT 1 FROM decisions was, decisions now \
                            WHERE was.id = latest_parents.decision AND now.id = excluded.decision AND was.digest <> now.digest \
                            AND was.verdict IN ('allow', 'warn') AND now.verdict NOT IN ('allow', 'warn'))",
};
pub(crate) const ANSWERS: Table = Table {
    name: "answers",
    key: 1,
    columns: &[
        ("id", Text),
        ("decision", Text),
        ("point", Text),
        ("basis", Text),
        ("asked_by", Text),
        ("pipeline", Text),
        ("commit_id", Text),
        ("trace_id", Text),
        ("at", Int),
        ("times", Int),
    ],
    again: LEAVE,
};
pub(crate) const EVIDENCE: Table = Table {
    name: "evidence",
    key: 1,
    columns: &[("digest", Text), ("media_type", Text), ("stored_at", Int), ("bytes", Blob)],
    // A day, in milliseconds: see the schema.
    again: "DO UPDATE SET stored_at = excluded.stored_at WHERE excluded.stored_at - evidence.stored_at >= 86400000",
};
pub(crate) const POLICIES: Table = Table {
    name: "policies",
    key: 1,
    columns: &[("digest", Text), ("names", Text), ("uploaded_at", Int), ("uploaded_by", Text), ("bundle", Blob)],
    again: LEAVE,
};
pub(crate) const ACTIVATIONS: Table = Table {
    name: "activations",
    key: 1,
    columns: &[("id", Text), ("policy", Text), ("at", Int), ("activated_by", Text), ("reason", Text), ("place", Int)],
    again: LEAVE,
};
pub(crate) const SIGNALS: Table = Table {
    name: "signals",
    key: 1,
    columns: &[
        ("id", Text),
        ("repository", Text),
        ("digest", Text),
        ("kind", Text),
        ("evidence", Text),
        ("submitted_at", Int),
        ("submitted_by", Text),
    ],
    again: LEAVE,
};
pub(crate) const PACKAGES: Table =
    Table { name: "packages", key: 1, columns: &[("id", Blob), ("purl", Text), ("version", Text)], again: LEAVE };
pub(crate) const PACKAGE_SETS: Table =
    Table { name: "package_sets", key: 1, columns: &[("id", Blob), ("digest", Text)], again: LEAVE };
pub(crate) const SET_MEMBERS: Table =
    Table { name: "set_members", key: 2, columns: &[("package", Blob), ("set_id", Blob)], again: LEAVE };
pub(crate) const IMAGE_SETS: Table = Table {
    name: "image_sets",
    key: 3,
    columns: &[("repository", Text), ("digest", Text), ("set_id", Blob)],
    again: LEAVE,
};
pub(crate) const WORKLOADS: Table = Table {
    name: "workloads",
    key: 6,
    columns: &[
        ("digest", Text),
        ("cluster", Text),
        ("namespace", Text),
        ("owner", Text),
        ("container", Text),
        ("repository", Text),
        ("first_seen", Int),
        ("last_seen", Int),
    ],
    again: "DO UPDATE SET \
            first_seen = CASE WHEN excluded.first_seen < workloads.first_seen THEN excluded.first_seen ELSE workloads.first_seen END, \
            last_seen = CASE WHEN excluded.last_seen > workloads.last_seen THEN excluded.last_seen ELSE workloads.last_seen END",
};
pub(crate) const PROMOTIONS: Table = Table {
    name: "promotions",
    key: 1,
    columns: &[
        ("id", Text),
        ("decision", Text),
        ("digest", Text),
        ("source", Text),
        ("destination", Text),
        ("environment", Text),
        ("at", Int),
        ("promoted_by", Text),
    ],
    again: LEAVE,
};
pub(crate) const ITEMS: Table = Table {
    name: "items",
    key: 2,
    columns: &[
        ("kind", Text),
        ("id", Text),
        ("revision", Int),
        ("state", Text),
        ("repository", Text),
        ("digest", Text),
        ("environment", Text),
        ("created_at", Int),
        ("until", Int),
        ("body", Blob),
    ],
    again: LEAVE,
};
pub(crate) const USES: Table =
    Table { name: "uses", key: 2, columns: &[("item", Text), ("decision", Text), ("at", Int)], again: LEAVE };
pub(crate) const JOBS: Table = Table {
    name: "jobs",
    key: 2,
    columns: &[
        ("kind", Text),
        ("key", Text),
        ("id", Text),
        ("payload", Text),
        ("run_at", Int),
        ("due_at", Int),
        ("taken", Int),
        ("attempts", Int),
        ("again_at", Int),
        ("error", Text),
    ],
    // One that waits becomes due earlier at most; one that is taken runs once more afterwards; a dead one lives again.
    again: "DO UPDATE SET \
            again_at = CASE WHEN jobs.taken = 0 THEN NULL \
                WHEN jobs.again_at < excluded.run_at THEN jobs.again_at ELSE excluded.run_at END, \
            due_at = CASE WHEN jobs.taken = 1 THEN jobs.due_at ELSE excluded.due_at END, \
            run_at = CASE WHEN jobs.taken = 1 THEN jobs.run_at ELSE excluded.run_at END, \
            attempts = CASE WHEN jobs.taken = 0 AND jobs.due_at IS NULL THEN 0 ELSE jobs.attempts END, \
            payload = CASE WHEN jobs.taken = 0 AND jobs.due_at IS NOT NULL THEN jobs.payload ELSE excluded.payload END \
            WHERE jobs.taken = 1 OR jobs.due_at IS NULL OR excluded.run_at < jobs.due_at",
};
pub(crate) const IDEMPOTENCY: Table = Table {
    name: "idempotency",
    key: 1,
    columns: &[("key", Text), ("request", Text), ("until", Int), ("response", Blob)],
    again: LEAVE,
};
pub(crate) const LEAVES: Table = Table {
    name: "leaves",
    key: 1,
    columns: &[
        ("id", Text),
        ("kind", Text),
        ("subject", Text),
        ("repository", Text),
        ("at", Int),
        ("hash", Blob),
        ("place", Int),
        ("bytes", Blob),
    ],
    again: LEAVE,
};
pub(crate) const LOG_NODES: Table =
    Table { name: "log_nodes", key: 2, columns: &[("level", Int), ("place", Int), ("hash", Blob)], again: LEAVE };
pub(crate) const LOG_HEAD: Table = Table {
    name: "log_head",
    key: 1,
    columns: &[("id", Int), ("size", Int), ("checkpoint", Text), ("at", Int), ("key", Text)],
    again: LEAVE,
};

/// Every table; what another names comes before it.
pub(crate) const ALL: &[&Table] = &[
    &CLOCK,
    &CHANGES,
    &POLICIES,
    &ACTIVATIONS,
    &EVIDENCE,
    &DECISIONS,
    &LATEST_DECISIONS,
    &LATEST_PARENTS,
    &ANSWERS,
    &SIGNALS,
    &PACKAGES,
    &PACKAGE_SETS,
    &SET_MEMBERS,
    &IMAGE_SETS,
    &WORKLOADS,
    &PROMOTIONS,
    &ITEMS,
    &USES,
    &JOBS,
    &IDEMPOTENCY,
    &LEAVES,
    &LOG_NODES,
    &LOG_HEAD,
];

impl Table {
    /// `a, b, c`: the columns.
    pub(crate) fn column_list(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    /// `a, b`: the key.
    pub(crate) fn key_list(&self) -> String {
        self.columns.iter().take(self.key).map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }
}
