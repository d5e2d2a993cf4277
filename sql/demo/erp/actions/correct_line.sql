-- A worker corrects time and text on an open sheet.
UPDATE zeit_pos SET minuten = 1 + current_setting('demo.number')::integer % 600, text = current_setting('demo.note'), kosten = NULL
WHERE (zb_id, pos) = (SELECT z.zb_id, z.pos FROM zeit_pos z JOIN zeit_blatt b USING (zb_id) WHERE b.stat_cd IN ('E', 'Z')
    ORDER BY md5(z.zb_id || '-' || z.pos || current_setting('demo.roll')) LIMIT 1);
