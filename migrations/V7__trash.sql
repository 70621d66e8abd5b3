-- The trash.
--
-- For the user: a deleted note goes to the trash first, and can be taken out again. The app empties the trash after
-- thirty days.

ALTER TABLE notes ADD COLUMN trashed_at TEXT;

-- The list of a notebook, last edited first: only what is not in the trash.
CREATE INDEX notes_open ON notes (notebook_id, updated_at DESC) WHERE trashed_at IS NULL;

-- What is there to empty.
CREATE INDEX notes_trashed ON notes (trashed_at) WHERE trashed_at IS NOT NULL;
