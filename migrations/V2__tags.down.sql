-- No tags.
-- Cannot bring back: the tags, and which note had which. The notes stay as they are.

DROP TABLE note_tags;
DROP TABLE tags;
