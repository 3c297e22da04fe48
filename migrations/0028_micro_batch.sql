-- How many images of a batch went through the network at once: sums of floats depend on it.

ALTER TABLE attempt ADD COLUMN micro_batch INTEGER CHECK (micro_batch > 0 OR micro_batch IS NULL);

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
    attempt.micro_batch
FROM attempt
JOIN job ON job.id = attempt.job_id;

DROP VIEW v_boundaries;

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
        later.micro_batch,
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
                    -- Attempts of earlier versions do not know it.
                    coalesce(before.micro_batch = boundary.micro_batch, 1),
                    '', 'from ' || before.micro_batch || ' to ' || boundary.micro_batch
                    || ' images at once, '
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
