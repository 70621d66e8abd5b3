-- No time of the last edit.
-- Cannot bring back: those times. `created_at` stays.

DROP TRIGGER notes_touched;
DROP TRIGGER notes_first_saved;
ALTER TABLE notes DROP COLUMN updated_at;
