-- Jobs that start from the checkpoint of another one, and which one that is where a rule decides.

CREATE INDEX job_parent ON job (parent) WHERE parent IS NOT NULL;

-- What a sweep file's text does not say: what its data sets and imported checkpoints turned out to be,
-- and the files it includes. With it the sweep can be expanded again when a rule has chosen.
ALTER TABLE sweep ADD COLUMN found TEXT CHECK (found IS NULL OR json_valid(found));

-- The choices of a sweep's rules: of each group of candidates the best.
CREATE TABLE selection (
    sweep_id   INTEGER NOT NULL REFERENCES sweep (id),
    key        TEXT    NOT NULL,  -- hash of the rule and the ids of the candidates
    stage      TEXT    NOT NULL,  -- of the jobs that start from what is chosen
    rule       TEXT    NOT NULL,
    "group"    TEXT    NOT NULL,  -- what the candidates have in common
    candidates INTEGER NOT NULL,
    chosen     TEXT CHECK (chosen IS NULL OR json_valid(chosen)),  -- ids, best first; null: not all have ended
    reason     TEXT,              -- why these, for a person
    resolved   INTEGER,           -- when
    PRIMARY KEY (sweep_id, key),
    CHECK ((chosen IS NULL) = (resolved IS NULL))
) STRICT, WITHOUT ROWID;

-- Jobs that train nothing have no training loss.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'train_loss        REAL    NOT NULL', 'train_loss        REAL')
WHERE type = 'table' AND name = 'result';
PRAGMA writable_schema = RESET;

-- Results that were not made here: published tables, other people's. `source` says whose, `line` where
-- in the file. Presets are called as the paper calls them; accuracies are fractions in [0, 1].
CREATE TABLE reference (
    source                  TEXT    NOT NULL,
    line                    INTEGER NOT NULL CHECK (line > 0),
    model                   TEXT    NOT NULL,
    dataset                 TEXT    NOT NULL,
    epochs                  REAL    NOT NULL,
    learning_rate           REAL,
    augmentation            TEXT,
    weight_decay            REAL,
    dropout                 REAL,
    stochastic_depth        REAL,
    best_val                REAL CHECK (best_val BETWEEN 0 AND 1),
    final_val               REAL CHECK (final_val BETWEEN 0 AND 1),
    final_test              REAL CHECK (final_test BETWEEN 0 AND 1),
    adapt_dataset           TEXT,
    adapt_learning_rate     REAL,
    adapt_steps             INTEGER,
    adapt_resolution        INTEGER,
    adapt_final_val         REAL CHECK (adapt_final_val BETWEEN 0 AND 1),
    adapt_final_test        REAL CHECK (adapt_final_test BETWEEN 0 AND 1),
    parameters              INTEGER,
    infer_images_per_second REAL,
    filename                TEXT,
    adapt_filename          TEXT,
    PRIMARY KEY (source, line)
) STRICT, WITHOUT ROWID;

-- Upstream runs, each with each of its adaptations, own and others' alike. `source` is `own` for those
-- of this study.
CREATE VIEW v_runs AS
WITH speed AS (
    SELECT job.model, job.resolution, max(result.images_per_second) AS images_per_second
    FROM job JOIN result ON result.job_id = job.id
    WHERE job.stage = 'throughput' AND job.state = 'succeeded'
    GROUP BY job.model, job.resolution
)
SELECT
    'own' AS source,
    up.id AS job_id,
    down.id AS adapt_job_id,
    up.model,
    up.dataset,
    up.epochs,
    up.learning_rate,
    up.augmentation,
    up.weight_decay,
    up.dropout,
    up.stochastic_depth,
    up.resolution,
    up.seed,
    upstream.best_val,
    upstream.final_val,
    upstream.final_test,
    down.dataset AS adapt_dataset,
    down.learning_rate AS adapt_learning_rate,
    down.steps AS adapt_steps,
    down.resolution AS adapt_resolution,
    adapted.final_val AS adapt_final_val,
    adapted.final_test AS adapt_final_test,
    up.parameters,
    speed.images_per_second AS infer_images_per_second,
    up.flops,
    upstream.seconds,
    down.flops AS adapt_flops,
    adapted.seconds AS adapt_seconds
FROM job AS up
JOIN result AS upstream ON upstream.job_id = up.id
LEFT JOIN job AS down
    ON down.parent = up.id AND down.stage = 'transfer' AND down.state = 'succeeded'
