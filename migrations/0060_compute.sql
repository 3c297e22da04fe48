-- What jobs cost: work, time and energy, of all their attempts.

-- Joules that the device took during the attempt, by its own count; null: it does not count, or several
-- workers shared it.
ALTER TABLE attempt ADD COLUMN energy REAL CHECK (energy >= 0 OR energy IS NULL);

-- Steps that are repeated count as often as they were made. What a step takes is the job's operations
-- spread evenly over its steps, evaluations included. `compute` gathers jobs of about equal cost: the
-- operations of the job and, for a transfer, of all upstream of it, to two digits.
CREATE VIEW v_compute AS
WITH spent AS (
    SELECT
        job.id,
        job.stage,
        job.dataset,
        job.model,
        job.state,
        job.flops,
        job.steps,
        iif(job.stage IN ('pretrain', 'transfer'), job.batch_size, NULL) AS batch_size,
        (
            SELECT coalesce(sum(max(0, iif(attempt.state = 'succeeded', job.steps, max(
                attempt.from_step,
                coalesce((
                    SELECT max(first + points - 1) FROM metric_series
                    WHERE metric_series.job_id = attempt.job_id
                        AND metric_series.attempt = attempt.number
                ), 0),
                coalesce((
                    SELECT max(step) FROM checkpoint
                    WHERE checkpoint.job_id = attempt.job_id AND checkpoint.attempt = attempt.number
                ), 0)
            )) - attempt.from_step)), 0)
            FROM attempt
            WHERE attempt.job_id = job.id AND attempt.from_step IS NOT NULL
        ) AS steps_seen,
        (
            SELECT coalesce(sum(seconds), 0.0) FROM v_device_time WHERE v_device_time.job_id = job.id
        ) AS device_seconds,
        (
            -- What one attempt took and nobody counted cannot be added.
            SELECT iif(count(energy) = count(*), sum(energy), NULL)
            FROM attempt
            WHERE attempt.job_id = job.id AND attempt.from_step IS NOT NULL
        ) AS energy_joules,
        (
            WITH RECURSIVE up (id, parent, flops) AS (
                SELECT
                    job.id,
                    iif(job.stage = 'transfer', job.parent, NULL),
                    -- What made an imported file is not known.
                    iif(
                        job.stage = 'transfer' AND job.spec ->> '$.upstream.file' IS NOT NULL,
                        NULL, job.flops
                    )
                UNION ALL
                SELECT
                    before.id,
                    iif(before.stage = 'transfer', before.parent, NULL),
                    iif(
                        before.stage = 'transfer' AND before.spec ->> '$.upstream.file' IS NOT NULL,
                        NULL, before.flops
                    )
                FROM up JOIN job AS before ON before.id = up.parent
            )
            SELECT iif(count(flops) = count(*), sum(flops), NULL) FROM up
        ) AS flops_with_upstream
    FROM job
)
SELECT
    id AS job_id,
    stage,
    dataset,
    model,
    state,
    CASE
        WHEN flops_with_upstream IS NULL THEN NULL
        WHEN flops_with_upstream < 1 THEN '0 FLOP'
        ELSE printf(
            iif(substr(printf('%.1e', flops_with_upstream), 5) % 3 = 0, '%.1f %s', '%.0f %s'),
            substr(printf('%.1e', flops_with_upstream), 1, 3)
                * CASE substr(printf('%.1e', flops_with_upstream), 5) % 3
                    WHEN 0 THEN 1.0 WHEN 1 THEN 10.0 ELSE 100.0
                END,
            CASE substr(printf('%.1e', flops_with_upstream), 5) / 3
                WHEN 0 THEN 'FLOP' WHEN 1 THEN 'kFLOP' WHEN 2 THEN 'MFLOP' WHEN 3 THEN 'GFLOP'
                WHEN 4 THEN 'TFLOP' WHEN 5 THEN 'PFLOP' WHEN 6 THEN 'EFLOP' WHEN 7 THEN 'ZFLOP'
                ELSE 'YFLOP'
            END
        )
    END AS compute,
    flops_with_upstream,
    flops * steps_seen / steps AS flops_seen,
    CASE
        WHEN state = 'succeeded' THEN flops
        WHEN state IN ('failed', 'cancelled') THEN 0.0
    END AS flops_useful,
    steps_seen,
    steps_seen * batch_size AS images_seen,
    device_seconds,
    steps_seen * batch_size / nullif(device_seconds, 0.0) AS images_per_second,
    flops * steps_seen / steps / nullif(device_seconds, 0.0) / 1e12 AS tflops_per_second,
    energy_joules
FROM spent;
