-- key: project_code
-- Projects; a state that the customer added counts by whether it is an end.
SELECT p.prj_nr AS project_code,
       p.bez AS name,
       (SELECT k.kd_nr FROM kunde k WHERE k.kd_id = p.kd_id) AS client_no,
       p.vtr_nr AS contract_no,
       p.kst_nr AS org_unit_code,
       (SELECT w.persnr FROM pers w WHERE w.pers_id = p.ltr_pers_id) AS manager_no,
       (SELECT CASE WHEN s.kuerzel = 'PL' THEN 'planned' WHEN s.kuerzel = 'RU' THEN 'on_hold' WHEN s.kuerzel = 'ST' THEN 'cancelled'
                    WHEN s.kuerzel <> 'OF' AND (s.kuerzel = 'AB' OR s.abschl_kz = 'J') THEN 'closed' ELSE 'open' END
        FROM prj_status s WHERE s.stat_id = p.stat_id) AS status,
       p.beginn AS starts_on,
       CASE WHEN p.ende < DATE '9999-12-31' THEN p.ende END AS ends_on,
       p.bud_std::numeric(12,2) AS budget_hours,
       translate(p.bud_betr, ',.', '.')::numeric(18,2) AS budget_amount,
       p.waehr AS currency,
       p.fakt_kz = 'J' AS billable
FROM projekt p
