-- Jobs that need no data refer to this row, so that every job has a data set and no query an exception.
INSERT INTO dataset (fingerprint, name, source) VALUES ('none', 'none', 'null');

-- An attempt that begins is one write to its job's row, not two.
DROP TRIGGER job_counts_its_attempts;

CREATE TRIGGER job_runs_its_attempts AFTER INSERT ON attempt
BEGIN
    UPDATE job SET attempts = NEW.number, state = iif(NEW.state = 'running', 'running', state)
    WHERE id = NEW.job_id;
END;
