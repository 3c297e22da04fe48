-- What the device that an attempt ran on is called: speeds mean nothing without it.

ALTER TABLE attempt ADD COLUMN device_name TEXT;

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
    attempt.device_name
FROM attempt
JOIN job ON job.id = attempt.job_id;
