-- No pins.
-- Cannot bring back: which notes were pinned. The notes stay.

DROP INDEX notes_pinned;
ALTER TABLE notes DROP COLUMN is_pinned;
