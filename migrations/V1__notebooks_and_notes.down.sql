-- Back to an empty file.
-- Cannot bring back: anything. All notebooks and notes go.

DROP TABLE notes;
DROP TABLE notebooks;
