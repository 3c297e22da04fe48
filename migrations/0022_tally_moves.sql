-- A job that moves costs a third less: a set of sweeps to look in (`IN (SELECT …)`) is a table that SQLite
-- makes and throws away each time. The row of the state that a job leaves is always there, so that what
-- would be inserted never is.
DROP TRIGGER tally_moved_job;

CREATE TRIGGER tally_moved_job AFTER UPDATE OF state ON job
WHEN OLD.state <> NEW.state
BEGIN
    UPDATE tally SET total = total - 1, flops = iif(total = 1, 0.0, max(0.0, flops - OLD.flops))
    WHERE sweep_id = 0 AND state = OLD.state;
    INSERT INTO tally (sweep_id, state, total, flops)
    SELECT sweep_id, OLD.state, 0, 0.0
    FROM member WHERE ordinal = OLD.ordinal AND NOT orphaned
    ON CONFLICT DO UPDATE SET
        total = total - 1,
        flops = iif(total = 1, 0.0, max(0.0, flops - OLD.flops));
    INSERT INTO tally (sweep_id, state, total, flops) VALUES (0, NEW.state, 1, NEW.flops)
    ON CONFLICT DO UPDATE SET total = total + 1, flops = flops + excluded.flops;
    INSERT INTO tally (sweep_id, state, total, flops)
    SELECT sweep_id, NEW.state, 1, NEW.flops
    FROM member WHERE ordinal = NEW.ordinal AND NOT orphaned
    ON CONFLICT DO UPDATE SET total = total + 1, flops = flops + excluded.flops;
END;
