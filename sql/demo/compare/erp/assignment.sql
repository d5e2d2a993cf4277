-- key: assignment_no
-- Staffing that was not deleted.
SELECT p.prj_nr || '/' || w.persnr || '/' || to_char(e.von, 'YYYYMMDD') AS assignment_no,
       p.prj_nr AS project_code,
       w.persnr AS worker_no,
       e.rolle AS role,
       e.von AS starts_on,
       CASE WHEN e.bis < DATE '9999-12-31' THEN e.bis END AS ends_on,
       e.plan_std::numeric(12,2) AS planned_hours,
       e.ausl_proz::numeric(7,2) AS allocation_percent,
       translate(e.satz_vk, ',.', '.')::numeric(18,4) AS bill_rate_amount,
       p.waehr AS currency,
       e.fakt_kz = 'J' AS billable
FROM einsatz e JOIN projekt p USING (prj_id) JOIN pers w USING (pers_id)
WHERE NOT e.geloescht
