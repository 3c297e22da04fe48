-- How a person wants a pause, and who wants it; and a way to the last word about the disk.

-- Whether attempts that run when a pause begins go on to their ends.
ALTER TABLE request ADD COLUMN drain INTEGER NOT NULL DEFAULT 0 CHECK (drain IN (0, 1));
ALTER TABLE request ADD COLUMN author TEXT;

CREATE INDEX event_disk ON event (id) WHERE what IN ('disk-full', 'disk-has-room');
