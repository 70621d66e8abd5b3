-- Sources as a line of text again; no word counts.
-- Cannot bring back: a source that no note refers to, and other spellings of one (each note gets the one that was kept).
-- The word counts can be made again.

UPDATE notes
SET source = coalesce(
    (
        SELECT CASE author WHEN '' THEN title ELSE title || ' — ' || author END
        FROM sources
        WHERE sources.id = notes.source_id
    ),
    ''
);

DROP INDEX notes_by_source;
ALTER TABLE notes DROP COLUMN word_count;
ALTER TABLE notes DROP COLUMN source_id;
DROP TABLE sources;
