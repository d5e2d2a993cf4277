-- entity: worker
-- version: 1
-- unit: pernr
-- driver: s
-- watch: s = pa_stamm.pernr, t = t_massn.massn_cd, j = t_stelle.stelle_id, e = t_emplart.art_cd
-- affects m: SELECT pernr FROM delta
-- affects n: SELECT pernr FROM delta
-- affects o: SELECT pernr FROM delta
-- affects x: SELECT pernr FROM delta
-- affects u: SELECT o.pernr FROM delta d JOIN pa_org o ON o.orgeh = d.orgeh
-- affects v: SELECT o.pernr FROM delta d JOIN pa_org o ON o.orgeh = d.orgeh
-- affects k: SELECT pernr FROM delta
-- Every fact is a slice of time: the one that holds today counts, and the row is due again on
-- the next first day or the day after the next last day. The day changes at midnight UTC. The
-- staff number everybody knows is 'M' and five digits. Who has no action yet is not known here.
SELECT
    'M' || lpad(CAST(s.pernr AS VARCHAR), 5, '0') AS worker_no,
    concat_ws(' ', s.vorname, s.nachname) AS full_name,
    lower(k.wert) AS work_email,
    CASE e.extern_kz WHEN 0 THEN 'employee' WHEN 1 THEN 'contractor' WHEN 2 THEN 'intern' ELSE 'other' END AS employment_type,
    CASE t.stat_neu WHEN '3' THEN 'active' WHEN '1' THEN 'leave' WHEN '0' THEN 'terminated' ELSE 'pre_hire' END AS status,
    a.hired_on AS hire_date,
    CASE WHEN a.left_on > a.hired_on THEN a.left_on - 1 END AS termination_date,
    coalesce(j.bez_en, j.bez_de) AS job_title,
    u.kurz AS org_unit_code,
    'M' || lpad(CAST(o.fuehr_pernr AS VARCHAR), 5, '0') AS manager_no,
    s.buchkr AS legal_entity_code,
    o.kostenst AS cost_center,
    o.std_woche AS capacity_hours_week,
    CAST(least(a.next_on, b.next_on, c.next_on) AS TIMESTAMP) AS _next_at,
    s.pernr AS pernr,
    s.pernr AS _from_s,
    t.massn_cd AS _from_t,
    j.stelle_id AS _from_j,
    e.art_cd AS _from_e
FROM pa_stamm s
JOIN (
    SELECT n.pernr,
           max(CASE WHEN n.massn_cd IN ('01', '12') THEN n.beg END) AS hired_on,
           max(CASE WHEN n.massn_cd = '10' THEN n.beg END) AS left_on,
           min(CASE WHEN n.beg > CAST($as_of AS DATE) THEN n.beg
                    WHEN n.bis >= CAST($as_of AS DATE) AND n.bis < DATE '9999-12-31' THEN n.bis + 1 END) AS next_on
    FROM pa_massn n
    GROUP BY n.pernr
) a ON a.pernr = s.pernr
LEFT JOIN pa_massn m ON m.pernr = s.pernr AND m.beg <= CAST($as_of AS DATE) AND m.bis >= CAST($as_of AS DATE)
LEFT JOIN t_massn t ON t.massn_cd = m.massn_cd
LEFT JOIN pa_org o ON o.pernr = s.pernr AND o.beg <= CAST($as_of AS DATE) AND o.bis >= CAST($as_of AS DATE)
LEFT JOIN (
    SELECT x.pernr,
           min(CASE WHEN x.beg > CAST($as_of AS DATE) THEN x.beg
                    WHEN x.bis >= CAST($as_of AS DATE) AND x.bis < DATE '9999-12-31' THEN x.bis + 1 END) AS next_on
    FROM pa_org x
    GROUP BY x.pernr
) b ON b.pernr = s.pernr
LEFT JOIN t_stelle j ON j.stelle_id = o.stelle_id
LEFT JOIN t_emplart e ON e.art_cd = o.art_cd
LEFT JOIN org_einh u ON u.orgeh = o.orgeh AND u.beg <= CAST($as_of AS DATE) AND u.bis >= CAST($as_of AS DATE)
LEFT JOIN (
    SELECT v.orgeh,
           min(CASE WHEN v.beg > CAST($as_of AS DATE) THEN v.beg
                    WHEN v.bis >= CAST($as_of AS DATE) AND v.bis < DATE '9999-12-31' THEN v.bis + 1 END) AS next_on
    FROM org_einh v
    GROUP BY v.orgeh
) c ON c.orgeh = o.orgeh
LEFT JOIN pa_komm k ON k.pernr = s.pernr AND k.art = 'EMAIL' AND k.lfd = 1
