-- metric: trueup_provisioning_delayed_runs
-- help: Runs of hire-to-provision that are open and older than their service level, by target.
-- unit: rows
-- labels: target
-- every: 1m
-- Counted: runs of the workflow `hire-to-provision` without an end that began longer ago than their
-- service level. A run that is exactly as old is not late; a run without a service level is never late.
-- Every target that has a run of this workflow has a row, 0 if none is late.
-- Source: own definition; the service level is that of the configuration.
SELECT r.target,
       count(*) FILTER (WHERE r.done_at IS NULL
           AND date_diff('microsecond', r.started_at, $as_of) > r.sla_seconds * 1000000) AS value
FROM ops.workflow_run r
WHERE r.workflow = 'hire-to-provision' AND r.target IS NOT NULL
GROUP BY r.target
ORDER BY r.target
