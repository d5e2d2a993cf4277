-- A person's next week: the sheet, five to ten lines with cost zero, then the cost.
INSERT INTO zeit_blatt (pers_id, jahr, kw)
SELECT w.pers_id, extract(isoyear FROM m.tag), extract(week FROM m.tag)
FROM pers w
CROSS JOIN LATERAL (
    SELECT coalesce(max(to_date(jahr || lpad(kw::text, 2, '0'), 'IYYYIW')), DATE '2025-10-06') + 7 AS tag
    FROM zeit_blatt b WHERE b.pers_id = w.pers_id) m
WHERE w.persnr = current_setting('demo.person') AND w.loesch_zeit IS NULL;
INSERT INTO zeit_pos (zb_id, pos, tag, prj_id, auf_id, minuten, text, kosten)
SELECT b.zb_id, n, to_date(b.jahr || lpad(b.kw::text, 2, '0'), 'IYYYIW') + (n - 1) % 5, p.prj_id,
       (SELECT min(auf_id) FROM prj_aufg a WHERE a.prj_id = p.prj_id),
       30 + (current_setting('demo.number')::integer * n) % 480, current_setting('demo.note'), 0
FROM zeit_blatt b
JOIN pers w ON w.pers_id = b.pers_id AND w.persnr = current_setting('demo.person')
CROSS JOIN generate_series(1, 5 + current_setting('demo.number')::integer % 6) AS n
CROSS JOIN (SELECT prj_id FROM projekt WHERE stat_id = 10 ORDER BY md5(prj_id || current_setting('demo.roll')) LIMIT 1) p
WHERE NOT EXISTS (SELECT FROM zeit_pos z WHERE z.zb_id = b.zb_id) AND b.stat_cd = 'E';
UPDATE zeit_pos z SET kosten = round(z.minuten / 60.0 * current_setting('demo.amount')::numeric, 4)
FROM zeit_blatt b JOIN pers w ON w.pers_id = b.pers_id
WHERE z.zb_id = b.zb_id AND w.persnr = current_setting('demo.person') AND z.kosten = 0;
