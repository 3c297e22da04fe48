-- What a million jobs ask for.

-- The axes of a job were read off its spec and labels by SQLite as a row was inserted, which took a
-- third of a registration. They are plain columns now, filled by whoever registers, and a trigger
-- keeps them from being changed to anything else. A generated column that is stored lies in a row as
-- a plain one does, and columns behind the last of a row are null, so the rows stay as they are: only
-- what the table is called by changes, and the columns at its end are filled. (Foreign keys are looked
-- at when a transaction is committed: else SQLite keeps a copy of every page that a statement
-- touches, to take it back.)
PRAGMA writable_schema = ON;

UPDATE sqlite_schema SET sql = 'CREATE TABLE job (
    ordinal             INTEGER PRIMARY KEY,  -- in the order of registration
    id                  TEXT    NOT NULL UNIQUE CHECK (length(id) = 26),
    state               TEXT    NOT NULL CHECK (
        state IN (''waiting'', ''queued'', ''running'', ''succeeded'', ''failed'', ''cancelled'')
    ),
    stage               TEXT    NOT NULL,
    priority            INTEGER NOT NULL,
    attempts            INTEGER NOT NULL DEFAULT 0,  -- number of the last one; kept by a trigger
    parent              TEXT    REFERENCES job (id) DEFERRABLE INITIALLY DEFERRED,  -- whose checkpoint it starts from
    dataset_fingerprint TEXT    NOT NULL REFERENCES dataset (fingerprint)
                                DEFERRABLE INITIALLY DEFERRED,
    steps               INTEGER NOT NULL CHECK (steps > 0),
    parameters          INTEGER NOT NULL,
    flops               REAL    NOT NULL,
    created             INTEGER NOT NULL,

    dataset               TEXT,
    model                 TEXT,
    augmentation          TEXT,
    randaugment_layers    INTEGER,
    randaugment_magnitude INTEGER,
    mixup                 REAL,
    dropout               REAL,
    stochastic_depth      REAL,
    weight_decay          REAL,
    learning_rate         REAL,
    epochs                REAL,
    batch_size            INTEGER,
    resolution            INTEGER,
    loss                  TEXT,
    precision             TEXT,
    seed                  INTEGER,

    labels              TEXT    NOT NULL,  -- what the sweep file calls the parts; never hashed
    spec                TEXT    NOT NULL,  -- behind what is asked for most
    crop                  TEXT,
    flip                  INTEGER,
    warmup_steps          INTEGER,
    clip_norm             REAL,
    beta1                 REAL,
    beta2                 REAL,
    eps                   REAL,
    head_bias             REAL,
    evaluations           INTEGER
) STRICT'
WHERE type = 'table' AND name = 'job';

PRAGMA writable_schema = RESET;

UPDATE job SET
    crop = spec ->> '$.augmentation.crop',
    flip = spec ->> '$.augmentation.flip',
    warmup_steps = spec ->> '$.optimizer.warmup_steps',
    clip_norm = spec ->> '$.optimizer.clip_norm',
    beta1 = spec ->> '$.optimizer.beta1',
    beta2 = spec ->> '$.optimizer.beta2',
    eps = spec ->> '$.optimizer.eps',
    head_bias = spec ->> '$.head_bias',
    evaluations = spec ->> '$.evaluations';

CREATE TRIGGER axes_are_those_of_the_spec BEFORE UPDATE OF
    spec, labels, dataset, model, augmentation, randaugment_layers, randaugment_magnitude, mixup,
    dropout, stochastic_depth, weight_decay, learning_rate, epochs, batch_size, resolution, loss,
    precision, seed, crop, flip, warmup_steps, clip_norm, beta1, beta2, eps, head_bias,
    evaluations
