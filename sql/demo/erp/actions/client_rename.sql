-- A client changes its name, or is blocked, or released.
UPDATE kunde SET name1 = current_setting('demo.family') || ' ' || current_setting('demo.number'),
    sperr_kz = CASE WHEN current_setting('demo.number')::integer % 6 = 0 THEN 'S' ELSE ' ' END
WHERE kd_id = (SELECT kd_id FROM kunde WHERE kd_id_neu IS NULL ORDER BY md5(kd_id || current_setting('demo.roll')) LIMIT 1);
