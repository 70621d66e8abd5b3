-- No list.
-- Nothing is lost: a view holds no data.

DROP VIEW note_list;
