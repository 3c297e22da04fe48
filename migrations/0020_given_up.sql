-- Attempts that a scheduler ended without their journals having said so: a worker that was gone, or
-- hung. It may be neither: then its journal goes on. What it comes to say is looked for until the
-- job has succeeded.
ALTER TABLE attempt ADD COLUMN given_up INTEGER NOT NULL DEFAULT 0 CHECK (given_up IN (0, 1));

UPDATE attempt SET given_up = 1 WHERE failure IN ('lost', 'timeout', 'preempted');

CREATE INDEX attempt_given_up ON attempt (job_id, number) WHERE given_up = 1;

-- Attempts that no longer count against the job's retries, since a person asked for it to be tried
-- again: those up to this number.
ALTER TABLE job ADD COLUMN forgiven INTEGER NOT NULL DEFAULT 0;

UPDATE job SET forgiven = attempts
WHERE state IN ('waiting', 'queued') AND attempts > 0
    AND EXISTS (SELECT 1 FROM event WHERE event.job_id = job.id AND what = 'requeued');
