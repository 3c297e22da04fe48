-- What was submitted to a cluster's batch system. A submission is written down before it is submitted, under
-- a name that the batch system is told: after a crash in between it is found again by that.

CREATE TABLE submission (
    id        INTEGER PRIMARY KEY,
    name      TEXT    NOT NULL UNIQUE,  -- of its array in Slurm, and of its folder below ROOT/slurm
    array_job TEXT,                     -- Slurm's number; null: not known to be submitted
    state     TEXT    NOT NULL CHECK (state IN ('prepared', 'submitted', 'over')),
    prepared  INTEGER NOT NULL,
    submitted INTEGER,
    over      INTEGER,
    message   TEXT                      -- why it was given up, if it was
) STRICT;

CREATE INDEX submission_live ON submission (id) WHERE state <> 'over';

-- A task of its array: it takes up a share of the jobs, one after the other.
CREATE TABLE task (
    submission_id INTEGER NOT NULL REFERENCES submission (id),
    number        INTEGER NOT NULL CHECK (number >= 0),  -- its index in the array
    state         TEXT    NOT NULL,  -- as Slurm says it; NEW before it was asked
    reason        TEXT,              -- why it waits or has ended, as Slurm says it
    node          TEXT,
    over          INTEGER,           -- when that was seen
    PRIMARY KEY (submission_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE task_job (
    submission_id INTEGER NOT NULL,
    number        INTEGER NOT NULL,
    position      INTEGER NOT NULL,
    job_id        TEXT    NOT NULL REFERENCES job (id),
    PRIMARY KEY (submission_id, number, position),
    FOREIGN KEY (submission_id, number) REFERENCES task (submission_id, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX task_job_job ON task_job (job_id);

-- Where the batch system put an attempt. Its task is the attempt's slot, its node the attempt's host.
ALTER TABLE attempt ADD COLUMN batch_job TEXT;  -- Slurm's number of the very task
ALTER TABLE attempt ADD COLUMN gpus TEXT;       -- as Slurm counts them on the node

DROP VIEW v_attempts;
CREATE VIEW v_attempts AS
SELECT
    attempt.job_id,
    attempt.number,
    job.dataset,
    job.model,
    job.augmentation,
    attempt.state,
    attempt.failure,
    attempt.message,
    attempt.executor,
    attempt.slot,
    attempt.device,
    attempt.host,
    attempt.pid,
    attempt.version,
    attempt.threads,
    attempt.from_step,
    attempt.restarts,
    strftime('%Y-%m-%dT%H:%M:%SZ', attempt.started / 1000, 'unixepoch') AS started,
    strftime('%Y-%m-%dT%H:%M:%SZ', attempt.ended / 1000, 'unixepoch') AS ended,
    (attempt.ended - attempt.started) / 1000.0 AS seconds,
    attempt.peak_memory,
    attempt.images_per_second,
    attempt.micro_batch,
    attempt.device_name,
    attempt.batch_job,
    attempt.gpus
FROM attempt
JOIN job ON job.id = attempt.job_id;

CREATE VIEW v_tasks AS
SELECT
    submission.name AS submission,
    task.number,
    iif(submission.array_job IS NULL, NULL, submission.array_job || '_' || task.number) AS task,
    task.state,
    task.reason,
    task.node,
    (SELECT count(*) FROM task_job
     WHERE task_job.submission_id = submission.id AND task_job.number = task.number) AS jobs,
    (SELECT count(*) FROM task_job JOIN job ON job.id = job_id
     WHERE task_job.submission_id = submission.id AND task_job.number = task.number
       AND job.state IN ('succeeded', 'failed', 'cancelled')) AS jobs_ended,
    strftime('%Y-%m-%dT%H:%M:%SZ', submission.submitted / 1000, 'unixepoch') AS submitted,
    strftime('%Y-%m-%dT%H:%M:%SZ', task.over / 1000, 'unixepoch') AS over
FROM submission
JOIN task ON task.submission_id = submission.id;
