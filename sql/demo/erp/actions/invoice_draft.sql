-- Released, unbilled time of one project becomes a draft with a line each and one lump sum.
INSERT INTO re_kopf (kd_id, bezug, waehr)
SELECT p.kd_id, 'projekt,' || p.prj_id, p.waehr FROM projekt p
WHERE p.kd_id IS NOT NULL AND p.prj_id = (SELECT z.prj_id FROM zeit_pos z JOIN zeit_blatt b USING (zb_id) JOIN projekt q USING (prj_id)
    WHERE b.stat_cd = 'F' AND z.re_id IS NULL AND NOT z.storno AND z.fakt_kz = 'J' AND q.kd_id IS NOT NULL
    ORDER BY md5(z.prj_id || current_setting('demo.roll')) LIMIT 1);
INSERT INTO re_pos (re_id, pos, art_cd, text, prj_id, zb_id, zpos, menge, preis, netto, mwst_satz)
SELECT h.re_id, row_number() OVER (ORDER BY l.zb_id, l.pos), 'Z', 'Leistung ' || l.tag, l.prj_id, l.zb_id, l.pos,
       round(l.minuten / 60.0, 4), 135, round(round(l.minuten / 60.0, 4) * 135, 2), 19
FROM (SELECT * FROM re_kopf ORDER BY re_id DESC LIMIT 1) h
JOIN LATERAL (SELECT z.* FROM zeit_pos z JOIN zeit_blatt b USING (zb_id)
    WHERE h.bezug = 'projekt,' || z.prj_id AND b.stat_cd = 'F' AND z.re_id IS NULL AND NOT z.storno AND z.fakt_kz = 'J'
    ORDER BY z.zb_id, z.pos LIMIT 5 + current_setting('demo.number')::integer % 40) l ON true
WHERE h.stat_cd = 'E' AND NOT EXISTS (SELECT FROM re_pos x WHERE x.re_id = h.re_id);
UPDATE zeit_pos z SET re_id = l.re_id FROM re_pos l JOIN re_kopf h USING (re_id)
WHERE h.stat_cd = 'E' AND l.zb_id = z.zb_id AND l.zpos = z.pos AND z.re_id IS NULL;
INSERT INTO re_pos (re_id, pos, art_cd, text, menge, preis, netto, mwst_satz)
SELECT h.re_id, 900, 'X', 'Nebenkosten', 1, current_setting('demo.amount')::numeric, round(current_setting('demo.amount')::numeric, 2), 7
FROM (SELECT * FROM re_kopf ORDER BY re_id DESC LIMIT 1) h
WHERE h.stat_cd = 'E' AND NOT EXISTS (SELECT FROM re_pos x WHERE x.re_id = h.re_id AND x.pos = 900);