ON job
WHEN (
    NEW.spec, NEW.dataset, NEW.model, NEW.augmentation, NEW.randaugment_layers,
    NEW.randaugment_magnitude, NEW.mixup, NEW.dropout, NEW.stochastic_depth, NEW.weight_decay,
    NEW.learning_rate, NEW.epochs, NEW.batch_size, NEW.resolution, NEW.loss, NEW.precision,
    NEW.seed, NEW.crop, NEW.flip, NEW.warmup_steps, NEW.clip_norm, NEW.beta1, NEW.beta2, NEW.eps,
    NEW.head_bias, NEW.evaluations
) IS NOT (
    OLD.spec, NEW.labels ->> '$.dataset', NEW.labels ->> '$.model', NEW.labels ->>
    '$.augmentation', OLD.randaugment_layers, OLD.randaugment_magnitude, OLD.mixup, OLD.dropout,
    OLD.stochastic_depth, OLD.weight_decay, OLD.learning_rate, OLD.epochs, OLD.batch_size,
    OLD.resolution, OLD.loss, OLD.precision, OLD.seed, OLD.crop, OLD.flip, OLD.warmup_steps,
    OLD.clip_norm, OLD.beta1, OLD.beta2, OLD.eps, OLD.head_bias, OLD.evaluations
)
BEGIN
    SELECT RAISE(ABORT, 'what a job is does not change');
END;

-- Which jobs each sweep asks for, by their ordinals: those come in order, where ids are scattered,
-- and take a third of the space. `sweep_job` is what people ask.
CREATE TABLE member (
    sweep_id INTEGER NOT NULL REFERENCES sweep (id),
    ordinal  INTEGER NOT NULL REFERENCES job (ordinal),
    position INTEGER NOT NULL,            -- in the sweep's grid
    orphaned INTEGER NOT NULL DEFAULT 0 CHECK (orphaned IN (0, 1)),  -- no longer asked for
    PRIMARY KEY (sweep_id, ordinal)
) STRICT, WITHOUT ROWID;

INSERT INTO member (sweep_id, ordinal, position, orphaned)
SELECT sweep_id, ordinal, position, orphaned
FROM sweep_job JOIN job ON job.id = job_id
ORDER BY sweep_id, ordinal;

CREATE INDEX member_ordinal ON member (ordinal);

DROP TRIGGER tally_moved_job;
DROP TABLE sweep_job;

CREATE VIEW sweep_job AS
SELECT sweep_id, job.id AS job_id, position, orphaned
FROM member JOIN job ON job.ordinal = member.ordinal;

-- The tally also knows how much work there is. Whoever registers jobs counts them, all at once; from
-- then on triggers do. (A sum of floats that come and go is as exact as an estimate needs; where no
-- job is left it is 0.)
DROP TRIGGER tally_new_job;

ALTER TABLE tally ADD COLUMN flops REAL NOT NULL DEFAULT 0.0;

UPDATE tally SET flops = coalesce(
    (SELECT sum(job.flops) FROM job WHERE job.state = tally.state), 0.0
)
WHERE sweep_id = 0;

UPDATE tally SET flops = coalesce(
    (
        SELECT sum(job.flops) FROM member JOIN job ON job.ordinal = member.ordinal
        WHERE member.sweep_id = tally.sweep_id AND NOT orphaned AND job.state = tally.state
    ), 0.0
)
WHERE sweep_id <> 0;

CREATE TRIGGER tally_moved_job AFTER UPDATE OF state ON job
WHEN OLD.state <> NEW.state
BEGIN
    UPDATE tally SET total = total - 1, flops = iif(total = 1, 0.0, max(0.0, flops - OLD.flops))
    WHERE state = OLD.state AND (sweep_id = 0 OR sweep_id IN (
        SELECT sweep_id FROM member WHERE ordinal = OLD.ordinal AND NOT orphaned
    ));
    INSERT INTO tally (sweep_id, state, total, flops)
    SELECT 0, NEW.state, 1, NEW.flops
    UNION ALL
    SELECT sweep_id, NEW.state, 1, NEW.flops
    FROM member WHERE ordinal = NEW.ordinal AND NOT orphaned
    ON CONFLICT DO UPDATE SET total = total + 1, flops = flops + excluded.flops;
END;
