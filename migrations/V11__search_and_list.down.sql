-- Search and list as they were.
-- Nothing is lost: the index is made from the notes, and a view holds no data.

DROP VIEW note_list;

CREATE VIEW note_list AS
SELECT
    notes.id,
    notebooks.name AS notebook,
    notes.title,
    notes.is_pinned,
    notes.created_at,
    notes.updated_at,
    (SELECT count(*) FROM note_tags WHERE note_tags.note_id = notes.id) AS tag_count,
    (SELECT count(*) FROM attachments WHERE attachments.note_id = notes.id) AS attachment_count
FROM notes
JOIN notebooks ON notebooks.id = notes.notebook_id
WHERE notes.trashed_at IS NULL;

DROP TABLE notes_fts;

CREATE VIRTUAL TABLE notes_fts USING fts5 (
    title,
    body,
    content = 'notes',
    content_rowid = 'id',
    tokenize = 'unicode61 remove_diacritics 2'
);

INSERT INTO notes_fts (notes_fts) VALUES ('rebuild');
