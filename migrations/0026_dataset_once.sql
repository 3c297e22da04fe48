-- What a data set is to a job lies beside the data set, once, and no longer in the spec of each of its
-- jobs, of which it was half. `spec` with `identity` as its key `dataset` is what the id hashes.

ALTER TABLE dataset ADD COLUMN identity TEXT CHECK (identity IS NULL OR json_valid(identity));

UPDATE dataset SET identity = (
    SELECT spec -> '$.dataset' FROM job WHERE dataset_fingerprint = fingerprint LIMIT 1
);

DROP TRIGGER axes_are_those_of_the_spec;
UPDATE job SET spec = json_remove(spec, '$.dataset') WHERE spec -> '$.dataset' IS NOT NULL;

CREATE TRIGGER axes_are_those_of_the_spec BEFORE UPDATE OF
    spec, labels, dataset, model, augmentation, randaugment_layers, randaugment_magnitude, mixup,
    dropout, stochastic_depth, weight_decay, learning_rate, epochs, batch_size, resolution, loss,
    precision, seed, crop, flip, warmup_steps, clip_norm, beta1, beta2, eps, head_bias,
    evaluations, dataset_fingerprint
ON job
WHEN (
    NEW.spec, NEW.dataset, NEW.model, NEW.augmentation, NEW.randaugment_layers,
    NEW.randaugment_magnitude, NEW.mixup, NEW.dropout, NEW.stochastic_depth, NEW.weight_decay,
    NEW.learning_rate, NEW.epochs, NEW.batch_size, NEW.resolution, NEW.loss, NEW.precision,
    NEW.seed, NEW.crop, NEW.flip, NEW.warmup_steps, NEW.clip_norm, NEW.beta1, NEW.beta2, NEW.eps,
    NEW.head_bias, NEW.evaluations, NEW.dataset_fingerprint
) IS NOT (
    OLD.spec, NEW.labels ->> '$.dataset', NEW.labels ->> '$.model', NEW.labels ->>
    '$.augmentation', OLD.randaugment_layers, OLD.randaugment_magnitude, OLD.mixup, OLD.dropout,
    OLD.stochastic_depth, OLD.weight_decay, OLD.learning_rate, OLD.epochs, OLD.batch_size,
    OLD.resolution, OLD.loss, OLD.precision, OLD.seed, OLD.crop, OLD.flip, OLD.warmup_steps,
    OLD.clip_norm, OLD.beta1, OLD.beta2, OLD.eps, OLD.head_bias, OLD.evaluations,
    OLD.dataset_fingerprint
)
BEGIN
    SELECT RAISE(ABORT, 'what a job is does not change');
END;

-- It may be told once, by whoever registers the data set again.
CREATE TRIGGER identity_is_that_of_the_fingerprint BEFORE UPDATE OF fingerprint, identity ON dataset
WHEN NEW.fingerprint <> OLD.fingerprint OR NEW.identity IS NOT coalesce(OLD.identity, NEW.identity)
BEGIN
    SELECT RAISE(ABORT, 'what a data set is does not change');
END;

DROP VIEW v_epochs;

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
FROM job JOIN dataset ON fingerprint = dataset_fingerprint, json_each((
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
                    / (identity ->> '$.splits.train.examples') + 1 AS epoch,
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