LEFT JOIN result AS adapted ON adapted.job_id = down.id
LEFT JOIN speed
    ON speed.model = up.model AND speed.resolution = coalesce(down.resolution, up.resolution)
WHERE up.stage = 'pretrain' AND up.state = 'succeeded'
UNION ALL
SELECT
    source,
    NULL,
    NULL,
    model,
    dataset,
    epochs,
    learning_rate,
    augmentation,
    weight_decay,
    dropout,
    stochastic_depth,
    NULL,
    NULL,
    best_val,
    final_val,
    final_test,
    adapt_dataset,
    adapt_learning_rate,
    adapt_steps,
    adapt_resolution,
    adapt_final_val,
    adapt_final_test,
    parameters,
    infer_images_per_second,
    NULL,
    NULL,
    NULL,
    NULL
FROM reference;

CREATE VIEW v_selections AS
SELECT
    sweep.name AS sweep,
    stage,
    rule,
    "group",
    candidates,
    chosen,
    reason,
    strftime('%Y-%m-%dT%H:%M:%SZ', resolved / 1000, 'unixepoch') AS resolved
FROM selection JOIN sweep ON sweep.id = sweep_id;

DROP VIEW v_jobs;

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
    result.parameters_sha256,
    job.spec ->> '$.optimizer.momentum' AS momentum,
    job.parent,
    job.spec ->> '$.upstream.file' AS imported
FROM job
LEFT JOIN result ON result.job_id = job.id
LEFT JOIN attempt AS latest ON latest.job_id = job.id AND latest.number = job.attempts
LEFT JOIN attempt AS first ON first.job_id = job.id AND first.number = 1;

DROP VIEW augreg_index;

-- The columns of the study's published index.csv, in its order: a row for each upstream run with each
-- of its adaptations. There the presets light1 and light2 are called light0 and light1, and what saw
-- ImageNet-21k for 30 epochs stands under a name of its own; numbers in file names are printed as
-- Python prints them.
CREATE VIEW augreg_index AS
WITH speed AS (
    SELECT job.model, job.resolution, max(result.images_per_second) AS images_per_second
    FROM job JOIN result ON result.job_id = job.id
    WHERE job.stage = 'throughput' AND job.state = 'succeeded'
    GROUP BY job.model, job.resolution
),
named AS (
    SELECT
        job.*,
        iif(dataset = 'i21k' AND epochs = 30.0, 'i21k_30', dataset) AS ds,
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
),
stem AS (
    SELECT
        named.*,
        replace(replace(model, '/', '_'), '+', '_')
            || '-' || ds
            || '-' || epochs_text || 'ep'
            || '-lr_' || replace(CAST(learning_rate AS TEXT), '.0e', 'e')
            || '-aug_' || aug
            || '-wd_' || replace(CAST(weight_decay AS TEXT), '.0e', 'e')
            || '-do_' || replace(CAST(dropout AS TEXT), '.0e', 'e')
            || '-sd_' || replace(CAST(stochastic_depth AS TEXT), '.0e', 'e') AS filename
    FROM named
)
SELECT
    stem.model AS name,
    stem.ds,
    stem.epochs,
    stem.learning_rate AS lr,
    stem.aug,
    stem.weight_decay AS wd,
    stem.dropout AS "do",
    stem.stochastic_depth AS sd,
    upstream.best_val,
    upstream.final_val,
    upstream.final_test,
    down.dataset AS adapt_ds,
    down.learning_rate AS adapt_lr,
    down.steps AS adapt_steps,
    down.resolution AS adapt_resolution,
    adapted.final_val AS adapt_final_val,
    adapted.final_test AS adapt_final_test,
    stem.parameters AS params,
    speed.images_per_second AS infer_samples_per_sec,
    stem.filename,
    stem.filename
        || '--' || down.dataset
        || '-steps_' || (down.steps / 1000) || 'k'
        || '-lr_' || replace(CAST(down.learning_rate AS TEXT), '.0e', 'e')
        || '-res_' || down.resolution AS adapt_filename
FROM stem
JOIN result AS upstream ON upstream.job_id = stem.id
LEFT JOIN job AS down
    ON down.parent = stem.id AND down.stage = 'transfer' AND down.state = 'succeeded'
LEFT JOIN result AS adapted ON adapted.job_id = down.id
LEFT JOIN speed
    ON speed.model = stem.model AND speed.resolution = coalesce(down.resolution, stem.resolution);
