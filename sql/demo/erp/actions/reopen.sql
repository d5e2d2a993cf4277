-- A sheet that was sent back, or released too early, is open again, and its lines are corrected.
UPDATE zeit_blatt b SET stat_cd = 'E' WHERE zb_id = (SELECT zb_id FROM zeit_blatt z
    WHERE stat_cd IN ('Z', 'F') AND NOT EXISTS (SELECT FROM zeit_pos l WHERE l.zb_id = z.zb_id AND l.re_id IS NOT NULL)
    ORDER BY md5(zb_id || current_setting('demo.roll')) LIMIT 1);
UPDATE zeit_pos SET minuten = minuten + 15, kosten = NULL WHERE zb_id = (SELECT zb_id FROM zeit_blatt
    WHERE stat_cd = 'E' ORDER BY md5(zb_id || current_setting('demo.roll')) LIMIT 1);
