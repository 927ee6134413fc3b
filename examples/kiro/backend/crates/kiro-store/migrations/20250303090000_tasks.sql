CREATE TABLE tasks (
    id         INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    title      TEXT NOT NULL CHECK (length(title) > 0),
    state      TEXT NOT NULL DEFAULT 'todo' CHECK (state IN ('todo', 'doing', 'done')),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    done_at    TEXT
);

CREATE INDEX tasks_by_state ON tasks (state, id);
