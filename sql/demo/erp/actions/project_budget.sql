-- A budget is revised.
UPDATE projekt SET bud_betr = current_setting('demo.money'), bud_std = current_setting('demo.amount')::numeric * 7.123
WHERE prj_id = (SELECT prj_id FROM projekt ORDER BY md5(prj_id || current_setting('demo.roll')) LIMIT 1);
