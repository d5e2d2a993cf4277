-- A line is deleted.
DELETE FROM zeit_pos
WHERE (zb_id, pos) = (SELECT z.zb_id, z.pos FROM zeit_pos z JOIN zeit_blatt b USING (zb_id) WHERE b.stat_cd = 'E' AND z.re_id IS NULL
    ORDER BY md5(z.zb_id || '+' || z.pos || current_setting('demo.roll')) LIMIT 1);
