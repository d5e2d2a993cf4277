-- key: worker_no
-- People who have a personnel action, with the slices of time that hold today (UTC). The newest
-- day of hire and of leaving are those of the actions; the last day is the one before leaving.
SELECT CONCAT('M', LPAD(s.pernr, 5, '0')) AS worker_no,
       CONCAT_WS(' ', s.vorname, s.nachname) AS full_name,
       (SELECT LOWER(k.wert) FROM pa_komm k WHERE k.pernr = s.pernr AND k.art = 'EMAIL' AND k.lfd = 1) AS work_email,
       CASE e.extern_kz WHEN 0 THEN 'employee' WHEN 1 THEN 'contractor' WHEN 2 THEN 'intern' ELSE 'other' END AS employment_type,
       CASE t.stat_neu WHEN '3' THEN 'active' WHEN '1' THEN 'leave' WHEN '0' THEN 'terminated' ELSE 'pre_hire' END AS status,
       d.hired AS hire_date,
       IF(d.`left` > d.hired, d.`left` - INTERVAL 1 DAY, NULL) AS termination_date,
       COALESCE(j.bez_en, j.bez_de) AS job_title,
       (SELECT MAX(u.kurz) FROM org_einh u WHERE u.orgeh = o.orgeh) AS org_unit_code,
       CONCAT('M', LPAD(o.fuehr_pernr, 5, '0')) AS manager_no,
       s.buchkr AS legal_entity_code,
       o.kostenst AS cost_center,
       CAST(o.std_woche AS DECIMAL(5,2)) AS capacity_hours_week
FROM pa_stamm s
JOIN (SELECT pernr, MAX(IF(massn_cd IN ('01', '12'), beg, NULL)) AS hired, MAX(IF(massn_cd = '10', beg, NULL)) AS `left`
      FROM pa_massn GROUP BY pernr) d ON d.pernr = s.pernr
LEFT JOIN pa_massn a ON a.pernr = s.pernr AND UTC_DATE() BETWEEN a.beg AND a.bis
LEFT JOIN t_massn t ON t.massn_cd = a.massn_cd
LEFT JOIN pa_org o ON o.pernr = s.pernr AND UTC_DATE() BETWEEN o.beg AND o.bis
LEFT JOIN t_emplart e ON e.art_cd = o.art_cd
LEFT JOIN t_stelle j ON j.stelle_id = o.stelle_id
