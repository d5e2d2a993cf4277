-- Released time is posted: hundreds of lines in one transaction.
UPDATE zeit_pos SET buch_per = to_char(tag, 'YYYYMM')
WHERE (zb_id, pos) IN (SELECT z.zb_id, z.pos FROM zeit_pos z JOIN zeit_blatt b USING (zb_id)
    WHERE b.stat_cd = 'F' AND z.buch_per IS NULL ORDER BY z.zb_id, z.pos LIMIT 300);
UPDATE spesen SET buch_per = to_char(bel_dat, 'YYYYMM') WHERE stat = 20 AND buch_per IS NULL AND NOT geloescht;
