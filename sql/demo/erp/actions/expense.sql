-- A worker enters what was spent.
INSERT INTO spesen (pers_id, prj_id, bel_dat, kat_cd, betrag, mwst, waehr, fakt_kz, beleg, zweck)
SELECT w.pers_id, CASE WHEN current_setting('demo.number')::integer % 4 > 0 THEN
           (SELECT prj_id FROM projekt WHERE stat_id = 10 ORDER BY md5(prj_id || current_setting('demo.roll')) LIMIT 1) END,
       CURRENT_DATE - current_setting('demo.days')::integer, (ARRAY['RK','HO','BW','MA','SO'])[1 + current_setting('demo.number')::integer % 5],
       current_setting('demo.money'), CASE WHEN current_setting('demo.number')::integer % 2 = 0 THEN '1,90' END, 'EUR',
       CASE WHEN current_setting('demo.number')::integer % 2 = 0 THEN 'J' ELSE 'N' END,
       'BEL-' || current_setting('demo.number'), current_setting('demo.note')
FROM pers w WHERE w.persnr = current_setting('demo.person');
