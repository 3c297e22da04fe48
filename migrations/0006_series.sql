-- The loss of every step, in runs of consecutive steps: a row for each of a million numbers would
-- cost ten times the space. What is measured now and then is a run of one.

DROP VIEW v_metrics;
DROP VIEW v_curves;

CREATE TABLE metric_series (
    job_id   TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    attempt  INTEGER NOT NULL,
    first    INTEGER NOT NULL CHECK (first >= 0),  -- the step of the first number
    points   INTEGER NOT NULL CHECK (points BETWEEN 1 AND 1024),
    value    REAL,                                 -- the number of a run of one
    "values" TEXT,                                 -- else the numbers
    PRIMARY KEY (job_id, name, attempt, first),
    FOREIGN KEY (job_id, attempt) REFERENCES attempt (job_id, number),
    CHECK ((value IS NULL) <> ("values" IS NULL)),
    CHECK (points = iif("values" IS NULL, 1, json_array_length("values")))
) STRICT, WITHOUT ROWID;

INSERT INTO metric_series (job_id, name, attempt, first, points, value)
SELECT job_id, name, attempt, step, 1, value FROM metric;

DROP TABLE metric;

-- Every number that was measured at a step, however it is stored.
CREATE VIEW metric AS
SELECT
    job_id,
    name,
    first + number.key AS step,
    attempt,
    coalesce(series.value, number.value) AS value
FROM metric_series AS series, json_each(coalesce("values", '[null]')) AS number;

-- Of a step that several attempts saw, the latest attempt counts. (Said without GROUP BY, so that
-- a question about one job reads that job only. A run is at most 1,024 long.)
CREATE VIEW v_curves AS
SELECT job_id, name, step, value, attempt
FROM metric
WHERE NOT EXISTS (
    SELECT 1
    FROM attempt AS later
    CROSS JOIN metric_series AS again  -- CROSS: in this order, for attempts are few
        ON again.job_id = later.job_id AND again.name = metric.name
        AND again.attempt = later.number
        AND again.first > metric.step - 1024 AND again.first <= metric.step
        AND again.first + again.points > metric.step
    WHERE later.job_id = metric.job_id AND later.number > metric.attempt
);

-- (SQLite takes the bare `value` from the row with the greatest step.)
CREATE VIEW v_metrics AS
SELECT job_id, name, count(*) AS points, max(step) AS step, value
FROM v_curves
GROUP BY job_id, name;

-- What each epoch came to. A step belongs to the epoch that its last example belongs to, so a
-- budget of less than an epoch is one, and a step may span several. The epochs of each job are
-- gathered as one JSON value and spread into rows: SQLite carries no condition on a job through
-- two levels of GROUP BY, but through this it does.
CREATE VIEW v_epochs AS
SELECT
    job.id AS job_id,
    found.value ->> 0 AS epoch,
    found.value ->> 1 AS step,
    found.value ->> 2 AS train_loss,
    found.value ->> 3 AS learning_rate,
    found.value ->> 4 AS val_accuracy,
    found.value ->> 5 AS val_loss,
    found.value ->> 6 AS images_per_second
FROM job, json_each((
    SELECT json_group_array(json_array(
        epoch, step, train_loss, learning_rate, val_accuracy, val_loss, images_per_second
    ))
    FROM (
        SELECT
            epoch,
            max(step) AS step,
            max(mean) FILTER (WHERE name = 'train_loss') AS train_loss,
            max(last) FILTER (WHERE name = 'learning_rate') AS learning_rate,
            max(last) FILTER (WHERE name = 'val_accuracy') AS val_accuracy,
            max(last) FILTER (WHERE name = 'val_loss') AS val_loss,
            max(mean) FILTER (WHERE name = 'images_per_second') AS images_per_second
        FROM (
            SELECT
                (step * job.batch_size - 1)
                    / (job.spec ->> '$.dataset.splits.train.examples') + 1 AS epoch,
                name,
                avg(value) AS mean,
                value AS last,  -- of the row with the greatest step
                max(step) AS step
            FROM v_curves
            WHERE job_id = job.id
            GROUP BY 1, 2
        )
        GROUP BY epoch
    )
)) AS found;
