-- A person is staffed on an open project.
INSERT INTO einsatz (prj_id, pers_id, von, bis, rolle, plan_std, ausl_proz, satz_vk)
SELECT p.prj_id, w.pers_id, CURRENT_DATE + current_setting('demo.days')::integer,
       CASE WHEN current_setting('demo.number')::integer % 3 = 0 THEN DATE '2027-12-31' ELSE DATE '9999-12-31' END,
       'Beratung', current_setting('demo.amount')::numeric, current_setting('demo.number')::integer % 100, current_setting('demo.rate')
FROM pers w, projekt p
WHERE w.persnr = current_setting('demo.person')
  AND p.prj_id = (SELECT prj_id FROM projekt WHERE stat_id = 10 ORDER BY md5(prj_id || current_setting('demo.roll')) LIMIT 1)
ON CONFLICT DO NOTHING;
