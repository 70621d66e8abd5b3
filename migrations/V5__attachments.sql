-- Attachments.
--
-- For the user: drop a picture or a document on a note.
--
-- Only what there is to know about a file is in the database. Its bytes are a file in `attachments/` beside the
-- database; `file_path` is relative to the data directory, so that the folder can be moved. Always `/`, never `\`.

CREATE TABLE attachments (
    id         INTEGER PRIMARY KEY,
    note_id    INTEGER NOT NULL REFERENCES notes (id) ON DELETE CASCADE,
    file_path  TEXT NOT NULL UNIQUE CHECK (file_path GLOB 'attachments/?*' AND instr(file_path, '..') = 0),
    media_type TEXT NOT NULL CHECK (media_type GLOB '?*/?*'),
    byte_size  INTEGER NOT NULL CHECK (byte_size >= 0),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
);

CREATE INDEX attachments_by_note ON attachments (note_id);
