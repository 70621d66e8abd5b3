-- A better search, a fuller list.
--
-- For the user: search finds `planting` for `plants`, and finds while you type: `gard` is enough for `garden`. The list
-- shows the first words of a note, its tags, its source and how long it is.
--
-- How text is cut into words is fixed when an FTS5 table is made. So the index is made anew, under its name: the
-- triggers on `notes` go on feeding it.

DROP TABLE notes_fts;

CREATE VIRTUAL TABLE notes_fts USING fts5 (
    title,
    body,
    content = 'notes',
    content_rowid = 'id',
    tokenize = 'porter unicode61 remove_diacritics 2',
    prefix = '2 3'
);

INSERT INTO notes_fts (notes_fts) VALUES ('rebuild');

DROP VIEW note_list;

CREATE VIEW note_list AS
SELECT
    notes.id,
    notebooks.name AS notebook,
    notes.title,
    CASE WHEN length(notes.body) > 80 THEN substr(notes.body, 1, 79) || '…' ELSE notes.body END AS excerpt,
    CASE sources.author WHEN '' THEN sources.title ELSE sources.title || ' — ' || sources.author END AS source,
    notes.word_count,
    notes.is_pinned,
    notes.created_at,
    notes.updated_at,
    (
        SELECT group_concat(name, ', ')
        FROM (
            SELECT tags.name
            FROM note_tags
            JOIN tags ON tags.id = note_tags.tag_id
            WHERE note_tags.note_id = notes.id
            ORDER BY tags.name
        )
    ) AS tag_names,
    (SELECT count(*) FROM attachments WHERE attachments.note_id = notes.id) AS attachment_count
FROM notes
JOIN notebooks ON notebooks.id = notes.notebook_id
LEFT JOIN sources ON sources.id = notes.source_id
WHERE notes.trashed_at IS NULL;
