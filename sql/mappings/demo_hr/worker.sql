-- entity: worker
-- version: 1
-- unit: pernr
-- driver: s
-- watch: s = pa_stamm.pernr, k = pa_komm.(pernr, art, lfd)
-- affects n: SELECT pernr FROM delta
-- affects t: SELECT n.pernr FROM delta d JOIN pa_massn n ON n.massn_cd = d.massn_cd
-- affects o: SELECT pernr FROM delta
-- affects j: SELECT o.pernr FROM delta d JOIN pa_org o ON o.stelle_id = d.stelle_id
-- affects e: SELECT o.pernr FROM delta d JOIN pa_org o ON o.art_cd = d.art_cd
-- affects u: SELECT o.pernr FROM delta d JOIN pa_org o ON o.orgeh = d.orgeh
-- Every fact is a slice of time: of a person's slices, the one that holds today counts, and the
-- row is due again on the next day on which a slice begins or has ended. The day changes at
-- midnight UTC. The staff number everybody knows is 'M' and five digits. A unit is known by its
-- short name, which all its slices bear. Who has no personnel action yet is not known here.
SELECT
    'M' || lpad(CAST(s.pernr AS VARCHAR), 5, '0') AS worker_no,
    concat_ws(' ', s.vorname, s.nachname) AS full_name,
    lower(k.wert) AS work_email,
    CASE list_filter(b.slices, lambda slice: slice.beg <= CAST($as_of AS DATE) AND slice.bis >= CAST($as_of AS DATE))[1].kind
        WHEN 0 THEN 'employee' WHEN 1 THEN 'contractor' WHEN 2 THEN 'intern' ELSE 'other' END AS employment_type,
    CASE list_filter(a.slices, lambda slice: slice.beg <= CAST($as_of AS DATE) AND slice.bis >= CAST($as_of AS DATE))[1].state
        WHEN '3' THEN 'active' WHEN '1' THEN 'leave' WHEN '0' THEN 'terminated' ELSE 'pre_hire' END AS status,
    a.hired_on AS hire_date,
    CASE WHEN a.left_on > a.hired_on THEN a.left_on - 1 END AS termination_date,
    list_filter(b.slices, lambda slice: slice.beg <= CAST($as_of AS DATE) AND slice.bis >= CAST($as_of AS DATE))[1].job AS job_title,
    list_filter(b.slices, lambda slice: slice.beg <= CAST($as_of AS DATE) AND slice.bis >= CAST($as_of AS DATE))[1].unit AS org_unit_code,
    list_filter(b.slices, lambda slice: slice.beg <= CAST($as_of AS DATE) AND slice.bis >= CAST($as_of AS DATE))[1].manager AS manager_no,
    s.buchkr AS legal_entity_code,
    list_filter(b.slices, lambda slice: slice.beg <= CAST($as_of AS DATE) AND slice.bis >= CAST($as_of AS DATE))[1].center AS cost_center,
    list_filter(b.slices, lambda slice: slice.beg <= CAST($as_of AS DATE) AND slice.bis >= CAST($as_of AS DATE))[1].hours AS capacity_hours_week,
    CAST(list_min(list_filter(list_concat(a.borders, b.borders),
        lambda day: day > CAST($as_of AS DATE) AND day < DATE '9999-12-31')) AS TIMESTAMP) AS _next_at,
    s.pernr AS pernr,
    s.pernr AS _from_s,
    k.pernr AS _from_k_1,
    k.art AS _from_k_2,
    k.lfd AS _from_k_3
FROM pa_stamm s
JOIN (
    SELECT n.pernr,
           max(CASE WHEN n.massn_cd IN ('01', '12') THEN n.beg END) AS hired_on,
           max(CASE WHEN n.massn_cd = '10' THEN n.beg END) AS left_on,
           list({'beg': n.beg, 'bis': n.bis, 'state': t.stat_neu} ORDER BY n.beg) AS slices,
           flatten(list([n.beg, n.bis + 1] ORDER BY n.beg)) AS borders
    FROM pa_massn n
    JOIN t_massn t ON t.massn_cd = n.massn_cd
    GROUP BY n.pernr
) a ON a.pernr = s.pernr
LEFT JOIN (
    SELECT o.pernr,
           list({'beg': o.beg, 'bis': o.bis, 'kind': e.extern_kz, 'job': coalesce(j.bez_en, j.bez_de), 'unit': c.code,
                 'manager': 'M' || lpad(CAST(o.fuehr_pernr AS VARCHAR), 5, '0'), 'center': o.kostenst, 'hours': o.std_woche}
                ORDER BY o.beg) AS slices,
           flatten(list([o.beg, o.bis + 1] ORDER BY o.beg)) AS borders
    FROM pa_org o
    LEFT JOIN t_stelle j ON j.stelle_id = o.stelle_id
    LEFT JOIN t_emplart e ON e.art_cd = o.art_cd
    LEFT JOIN (SELECT u.orgeh, max(u.kurz) AS code FROM org_einh u GROUP BY u.orgeh) c ON c.orgeh = o.orgeh
    GROUP BY o.pernr
) b ON b.pernr = s.pernr
LEFT JOIN pa_komm k ON k.pernr = s.pernr AND k.art = 'EMAIL' AND k.lfd = 1
