-- An expense goes on: handed in, then approved or refused; or it is deleted softly.
UPDATE spesen SET
    stat = CASE stat WHEN 0 THEN 10 WHEN 10 THEN CASE WHEN current_setting('demo.number')::integer % 4 = 0 THEN 90 ELSE 20 END ELSE stat END,
    gen_pers_id = CASE WHEN stat = 10 THEN 1 + current_setting('demo.number')::integer % 10 END,
    gen_zeit = CASE WHEN stat = 10 THEN date_trunc('second', now() AT TIME ZONE 'Europe/Berlin') END,
    geloescht = (stat = 90)
WHERE sp_id = (SELECT sp_id FROM spesen WHERE stat IN (0, 10, 90) AND NOT geloescht AND re_id IS NULL
    ORDER BY md5(sp_id || current_setting('demo.roll')) LIMIT 1);
