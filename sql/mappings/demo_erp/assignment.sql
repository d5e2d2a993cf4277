-- entity: assignment
-- version: 1
-- unit: prj_id, pers_id, von
-- driver: e
-- watch: e = einsatz.(prj_id, pers_id, von), p = projekt.prj_id, w = pers.pers_id
-- The ERP gives staffing no number, so one is made of what identifies it. Moving the first day
-- moves the key: the old assignment goes, a new one comes.
SELECT
    p.prj_nr || '/' || w.persnr || '/' || strftime(e.von, '%Y%m%d') AS assignment_no,
    p.prj_nr AS project_code,
    w.persnr AS worker_no,
    e.rolle AS role,
    e.von AS starts_on,
    nullif(e.bis, DATE '9999-12-31') AS ends_on,
    e.plan_std AS planned_hours,
    e.ausl_proz AS allocation_percent,
    TRY_CAST(replace(replace(e.satz_vk, '.', ''), ',', '.') AS DECIMAL(18,4)) AS bill_rate_amount,
    p.waehr AS currency,
    e.fakt_kz = 'J' AS billable,
    e.prj_id AS prj_id,
    e.pers_id AS pers_id,
    e.von AS von,
    e.prj_id AS _from_e_1,
    e.pers_id AS _from_e_2,
    e.von AS _from_e_3,
    p.prj_id AS _from_p,
    w.pers_id AS _from_w
FROM einsatz e
JOIN projekt p ON p.prj_id = e.prj_id
JOIN pers w ON w.pers_id = e.pers_id
WHERE NOT e.geloescht
