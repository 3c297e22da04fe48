-- How many jobs are in which state, of every sweep and of the study (sweep 0), kept up to date by
-- triggers: a status must not count a million jobs.
CREATE TABLE tally (
    sweep_id INTEGER NOT NULL,
    state    TEXT    NOT NULL,
    total    INTEGER NOT NULL CHECK (total >= 0),
    PRIMARY KEY (sweep_id, state)
) STRICT, WITHOUT ROWID;

INSERT INTO tally (sweep_id, state, total)
SELECT 0, state, count(*) FROM job GROUP BY state;

INSERT INTO tally (sweep_id, state, total)
SELECT sweep_id, state, count(*)
FROM sweep_job JOIN job ON job.id = job_id
WHERE NOT orphaned
GROUP BY sweep_id, state;

CREATE TRIGGER tally_new_job AFTER INSERT ON job
BEGIN
    INSERT INTO tally (sweep_id, state, total) VALUES (0, NEW.state, 1)
    ON CONFLICT DO UPDATE SET total = total + 1;
END;

CREATE TRIGGER tally_moved_job AFTER UPDATE OF state ON job
WHEN OLD.state <> NEW.state
BEGIN
    UPDATE tally SET total = total - 1
    WHERE state = OLD.state AND (sweep_id = 0 OR sweep_id IN (
        SELECT sweep_id FROM sweep_job WHERE job_id = NEW.id AND NOT orphaned
    ));
    INSERT INTO tally (sweep_id, state, total)
    SELECT 0, NEW.state, 1
    UNION ALL
    SELECT sweep_id, NEW.state, 1 FROM sweep_job WHERE job_id = NEW.id AND NOT orphaned
    ON CONFLICT DO UPDATE SET total = total + 1;
END;

CREATE TRIGGER tally_asked_job AFTER INSERT ON sweep_job
WHEN NOT NEW.orphaned
BEGIN
    INSERT INTO tally (sweep_id, state, total)
    SELECT NEW.sweep_id, state, 1 FROM job WHERE id = NEW.job_id
    ON CONFLICT DO UPDATE SET total = total + 1;
END;

CREATE TRIGGER tally_orphaned_job AFTER UPDATE OF orphaned ON sweep_job
WHEN OLD.orphaned <> NEW.orphaned
BEGIN
    INSERT INTO tally (sweep_id, state, total)
    SELECT NEW.sweep_id, state, 0 FROM job WHERE id = NEW.job_id
    ON CONFLICT DO NOTHING;
    UPDATE tally SET total = total + iif(NEW.orphaned, -1, 1)
    WHERE sweep_id = NEW.sweep_id AND state = (SELECT state FROM job WHERE id = NEW.job_id);
END;
