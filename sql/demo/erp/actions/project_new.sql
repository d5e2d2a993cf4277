-- A project with its tasks, planned first and opened in the same transaction.
INSERT INTO projekt (prj_nr, bez, kd_id, kst_nr, ltr_pers_id, stat_id, beginn, bud_std, bud_betr, waehr, pflichtenheft)
SELECT 'P' || current_setting('demo.serial'), 'Vorhaben ' || current_setting('demo.note'), k.kd_id, current_setting('demo.unit'),
       1 + current_setting('demo.number')::integer % 10, 7, CURRENT_DATE, current_setting('demo.amount')::numeric * 10,
       current_setting('demo.money'), k.waehr, (SELECT string_agg(md5(current_setting('demo.roll') || j), ' ') FROM generate_series(1, 150) AS j)
FROM kunde k WHERE NOT k.geloescht ORDER BY md5(k.kd_id || current_setting('demo.roll')) LIMIT 1;
INSERT INTO prj_aufg (prj_id, bez)
SELECT prj_id, t FROM projekt, unnest(ARRAY['Analyse', 'Umsetzung', 'Abnahme']) AS t WHERE prj_nr = 'P' || current_setting('demo.serial');
UPDATE projekt SET stat_id = 10 WHERE prj_nr = 'P' || current_setting('demo.serial');
