-- A study: what was asked for, what was tried, what came out.
--
-- Times are milliseconds since 1970, UTC. Accuracies are fractions in [0, 1]. The names of tables
-- and columns are a contract with everybody who queries the study.

-- "augr": tells a study's database from anybody else's.
PRAGMA application_id = 0x61756772;

-- Where each data set lies now. Jobs refer to its fingerprint, so a moved folder changes one path.
CREATE TABLE dataset (
    fingerprint TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    source      TEXT NOT NULL CHECK (json_valid(source))
) STRICT, WITHOUT ROWID;

CREATE TABLE sweep (
    id      INTEGER PRIMARY KEY,
    name    TEXT    NOT NULL UNIQUE,
    text    TEXT    NOT NULL,  -- the sweep file as last registered
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL
) STRICT;

-- One point of a grid. `spec` is the canonical JSON that the id hashes; the axes are read off it
-- and off the labels by SQLite, so no column can disagree with them.
CREATE TABLE job (
    ordinal             INTEGER PRIMARY KEY,  -- in the order of registration
    id                  TEXT    NOT NULL UNIQUE CHECK (length(id) = 26),
    state               TEXT    NOT NULL CHECK (
        state IN ('waiting', 'queued', 'running', 'succeeded', 'failed', 'cancelled')
    ),
    stage               TEXT    NOT NULL,
    priority            INTEGER NOT NULL,
    attempts            INTEGER NOT NULL DEFAULT 0,  -- number of the last one; kept by a trigger
    parent              TEXT    REFERENCES job (id),  -- whose checkpoint it starts from
    dataset_fingerprint TEXT    NOT NULL REFERENCES dataset (fingerprint),
    steps               INTEGER NOT NULL CHECK (steps > 0),
    parameters          INTEGER NOT NULL,
    flops               REAL    NOT NULL,
    created             INTEGER NOT NULL,

    dataset               TEXT    GENERATED ALWAYS AS (labels ->> '$.dataset') STORED,
    model                 TEXT    GENERATED ALWAYS AS (labels ->> '$.model') STORED,
    augmentation          TEXT    GENERATED ALWAYS AS (labels ->> '$.augmentation') STORED,
    randaugment_layers    INTEGER GENERATED ALWAYS AS (coalesce(spec ->> '$.augmentation.randaugment.layers', 0)) STORED,
    randaugment_magnitude INTEGER GENERATED ALWAYS AS (coalesce(spec ->> '$.augmentation.randaugment.magnitude', 0)) STORED,
    mixup                 REAL    GENERATED ALWAYS AS (spec ->> '$.augmentation.mixup') STORED,
    dropout               REAL    GENERATED ALWAYS AS (spec ->> '$.regularization.dropout') STORED,
    stochastic_depth      REAL    GENERATED ALWAYS AS (spec ->> '$.regularization.stochastic_depth') STORED,
    weight_decay          REAL    GENERATED ALWAYS AS (spec ->> '$.optimizer.weight_decay') STORED,
    learning_rate         REAL    GENERATED ALWAYS AS (spec ->> '$.optimizer.learning_rate') STORED,
    epochs                REAL    GENERATED ALWAYS AS (spec ->> '$.epochs') STORED,
    batch_size            INTEGER GENERATED ALWAYS AS (spec ->> '$.batch_size') STORED,
    resolution            INTEGER GENERATED ALWAYS AS (spec ->> '$.resolution') STORED,
    loss                  TEXT    GENERATED ALWAYS AS (spec ->> '$.loss') STORED,
    precision             TEXT    GENERATED ALWAYS AS (spec ->> '$.precision') STORED,
    seed                  INTEGER GENERATED ALWAYS AS (spec ->> '$.seed') STORED,
    -- Settings that few sweeps vary are computed when asked for, so that they cost no space.
    crop                  TEXT    GENERATED ALWAYS AS (spec ->> '$.augmentation.crop') VIRTUAL,
    flip                  INTEGER GENERATED ALWAYS AS (spec ->> '$.augmentation.flip') VIRTUAL,
    warmup_steps          INTEGER GENERATED ALWAYS AS (spec ->> '$.optimizer.warmup_steps') VIRTUAL,
    clip_norm             REAL    GENERATED ALWAYS AS (spec ->> '$.optimizer.clip_norm') VIRTUAL,
    beta1                 REAL    GENERATED ALWAYS AS (spec ->> '$.optimizer.beta1') VIRTUAL,
    beta2                 REAL    GENERATED ALWAYS AS (spec ->> '$.optimizer.beta2') VIRTUAL,
    eps                   REAL    GENERATED ALWAYS AS (spec ->> '$.optimizer.eps') VIRTUAL,
    head_bias             REAL    GENERATED ALWAYS AS (spec ->> '$.head_bias') VIRTUAL,
    evaluations           INTEGER GENERATED ALWAYS AS (spec ->> '$.evaluations') VIRTUAL,

    labels              TEXT    NOT NULL,  -- what the sweep file calls the parts; never hashed
    spec                TEXT    NOT NULL   -- last, so that scans of the axes pass it by
) STRICT;

-- What is to do next, and how many jobs are where.
CREATE INDEX job_state ON job (state, priority DESC);

