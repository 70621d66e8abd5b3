-- No trash.
-- Cannot bring back: which notes were in the trash. They are not deleted: they come back into their notebooks.

DROP INDEX notes_trashed;
DROP INDEX notes_open;
ALTER TABLE notes DROP COLUMN trashed_at;
