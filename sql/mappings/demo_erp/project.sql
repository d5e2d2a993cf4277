-- entity: project
-- version: 1
-- unit: prj_id
-- driver: p
-- watch: p = projekt.prj_id, k = kunde.kd_id, m = pers.pers_id, s = prj_status.stat_id
-- States are rows that the customer adds to: known ones by their short name, others by whether
-- they count as finished. Budget hours are a number without bounds, which the mirror keeps as text.
SELECT
    p.prj_nr AS project_code,
    p.bez AS name,
    k.kd_nr AS client_no,
    p.vtr_nr AS contract_no,
    p.kst_nr AS org_unit_code,
    m.persnr AS manager_no,
    CASE s.kuerzel WHEN 'PL' THEN 'planned' WHEN 'OF' THEN 'open' WHEN 'RU' THEN 'on_hold' WHEN 'AB' THEN 'closed' WHEN 'ST' THEN 'cancelled'
         ELSE CASE WHEN s.abschl_kz = 'J' THEN 'closed' ELSE 'open' END END AS status,
    p.beginn AS starts_on,
    nullif(p.ende, DATE '9999-12-31') AS ends_on,
    TRY_CAST(p.bud_std AS DECIMAL(12,2)) AS budget_hours,
    TRY_CAST(replace(replace(p.bud_betr, '.', ''), ',', '.') AS DECIMAL(18,2)) AS budget_amount,
    p.waehr AS currency,
    p.fakt_kz = 'J' AS billable,
    p.prj_id AS prj_id,
    p.prj_id AS _from_p,
    k.kd_id AS _from_k,
    m.pers_id AS _from_m,
    s.stat_id AS _from_s
FROM projekt p
JOIN prj_status s ON s.stat_id = p.stat_id
LEFT JOIN kunde k ON k.kd_id = p.kd_id
LEFT JOIN pers m ON m.pers_id = p.ltr_pers_id
