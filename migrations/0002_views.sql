-- The documented views: what people, reports and the dashboard read. Times are ISO 8601 in UTC.

CREATE VIEW v_jobs AS
SELECT
    job.id,
    substr(job.id, 1, 10) AS short_id,
    job.ordinal,
    job.stage,
    job.dataset,
    job.model,
    job.augmentation,
    job.randaugment_layers,
    job.randaugment_magnitude,
    job.mixup,
    job.dropout,
    job.stochastic_depth,
    job.weight_decay,
    job.learning_rate,
    job.epochs,
    job.batch_size,
    job.resolution,
    job.loss,
    job.precision,
    job.seed,
    job.crop,
    job.flip,
    job.warmup_steps,
    job.clip_norm,
    job.beta1,
    job.beta2,
    job.eps,
    job.head_bias,
    job.evaluations,
    job.state,
    job.priority,
    result.best_val,
    result.final_val,
    result.final_test,
    result.train_loss,
    job.steps,
    job.parameters,
    job.flops,
    result.seconds,
    result.images_per_second,
    result.peak_memory,
    job.attempts,
    latest.failure,
    latest.message,
    latest.device,
    latest.host,
    strftime('%Y-%m-%dT%H:%M:%SZ', first.started / 1000, 'unixepoch') AS started,
    strftime('%Y-%m-%dT%H:%M:%SZ', latest.ended / 1000, 'unixepoch') AS ended,
    result.parameters_sha256
FROM job
LEFT JOIN result ON result.job_id = job.id
LEFT JOIN attempt AS latest ON latest.job_id = job.id AND latest.number = job.attempts
LEFT JOIN attempt AS first ON first.job_id = job.id AND first.number = 1;

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
    attempt.images_per_second
FROM attempt
JOIN job ON job.id = attempt.job_id;

-- Of a step that several attempts saw, the latest attempt counts. (SQLite takes a bare column
-- from the row that holds the maximum.)
CREATE VIEW v_curves AS
SELECT job_id, name, step, value, max(attempt) AS attempt
FROM metric
GROUP BY job_id, name, step;

CREATE VIEW v_metrics AS
SELECT job_id, name, count(*) AS points, max(step) AS step, value
FROM v_curves
GROUP BY job_id, name;

-- The columns of the study's published index.csv, in its order. There the presets light1 and
-- light2 are called light0 and light1; numbers in file names are printed as Python prints them.
CREATE VIEW augreg_index AS
WITH named AS (
    SELECT
        job.*,
        CASE
            WHEN augmentation = 'light1' AND randaugment_layers = 2
                AND randaugment_magnitude = 0 AND mixup = 0.0 THEN 'light0'
            WHEN augmentation = 'light2' AND randaugment_layers = 2
                AND randaugment_magnitude = 10 AND mixup = 0.2 THEN 'light1'
            ELSE augmentation
        END AS aug,
        CASE
            WHEN epochs = CAST(epochs AS INTEGER) THEN CAST(CAST(epochs AS INTEGER) AS TEXT)
            ELSE CAST(epochs AS TEXT)
        END AS epochs_text
    FROM job
    WHERE stage = 'pretrain' AND state = 'succeeded'
)
SELECT
    named.model AS name,
    named.dataset AS ds,
    named.epochs,
    named.learning_rate AS lr,
    named.aug,
    named.weight_decay AS wd,
    named.dropout AS "do",
    named.stochastic_depth AS sd,
    result.best_val,
    result.final_val,
    result.final_test,
    NULL AS adapt_ds,
    NULL AS adapt_lr,
    NULL AS adapt_steps,
    NULL AS adapt_resolution,
    NULL AS adapt_final_val,
    NULL AS adapt_final_test,
    named.parameters AS params,
    NULL AS infer_samples_per_sec,
    replace(replace(named.model, '/', '_'), '+', '_')
        || '-' || named.dataset
        || '-' || named.epochs_text || 'ep'
        || '-lr_' || replace(CAST(named.learning_rate AS TEXT), '.0e', 'e')
        || '-aug_' || named.aug
        || '-wd_' || replace(CAST(named.weight_decay AS TEXT), '.0e', 'e')
        || '-do_' || replace(CAST(named.dropout AS TEXT), '.0e', 'e')
        || '-sd_' || replace(CAST(named.stochastic_depth AS TEXT), '.0e', 'e') AS filename,
    NULL AS adapt_filename
FROM named
JOIN result ON result.job_id = named.id;
