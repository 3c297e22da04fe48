-- What a study can be held to: where device time went, whether each attempt went on exactly where
-- another had stopped, hashes to compare a repeated job with, and what people ask a running
-- scheduler to do.

-- When the attempt's journal last said anything. The end of an attempt whose scheduler died as well
-- is noticed only by the next one, perhaps weeks later: device time is counted up to here.
ALTER TABLE attempt ADD COLUMN seen INTEGER;

-- Hashes of the finished job beside that of its parameters.
ALTER TABLE result ADD COLUMN optimizer_sha256 TEXT;
ALTER TABLE result ADD COLUMN order_hash TEXT;  -- of the examples in the order they were drawn
ALTER TABLE result ADD COLUMN epoch_order_hashes TEXT CHECK (
    epoch_order_hashes IS NULL OR json_valid(epoch_order_hashes)
);  -- the same for each epoch, where there are at most 1,000

-- What a person asks of the scheduler that runs, or of the next: to cancel a job, or to start
-- nothing more of a sweep (of the whole study, where it is null) until the pause is closed. A
-- request stays open until it has come about, so a scheduler that dies over it leaves it to the next.
CREATE TABLE request (
    id       INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    kind     TEXT    NOT NULL CHECK (kind IN ('cancel', 'pause')),
    job_id   TEXT    REFERENCES job (id),
    sweep_id INTEGER REFERENCES sweep (id),
    closed   INTEGER,
    CHECK ((kind = 'cancel') = (job_id IS NOT NULL)),
    CHECK (kind = 'pause' OR sweep_id IS NULL)
) STRICT;

CREATE UNIQUE INDEX request_cancel ON request (job_id) WHERE closed IS NULL AND kind = 'cancel';
CREATE UNIQUE INDEX request_pause ON request (ifnull(sweep_id, 0))
WHERE closed IS NULL AND kind = 'pause';

CREATE TRIGGER a_job_that_ends_needs_no_cancelling AFTER UPDATE OF state ON job
WHEN NEW.state IN ('succeeded', 'failed', 'cancelled')
BEGIN
    UPDATE request SET closed = CAST(unixepoch('subsec') * 1000 AS INTEGER)
    WHERE job_id = NEW.id AND kind = 'cancel' AND closed IS NULL;
END;

-- Where one attempt of a job went on from another. It went on with the state that the attempt
-- `previous` wrote; its bits are those of an uninterrupted run if both computed alike. An attempt
-- that begins at step 0 carries nothing over, which is in order unless there was a checkpoint.
CREATE VIEW v_boundaries AS
WITH boundary AS (
    SELECT
        later.job_id,
        later.number,
        later.from_step,
        later.device,
        later.threads,
        later.version,
        coalesce(
            (
                SELECT max(attempt) FROM checkpoint
                WHERE job_id = later.job_id AND step = later.from_step AND step > 0
                    AND attempt < later.number
            ),
            (
                SELECT max(number) FROM attempt AS earlier
                WHERE earlier.job_id = later.job_id AND earlier.number < later.number
                    AND earlier.from_step IS NOT NULL
            )
        ) AS previous,
        iif(later.from_step > 0, NULL, (
            -- Since the job began at step 0 last: what came before was given up then.
            SELECT max(step) FROM checkpoint
            WHERE job_id = later.job_id AND attempt < later.number AND attempt >= coalesce((
                SELECT max(number) FROM attempt AS began
                WHERE began.job_id = later.job_id AND began.number < later.number
                    AND began.from_step = 0
            ), 1)
        )) AS lost_step
    FROM attempt AS later
    WHERE later.number > 1 AND later.from_step IS NOT NULL
),
judged AS (
    SELECT
        boundary.job_id,
        boundary.number,
        boundary.previous,
        boundary.from_step,
        CASE
            WHEN boundary.lost_step > 0 THEN
                'the checkpoint of step ' || boundary.lost_step
                || ' could not be used: it began again at step 0'
            WHEN boundary.from_step = 0 THEN NULL
            WHEN before.number IS NULL THEN 'nothing is known of who wrote its checkpoint'
            ELSE nullif(rtrim(
                iif(
                    substr(before.device, 1, instr(before.device || ':', ':') - 1)
                        = substr(boundary.device, 1, instr(boundary.device || ':', ':') - 1),
                    '', 'from ' || before.device || ' to ' || boundary.device || ', '
                )
                || iif(
                    before.threads = boundary.threads,
                    '', 'from ' || before.threads || ' to ' || boundary.threads || ' threads, '
                )
                || iif(
                    before.version = boundary.version,
                    '', 'from augreg ' || before.version || ' to ' || boundary.version || ', '
                ), ', '), '')
        END AS why
    FROM boundary
    LEFT JOIN attempt AS before
        ON before.job_id = boundary.job_id AND before.number = boundary.previous
)
SELECT job_id, number, previous, from_step, why IS NULL AS exact, why FROM judged;

-- The device time of each attempt, and how much of it a later attempt had to repeat: all after the
-- last checkpoint that was gone on from. An attempt of a job that had its result is wasted whole.
CREATE VIEW v_device_time AS
WITH span AS (
    SELECT
        attempt.job_id,
        attempt.number,
        attempt.started,
        CASE attempt.state WHEN 'failed' THEN attempt.failure ELSE attempt.state END AS cause,
        attempt.ended IS NOT NULL AS ended,
        max(attempt.started, CASE
            WHEN attempt.state = 'running' THEN coalesce(attempt.seen, attempt.started)
            -- Nobody watched it, so its end is when somebody looked.
            WHEN attempt.failure = 'preempted' THEN
                coalesce(attempt.seen, iif(attempt.from_step IS NULL, attempt.started, attempt.ended))
            ELSE attempt.ended
        END) AS until,
        (
            SELECT min(from_step) FROM attempt AS later
            WHERE later.job_id = attempt.job_id AND later.number > attempt.number
                AND later.from_step IS NOT NULL
        ) AS kept,
        coalesce(
            attempt.number > result.attempt
                OR (attempt.state = 'succeeded' AND attempt.number <> result.attempt),
            0
        ) AS ran_again
    FROM attempt
    LEFT JOIN result ON result.job_id = attempt.job_id
)
SELECT
    job_id,
    number,
    cause,
    ended,
    (until - started) / 1000.0 AS seconds,
    CASE
        WHEN ran_again THEN until - started
        WHEN kept IS NULL OR cause = 'succeeded' THEN 0
        ELSE max(0, until - max(started, coalesce((
            SELECT max(at) FROM checkpoint
            WHERE checkpoint.job_id = span.job_id AND checkpoint.attempt = span.number
                AND checkpoint.step <= span.kept
        ), started)))
    END / 1000.0 AS wasted_seconds,
    ran_again
FROM span;

-- Starts, ends and device time by how attempts ended, for each sweep and, where `sweep` is null,
-- for the whole study. A job that two sweeps share stands in both.
CREATE VIEW v_ledger AS
SELECT
    sweep.name AS sweep,
    cause,
    count(*) AS starts,
    sum(ended) AS ends,
    sum(seconds) AS device_seconds,
    sum(wasted_seconds) AS wasted_seconds,
    sum(ran_again) AS ran_again
FROM sweep
JOIN sweep_job ON sweep_job.sweep_id = sweep.id
JOIN v_device_time ON v_device_time.job_id = sweep_job.job_id
GROUP BY sweep.id, cause
UNION ALL
SELECT
    NULL, cause, count(*), sum(ended), sum(seconds), sum(wasted_seconds), sum(ran_again)
FROM v_device_time
GROUP BY cause;
