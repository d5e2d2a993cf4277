-- Allocations, on the source server. The project of a task is found by walking up the tree.
WITH RECURSIVE up (item, work) AS (
    SELECT id, id FROM project_work
    UNION ALL
    SELECT up.item, child.parent FROM up JOIN project_work child ON child.id = up.work
    WHERE child.type <> 'project' AND child.parent IS NOT NULL
), belongs AS (
    SELECT up.item, up.work AS project FROM up JOIN project_work w ON w.id = up.work WHERE w.type = 'project'
)
SELECT 'A' || a.id AS assignment_no,
       'P' || belongs.project AS project_code,
       (SELECT code FROM party_party WHERE id = (SELECT party FROM company_employee WHERE id = a.employee)) AS worker_no,
       CASE WHEN item.type = 'task' THEN item.name END AS role,
       a.percentage::numeric(7,2)::text AS allocation_percent
FROM project_allocation a
JOIN project_work item ON item.id = a.work
LEFT JOIN belongs ON belongs.item = a.work
ORDER BY ('A' || a.id) COLLATE "C";
