-- entity: assignment
-- version: 1
-- unit: allocation_id
-- driver: a
-- watch: a = project_allocation.id, w = project_work.id, v = project_work.id, y = project_work.id, z = project_work.id, e = company_employee.id, p = party_party.id
-- Staff are allocated to tasks, without dates: the role is the task. The project is the nearest
-- work item of that type, the item itself or one up to three levels above it.
SELECT
    'A' || a.id AS assignment_no,
    'P' || CASE WHEN w.type = 'project' THEN w.id WHEN v.type = 'project' THEN v.id
                WHEN y.type = 'project' THEN y.id WHEN z.type = 'project' THEN z.id END AS project_code,
    p.code AS worker_no,
    CASE WHEN w.type <> 'project' THEN w.name END AS role,
    a.percentage AS allocation_percent,
    a.id AS allocation_id,
    a.id AS _from_a,
    w.id AS _from_w,
    v.id AS _from_v,
    y.id AS _from_y,
    z.id AS _from_z,
    e.id AS _from_e,
    p.id AS _from_p
FROM project_allocation a
JOIN project_work w ON w.id = a.work
LEFT JOIN project_work v ON v.id = w.parent
LEFT JOIN project_work y ON y.id = v.parent
LEFT JOIN project_work z ON z.id = y.parent
JOIN company_employee e ON e.id = a.employee
JOIN party_party p ON p.id = e.party
