-- entity: client
-- version: 1
-- unit: party_id
-- driver: p
-- watch: p = party_party.id, n = party_party.id
-- affects r: SELECT party FROM delta
-- affects g: SELECT r.party FROM delta d JOIN party_category_rel r ON r.category = d.id
-- affects w: SELECT party FROM delta WHERE party IS NOT NULL
-- affects i: SELECT party FROM delta
-- affects q: SELECT p.id FROM delta d JOIN party_party p ON p.replaced_by = d.party
-- affects h: SELECT p.id FROM delta d JOIN party_category_rel q ON q.category = d.id JOIN party_party p ON p.replaced_by = q.party
-- affects v: SELECT p.id FROM delta d JOIN party_party p ON p.replaced_by = d.party
-- affects j: SELECT p.id FROM delta d JOIN party_party p ON p.replaced_by = d.party
-- Parties are clients, suppliers and staff alike. A client is one in the category `Clients`, or
-- one that a project or an outgoing invoice names; or one merged into such a party: it stays, as
-- merged.
SELECT
    p.code AS client_no,
    p.name AS name,
    CASE WHEN p.replaced_by IS NOT NULL THEN 'merged' WHEN p.active THEN 'active' ELSE 'closed' END AS status,
    n.code AS merged_into_no,
    p.id AS party_id,
    p.id AS _from_p,
    n.id AS _from_n
FROM party_party p
LEFT JOIN party_party n ON n.id = p.replaced_by
LEFT JOIN (
    SELECT own.party
    FROM (
        SELECT r.party FROM party_category_rel r JOIN party_category g ON g.id = r.category WHERE g.name = 'Clients'
        UNION ALL
        SELECT w.party FROM project_work w WHERE w.type = 'project'
        UNION ALL
        SELECT i.party FROM account_invoice i WHERE i.type = 'out'
    ) own
    GROUP BY own.party
) a ON a.party = p.id
LEFT JOIN (
    SELECT heir.party
    FROM (
        SELECT q.party FROM party_category_rel q JOIN party_category h ON h.id = q.category WHERE h.name = 'Clients'
        UNION ALL
        SELECT v.party FROM project_work v WHERE v.type = 'project'
        UNION ALL
        SELECT j.party FROM account_invoice j WHERE j.type = 'out'
    ) heir
    GROUP BY heir.party
) b ON b.party = p.replaced_by
WHERE coalesce(a.party, b.party) IS NOT NULL
