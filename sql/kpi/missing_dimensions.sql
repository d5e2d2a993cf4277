-- metric: trueup_projects_missing_dimension
-- help: Open projects without a dimension that accounting needs, by dimension.
-- unit: rows
-- labels: dimension
-- every: 1m
-- Projects: status `open`. A project counts once in each dimension it lacks, so the rows must not be added.
--   client    none, or one that does not exist. One that was merged leads to the one that goes on: fine.
--   contract  none, one that does not exist, or one that is cancelled
--   currency  none
--   manager   none, one that does not exist, or one who is terminated
--   org_unit  none, one that does not exist, or one that is not in use
-- Client and contract are asked of projects that are billable; where nobody says whether a project is
-- billable, of those that name a client (internal work has none).
-- Source: own definition.
WITH project AS (
    SELECT coalesce(p.billable, p.client_no IS NOT NULL) AND k.client_no IS NULL AS client,
           coalesce(p.billable, p.client_no IS NOT NULL)
               AND (c.contract_no IS NULL OR coalesce(c.status, '') = 'cancelled') AS contract,
           trim(coalesce(p.currency, '')) = '' AS currency,
           m.worker_no IS NULL OR coalesce(m.status, '') = 'terminated' AS manager,
           u.org_unit_code IS NULL OR NOT coalesce(u.active, true) AS org_unit
    FROM canon.project p
    LEFT JOIN canon.client k ON k.client_no = p.client_no
    LEFT JOIN canon.contract c ON c.contract_no = p.contract_no
    LEFT JOIN canon.worker m ON m.worker_no = p.manager_no
    LEFT JOIN canon.org_unit u ON u.org_unit_code = p.org_unit_code
    WHERE p.status = 'open'
)
SELECT d.dimension,
       count(*) FILTER (WHERE CASE d.dimension WHEN 'client' THEN p.client WHEN 'contract' THEN p.contract
           WHEN 'currency' THEN p.currency WHEN 'manager' THEN p.manager ELSE p.org_unit END) AS value
FROM (VALUES ('client'), ('contract'), ('currency'), ('manager'), ('org_unit')) d(dimension)
LEFT JOIN project p ON true
GROUP BY d.dimension
ORDER BY d.dimension
