-- When a note was last changed.
--
-- For the user: notes can be sorted by when they were last edited. Pinning or tagging a note is no edit.
--
-- ADD COLUMN takes no default that is computed, so the column may be NULL for a moment and a trigger fills it.
-- V10 makes it NOT NULL.

ALTER TABLE notes ADD COLUMN updated_at TEXT;

-- Nobody knows when the notes there are were edited: the day they were written is the best guess.
UPDATE notes SET updated_at = created_at;

CREATE TRIGGER notes_first_saved AFTER INSERT ON notes
WHEN NEW.updated_at IS NULL
BEGIN
    UPDATE notes SET updated_at = NEW.created_at WHERE id = NEW.id;
END;

-- An app that sets `updated_at` itself (an import, a sync) has the last word.
CREATE TRIGGER notes_touched AFTER UPDATE OF title, body ON notes
WHEN NEW.updated_at IS OLD.updated_at
BEGIN
    UPDATE notes SET updated_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now') WHERE id = NEW.id;
END;
