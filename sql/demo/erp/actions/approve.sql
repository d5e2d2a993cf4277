-- A head releases sheets that were handed in. No line is touched.
UPDATE zeit_blatt SET stat_cd = 'F', frei_pers_id = 1 + current_setting('demo.number')::integer % 10,
    frei_zeit = date_trunc('second', now() AT TIME ZONE 'Europe/Berlin')
WHERE zb_id IN (SELECT zb_id FROM zeit_blatt WHERE stat_cd = 'V'
    ORDER BY md5(zb_id || current_setting('demo.roll')) LIMIT 1 + current_setting('demo.number')::integer % 5);
