-- A line moves to another place on its sheet: its key changes.
UPDATE zeit_pos SET pos = (SELECT max(x.pos) + 1 FROM zeit_pos x WHERE x.zb_id = zeit_pos.zb_id)
WHERE (zb_id, pos) = (SELECT z.zb_id, z.pos FROM zeit_pos z JOIN zeit_blatt b USING (zb_id)
    WHERE b.stat_cd IN ('E', 'Z') AND z.re_id IS NULL AND z.pos < 30000
    ORDER BY md5(z.zb_id || ' ' || z.pos || current_setting('demo.roll')) LIMIT 1);
