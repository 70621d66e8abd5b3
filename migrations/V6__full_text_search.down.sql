-- No search.
-- Nothing is lost: the index is made from the notes, and can be made again.

DROP TRIGGER notes_fts_update;
DROP TRIGGER notes_fts_delete;
DROP TRIGGER notes_fts_insert;
DROP TABLE notes_fts;
