-- A sheet is sent back.
UPDATE zeit_blatt SET stat_cd = 'Z' WHERE zb_id = (SELECT zb_id FROM zeit_blatt WHERE stat_cd = 'V'
    ORDER BY md5(zb_id || current_setting('demo.roll')) LIMIT 1);
