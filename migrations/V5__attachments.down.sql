-- No attachments.
-- Cannot bring back: which file belonged to which note. The files themselves stay in `attachments/`.

DROP TABLE attachments;
