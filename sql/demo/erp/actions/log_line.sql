-- One more line on an open sheet, sometimes travel or leave.
INSERT INTO zeit_pos (zb_id, pos, tag, prj_id, minuten, art_cd, fakt_kz, text, dauer)
SELECT b.zb_id, (SELECT coalesce(max(pos), 0) + 1 FROM zeit_pos z WHERE z.zb_id = b.zb_id),
       to_date(b.jahr || lpad(b.kw::text, 2, '0'), 'IYYYIW') + current_setting('demo.number')::integer % 7,
       CASE WHEN current_setting('demo.number')::integer % 9 = 0 THEN NULL ELSE
           (SELECT prj_id FROM projekt WHERE stat_id = 10 ORDER BY md5(prj_id || current_setting('demo.roll')) LIMIT 1) END,
       1 + current_setting('demo.number')::integer % 600,
       CASE current_setting('demo.number')::integer % 9 WHEN 0 THEN 'U' WHEN 1 THEN 'R' ELSE 'A' END,
       CASE WHEN current_setting('demo.number')::integer % 9 = 0 THEN 'N' ELSE 'J' END,
       nullif(current_setting('demo.note'), ''), current_setting('demo.number')::integer * INTERVAL '1 minute'
FROM zeit_blatt b WHERE b.stat_cd = 'E' ORDER BY md5(b.zb_id || current_setting('demo.roll')) LIMIT 1;
