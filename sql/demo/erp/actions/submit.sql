-- Open sheets are handed in. No line is touched.
UPDATE zeit_blatt SET stat_cd = 'V' WHERE zb_id IN (SELECT zb_id FROM zeit_blatt WHERE stat_cd = 'E'
    ORDER BY md5(zb_id || current_setting('demo.roll')) LIMIT 1 + current_setting('demo.number')::integer % 4);
