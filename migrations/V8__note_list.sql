-- The list of notes.
--
-- For the user: the list shows a note's notebook, its tags and a paper clip for attachments, without a wait.

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