CREATE TABLE sweep_job (
    sweep_id INTEGER NOT NULL REFERENCES sweep (id),
    job_id   TEXT    NOT NULL REFERENCES job (id),
    position INTEGER NOT NULL,            -- in the sweep's grid
    orphaned INTEGER NOT NULL DEFAULT 0 CHECK (orphaned IN (0, 1)),  -- no longer asked for
    PRIMARY KEY (sweep_id, job_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX sweep_job_job ON sweep_job (job_id);

-- One execution of a job. Attempts are appended, never rewritten once ended, but for a journal
-- that arrives late: it knows better than whoever gave the attempt up.
CREATE TABLE attempt (
    job_id            TEXT    NOT NULL REFERENCES job (id),
    number            INTEGER NOT NULL CHECK (number > 0),
    state             TEXT    NOT NULL CHECK (state IN ('running', 'succeeded', 'failed', 'stopped')),
    executor          TEXT    NOT NULL,
    slot              TEXT    NOT NULL,
    device            TEXT    NOT NULL,  -- cpu, cuda:0, …
    host              TEXT,
    pid               INTEGER,
    version           TEXT,              -- of the worker
    threads           INTEGER,
    from_step         INTEGER,           -- 0 from the start, else that of a checkpoint
    failure           TEXT CHECK (
        failure IN ('diverged', 'out-of-memory', 'lost', 'preempted', 'data', 'timeout', 'bug')
    ),
    message           TEXT,              -- why it failed, for a person
    restarts          INTEGER NOT NULL DEFAULT 0,
    started           INTEGER NOT NULL,
    ended             INTEGER,
    peak_memory       INTEGER,           -- bytes
    images_per_second REAL,
    next_seq          INTEGER NOT NULL DEFAULT 0,  -- journal entries below are ingested
    journal_offset    INTEGER NOT NULL DEFAULT 0,  -- bytes of the journal that are read
    PRIMARY KEY (job_id, number),
    CHECK ((state = 'running') = (ended IS NULL)),
    CHECK ((state = 'failed') = (failure IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- No job runs twice at once.
CREATE UNIQUE INDEX attempt_running ON attempt (job_id) WHERE state = 'running';

CREATE TABLE metric (
    job_id  TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    step    INTEGER NOT NULL CHECK (step >= 0),
    attempt INTEGER NOT NULL,
    value   REAL    NOT NULL,
    PRIMARY KEY (job_id, name, step, attempt),
    FOREIGN KEY (job_id, attempt) REFERENCES attempt (job_id, number)
) STRICT, WITHOUT ROWID;

-- One row per finished job: the first result stands.
CREATE TABLE result (
    job_id            TEXT PRIMARY KEY REFERENCES job (id),
    attempt           INTEGER NOT NULL,
    best_val          REAL CHECK (best_val BETWEEN 0 AND 1),
    final_val         REAL CHECK (final_val BETWEEN 0 AND 1),
    final_test        REAL CHECK (final_test BETWEEN 0 AND 1),
    train_loss        REAL    NOT NULL,
    steps             INTEGER NOT NULL,
    seconds           REAL    NOT NULL,
    images_per_second REAL    NOT NULL,
    peak_memory       INTEGER NOT NULL,  -- bytes
    parameters_sha256 TEXT    NOT NULL,
    FOREIGN KEY (job_id, attempt) REFERENCES attempt (job_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoint (
    job_id  TEXT    NOT NULL,
    step    INTEGER NOT NULL CHECK (step >= 0),
    attempt INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (job_id, step, attempt),
    FOREIGN KEY (job_id, attempt) REFERENCES attempt (job_id, number)
) STRICT, WITHOUT ROWID;

-- The audit: a line for everything that was decided.
CREATE TABLE event (
    id       INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    sweep_id INTEGER REFERENCES sweep (id),
    job_id   TEXT REFERENCES job (id),
    attempt  INTEGER,
    actor    TEXT NOT NULL,
    what     TEXT NOT NULL,
    reason   TEXT NOT NULL
) STRICT;

CREATE INDEX event_job ON event (job_id) WHERE job_id IS NOT NULL;

CREATE TRIGGER attempt_numbers_have_no_gaps BEFORE INSERT ON attempt
WHEN NEW.number <> 1 + (SELECT attempts FROM job WHERE id = NEW.job_id)
BEGIN
    SELECT RAISE(ABORT, 'attempts of a job are numbered 1, 2, 3, … without gaps');
END;

CREATE TRIGGER job_counts_its_attempts AFTER INSERT ON attempt
BEGIN
    UPDATE job SET attempts = NEW.number WHERE id = NEW.job_id;
END;

CREATE TRIGGER success_needs_a_result BEFORE UPDATE OF state ON job
WHEN NEW.state = 'succeeded' AND NOT EXISTS (SELECT 1 FROM result WHERE job_id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'a job succeeds only with a result');
END;

CREATE TRIGGER success_is_final BEFORE UPDATE OF state ON job
WHEN OLD.state = 'succeeded' AND NEW.state <> 'succeeded'
BEGIN
    SELECT RAISE(ABORT, 'a job that has succeeded never runs again');
END;
