-- What was expected whenever a run began, so that it can be held against what came.
CREATE TABLE forecast (
    sweep_id      INTEGER NOT NULL REFERENCES sweep (id),
    at            INTEGER NOT NULL,
    jobs          INTEGER NOT NULL CHECK (jobs > 0),  -- that were to be done
    flops         REAL    NOT NULL,                   -- of these
    device_low    REAL    NOT NULL,                   -- device-seconds
    device_median REAL    NOT NULL,
    device_high   REAL    NOT NULL,
    wall_low      REAL,                               -- seconds; null: other sweeps ran beside it
    wall_median   REAL,
    wall_high     REAL,
    slots         TEXT    NOT NULL,                   -- what it was to run on, for a person
    measured      INTEGER NOT NULL,                   -- finished jobs that it rests on; 0: nominal
    PRIMARY KEY (sweep_id, at),
    CHECK (device_low <= device_median AND device_median <= device_high),
    CHECK (wall_low <= wall_median AND wall_median <= wall_high),
    CHECK ((wall_low IS NULL) = (wall_median IS NULL) AND (wall_low IS NULL) = (wall_high IS NULL))
) STRICT, WITHOUT ROWID;

-- Forecasts and what came of them: of the jobs that there were then, the attempts since. Wall-clock time
-- can be held against a forecast only if nothing came between: no run after it, no job added.
CREATE VIEW v_forecasts AS
WITH scored AS (
    SELECT
        forecast.*,
        sweep.name AS sweep,
        NOT EXISTS (
            SELECT 1 FROM member JOIN job ON job.ordinal = member.ordinal
            WHERE member.sweep_id = forecast.sweep_id AND NOT member.orphaned
                AND job.created <= forecast.at
                AND job.state NOT IN ('succeeded', 'failed', 'cancelled')
        ) AS ended,
        NOT EXISTS (
            SELECT 1 FROM forecast AS later
            WHERE later.sweep_id = forecast.sweep_id AND later.at > forecast.at
        ) AND NOT EXISTS (
            SELECT 1 FROM member JOIN job ON job.ordinal = member.ordinal
            WHERE member.sweep_id = forecast.sweep_id AND job.created > forecast.at
        ) AS undisturbed
    FROM forecast JOIN sweep ON sweep.id = forecast.sweep_id
)
SELECT
    sweep,
    strftime('%Y-%m-%dT%H:%M:%SZ', at / 1000, 'unixepoch') AS at,
    jobs,
    flops,
    device_low,
    device_median,
    device_high,
    wall_low,
    wall_median,
    wall_high,
    slots,
    measured,
    iif(ended, (
        SELECT count(*)
        FROM member
        JOIN job ON job.ordinal = member.ordinal
        JOIN result ON result.job_id = job.id
        JOIN attempt ON attempt.job_id = job.id AND attempt.number = result.attempt
        WHERE member.sweep_id = scored.sweep_id AND NOT member.orphaned
            AND job.created <= scored.at AND attempt.started >= scored.at
    ), NULL) AS finished,
    iif(ended, (
        SELECT sum(v_device_time.seconds)
        FROM member
        JOIN job ON job.ordinal = member.ordinal
        JOIN attempt ON attempt.job_id = job.id
        JOIN v_device_time
            ON v_device_time.job_id = attempt.job_id AND v_device_time.number = attempt.number
        WHERE member.sweep_id = scored.sweep_id AND NOT member.orphaned
            AND job.created <= scored.at AND attempt.started >= scored.at
    ), NULL) AS device_seconds,
    iif(ended AND undisturbed AND wall_median IS NOT NULL, (
        SELECT (max(attempt.ended) - scored.at) / 1000.0
        FROM member
        JOIN job ON job.ordinal = member.ordinal
        JOIN attempt ON attempt.job_id = job.id
        WHERE member.sweep_id = scored.sweep_id AND NOT member.orphaned
            AND job.created <= scored.at AND attempt.started >= scored.at
    ), NULL) AS wall_seconds
FROM scored;
