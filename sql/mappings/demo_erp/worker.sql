-- entity: worker
-- version: 1
-- unit: pers_id
-- driver: p
-- watch: p = pers.pers_id, m = pers.pers_id, k = kst.kst_nr, c = mandant.man_nr
-- What the ERP knows of its staff. A status follows the calendar: the day changes at midnight
-- UTC. Soft-deleted staff stay, as terminated, because time and cost refer to them.
SELECT
    p.persnr AS worker_no,
    concat_ws(' ', p.vorname, p.nachname) AS full_name,
    lower(p.email) AS work_email,
    CASE p.art_kz WHEN 'A' THEN 'employee' WHEN 'F' THEN 'contractor' WHEN 'P' THEN 'intern' ELSE 'other' END AS employment_type,
    CASE WHEN p.loesch_zeit IS NOT NULL OR p.austritt < CAST($as_of AS DATE) THEN 'terminated'
         WHEN p.eintritt > CAST($as_of AS DATE) THEN 'pre_hire'
         ELSE 'active' END AS status,
    p.eintritt AS hire_date,
    p.austritt AS termination_date,
    p.funktion AS job_title,
    p.kst_nr AS org_unit_code,
    m.persnr AS manager_no,
    c.kurz AS legal_entity_code,
    p.kst_nr AS cost_center,
    p.wochenstd AS capacity_hours_week,
    CASE WHEN p.loesch_zeit IS NOT NULL THEN NULL
         WHEN p.eintritt > CAST($as_of AS DATE) THEN CAST(p.eintritt AS TIMESTAMP)
         WHEN p.austritt >= CAST($as_of AS DATE) THEN CAST(p.austritt + 1 AS TIMESTAMP) END AS _next_at,
    p.pers_id AS pers_id,
    p.pers_id AS _from_p,
    m.pers_id AS _from_m,
    k.kst_nr AS _from_k,
    c.man_nr AS _from_c
FROM pers p
LEFT JOIN pers m ON m.pers_id = p.vorg_pers_id
LEFT JOIN kst k ON k.kst_nr = p.kst_nr
LEFT JOIN mandant c ON c.man_nr = k.man_nr
