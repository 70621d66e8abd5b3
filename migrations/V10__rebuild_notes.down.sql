-- The notes table as V9 left it.
-- Cannot bring back: which notes had no title (they stay `Untitled`), and what somebody had typed in `source`: it is put
-- together from the note's source, in the spelling that was kept.
--
-- A rename would leave the table's name in quotes. So that the schema is V9's to the letter, the notes step aside and
-- come back into a table that is made as V1, V3, V4, V7 and V9 made it.

DROP VIEW note_list;

CREATE TABLE notes_aside AS SELECT * FROM notes;
DROP TABLE notes;

CREATE TABLE notes (
    id          INTEGER PRIMARY KEY,
    notebook_id INTEGER NOT NULL REFERENCES notebooks (id) ON DELETE CASCADE,
    title       TEXT NOT NULL DEFAULT '',
    body        TEXT NOT NULL DEFAULT '',
    source      TEXT NOT NULL DEFAULT '',
    created_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
, is_pinned INTEGER NOT NULL DEFAULT 0 CHECK (is_pinned IN (0, 1)), updated_at TEXT, trashed_at TEXT, source_id INTEGER REFERENCES sources (id) ON DELETE SET NULL, word_count INTEGER NOT NULL DEFAULT 0 CHECK (word_count >= 0));

INSERT INTO notes (
    id, notebook_id, title, body, source, created_at, is_pinned, updated_at, trashed_at, source_id, word_count
)
SELECT
    aside.id,
    aside.notebook_id,
    aside.title,
    aside.body,
    CASE
        WHEN sources.id IS NULL THEN ''
        WHEN sources.author = '' THEN sources.title
        ELSE sources.title || ' — ' || sources.author
    END,
    aside.created_at,
    aside.is_pinned,
    aside.updated_at,
    aside.trashed_at,
    aside.source_id,
    aside.word_count
FROM notes_aside AS aside
LEFT JOIN sources ON sources.id = aside.source_id;

DROP TABLE notes_aside;

CREATE INDEX notes_by_notebook ON notes (notebook_id, created_at);
CREATE INDEX notes_pinned ON notes (notebook_id) WHERE is_pinned = 1;
CREATE INDEX notes_open ON notes (notebook_id, updated_at DESC) WHERE trashed_at IS NULL;
CREATE INDEX notes_trashed ON notes (trashed_at) WHERE trashed_at IS NOT NULL;
CREATE INDEX notes_by_source ON notes (source_id) WHERE source_id IS NOT NULL;

CREATE TRIGGER notes_first_saved AFTER INSERT ON notes
WHEN NEW.updated_at IS NULL
BEGIN
    UPDATE notes SET updated_at = NEW.created_at WHERE id = NEW.id;
END;

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
