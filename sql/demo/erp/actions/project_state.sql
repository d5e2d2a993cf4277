-- A project is closed, rests or opens again. Its wide text stays where it is.
UPDATE projekt SET stat_id = (ARRAY[10, 10, 15, 20])[1 + current_setting('demo.number')::integer % 4],
    ende = CASE WHEN current_setting('demo.number')::integer % 4 = 3 THEN CURRENT_DATE ELSE DATE '9999-12-31' END
WHERE prj_id = (SELECT prj_id FROM projekt ORDER BY md5(prj_id || current_setting('demo.roll')) LIMIT 1);
