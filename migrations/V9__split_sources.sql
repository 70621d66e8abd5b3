-- Sources of their own, and word counts.
--
-- For the user: every book, talk or page that notes quote is listed once, with the notes that came from it. Spelling it
-- `the salt almanac` once and `The Salt Almanac` another time no longer makes two of it. And a note shows how long it is.
--
-- `notes.source`, a line of free text, becomes a row of `sources`: what stands before the first ` — ` is the title, the
-- rest the author. The old column stays until V10. From here on the app writes `source_id`, and counts as it saves.

CREATE TABLE sources (
    id     INTEGER PRIMARY KEY,
    title  TEXT NOT NULL COLLATE NOCASE CHECK (title <> ''),
    author TEXT NOT NULL COLLATE NOCASE DEFAULT '',
    UNIQUE (title, author)
);

ALTER TABLE notes ADD COLUMN source_id INTEGER REFERENCES sources (id) ON DELETE SET NULL;
ALTER TABLE notes ADD COLUMN word_count INTEGER NOT NULL DEFAULT 0 CHECK (word_count >= 0);

-- The spelling of the oldest note wins; one that differs in capitals only is the same source.
INSERT OR IGNORE INTO sources (title, author)
SELECT
    CASE dash WHEN 0 THEN line ELSE substr(line, 1, dash - 1) END,
    CASE dash WHEN 0 THEN '' ELSE substr(line, dash + 3) END
FROM (SELECT id, trim(source) AS line, instr(trim(source), ' — ') AS dash FROM notes)
WHERE line <> ''
ORDER BY id;

UPDATE notes
SET source_id = (
    SELECT sources.id
    FROM sources
    WHERE CASE author WHEN '' THEN sources.title ELSE sources.title || ' — ' || author END = trim(notes.source) COLLATE NOCASE
)
WHERE trim(source) <> '';

-- Most notes have no source: index those that do.
CREATE INDEX notes_by_source ON notes (source_id) WHERE source_id IS NOT NULL;

-- Words are what stands between white space: make every run of it one space, then count the spaces. (A run becomes
-- one by marking what follows each space and taking out every mark that a space follows.)
WITH
flat (id, text) AS (
    SELECT id, trim(replace(replace(replace(body, char(9), ' '), char(10), ' '), char(13), ' ')) FROM notes
),
single (id, text) AS (
    SELECT id, replace(replace(replace(text, ' ', ' ' || char(1)), char(1) || ' ', ''), char(1), '') FROM flat
)
UPDATE notes
SET word_count = CASE single.text WHEN '' THEN 0 ELSE length(single.text) - length(replace(single.text, ' ', '')) + 1 END
FROM single
WHERE single.id = notes.id;
