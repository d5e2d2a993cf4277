-- A line is cancelled, or its cancellation taken back.
UPDATE zeit_pos SET storno = NOT storno
WHERE (zb_id, pos) = (SELECT z.zb_id, z.pos FROM zeit_pos z JOIN zeit_blatt b USING (zb_id) WHERE b.stat_cd <> 'F' AND z.re_id IS NULL
    ORDER BY md5(z.pos || '-' || z.zb_id || current_setting('demo.roll')) LIMIT 1);
