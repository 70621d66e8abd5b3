-- Pinned notes.
--
-- For the user: pin a note and it stays at the top of its notebook.

ALTER TABLE notes ADD COLUMN is_pinned INTEGER NOT NULL DEFAULT 0 CHECK (is_pinned IN (0, 1));

-- Few notes are pinned: an index of only those is tiny, and costs the others nothing.
CREATE INDEX notes_pinned ON notes (notebook_id) WHERE is_pinned = 1;
