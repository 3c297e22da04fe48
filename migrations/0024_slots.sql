-- A way to what became of slots, and to the jobs that succeeded last.

CREATE INDEX event_slot ON event (id) WHERE what IN ('slot-quarantined', 'slot-retired', 'finished');
