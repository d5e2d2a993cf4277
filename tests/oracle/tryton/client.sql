-- Clients, on the source server: parties in the category `Clients`, on a project or on an outgoing
-- invoice, and those that were merged into one of them.
WITH known AS (
    SELECT party FROM party_category_rel WHERE category IN (SELECT id FROM party_category WHERE name = 'Clients')
    UNION
    SELECT party FROM project_work WHERE type = 'project' AND party IS NOT NULL
    UNION
    SELECT party FROM account_invoice WHERE type = 'out'
)
SELECT p.code AS client_no, p.name,
       CASE WHEN p.replaced_by IS NOT NULL THEN 'merged' WHEN p.active IS TRUE THEN 'active' ELSE 'closed' END AS status,
       (SELECT code FROM party_party winner WHERE winner.id = p.replaced_by) AS merged_into_no
FROM party_party p
WHERE p.id IN (SELECT party FROM known) OR p.replaced_by IN (SELECT party FROM known)
ORDER BY p.code COLLATE "C";
