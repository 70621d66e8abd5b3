-- The notes table made anew.
--
-- For the user: nothing to see, apart from a title for notes that had none: `Untitled`.
--
-- What ALTER TABLE cannot do: `updated_at` becomes NOT NULL and gets its own default (the trigger of V4 that filled it
-- goes), a note must have a title, and the line of text in `source`, which V9 split, is dropped. So: a new table, the
-- rows, the old one away, the new one in its place, and everything that hung on it once more. `note_tags` and
-- `attachments` refer to notes by ON DELETE CASCADE: with foreign keys on, DROP TABLE would empty them. lifeboat has
-- foreign keys off while it migrates, and checks them before it commits.

-- A view of a table that is away would stop the rename.
DROP VIEW note_list;

CREATE TABLE notes_new (
    id          INTEGER PRIMARY KEY,
    notebook_id INTEGER NOT NULL REFERENCES notebooks (id) ON DELETE CASCADE,
    source_id   INTEGER REFERENCES sources (id) ON DELETE SET NULL,
    title       TEXT NOT NULL DEFAULT 'Untitled' CHECK (trim(title) <> ''),
    body        TEXT NOT NULL DEFAULT '',
    word_count  INTEGER NOT NULL DEFAULT 0 CHECK (word_count >= 0),
    is_pinned   INTEGER NOT NULL DEFAULT 0 CHECK (is_pinned IN (0, 1)),
    created_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    updated_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    trashed_at  TEXT
);

INSERT INTO notes_new (
    id, notebook_id, source_id, title, body, word_count, is_pinned, created_at, updated_at, trashed_at
)
SELECT
    id,
    notebook_id,
    source_id,
    CASE trim(title) WHEN '' THEN 'Untitled' ELSE title END,
    body,
    word_count,
    is_pinned,
    created_at,
    coalesce(updated_at, created_at),
    trashed_at
FROM notes;

DROP TABLE notes;
ALTER TABLE notes_new RENAME TO notes;

CREATE INDEX notes_by_notebook ON notes (notebook_id, created_at);
CREATE INDEX notes_pinned ON notes (notebook_id) WHERE is_pinned = 1;
CREATE INDEX notes_open ON notes (notebook_id, updated_at DESC) WHERE trashed_at IS NULL;
CREATE INDEX notes_trashed ON notes (trashed_at) WHERE trashed_at IS NOT NULL;
CREATE INDEX notes_by_source ON notes (source_id) WHERE source_id IS NOT NULL;

CREATE TRIGGER notes_touched AFTER UPDATE OF title, body ON notes
WHEN NEW.updated_at IS OLD.updated_at
BEGIN
    UPDATE notes SET updated_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now') WHERE id = NEW.id;
END;

CREATE TRIGGER notes_fts_insert AFTER INSERT ON notes
BEGIN
    INSERT INTO notes_fts (rowid, title, body) VALUES (NEW.id, NEW.title, NEW.body);
END;

CREATE TRIGGER notes_fts_delete AFTER DELETE ON notes
BEGIN
    INSERT INTO notes_fts (notes_fts, rowid, title, body) VALUES ('delete', OLD.id, OLD.title, OLD.body);
END;

CREATE TRIGGER notes_fts_update AFTER UPDATE OF id, title, body ON notes
BEGIN
    INSERT INTO notes_fts (notes_fts, rowid, title, body) VALUES ('delete', OLD.id, OLD.title, OLD.body);
    INSERT INTO notes_fts (rowid, title, body) VALUES (NEW.id, NEW.title, NEW.body);
END;

-- The ids are what they were; some titles are not, and no trigger was there to say so.
INSERT INTO notes_fts (notes_fts) VALUES ('rebuild');

CREATE VIEW note_list AS
SELECT
    notes.id,
    notebooks.name AS notebook,
    notes.title,
    notes.is_pinned,
    notes.created_at,
    notes.updated_at,
    (SELECT count(*) FROM note_tags WHERE note_tags.note_id = notes.id) AS tag_count,
    (SELECT count(*) FROM attachments WHERE attachments.note_id = notes.id) AS attachment_count
FROM notes
JOIN notebooks ON notebooks.id = notes.notebook_id
WHERE notes.trashed_at IS NULL;
