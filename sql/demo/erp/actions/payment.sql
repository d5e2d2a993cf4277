-- A client pays half of what is open, or all of it.
INSERT INTO zahlung (re_id, dat, betrag)
SELECT re_id, CURRENT_DATE, CASE WHEN current_setting('demo.number')::integer % 2 = 0 THEN offen ELSE greatest(round(offen / 2, 2), 0.01) END
FROM (
    SELECT h.re_id, coalesce((SELECT sum(netto + round(netto * mwst_satz / 100, 2)) FROM re_pos l WHERE l.re_id = h.re_id), 0)
        - coalesce((SELECT sum(betrag) FROM zahlung z WHERE z.re_id = h.re_id), 0) AS offen
    FROM re_kopf h WHERE h.stat_cd = 'B') o
WHERE offen > 0 ORDER BY md5(re_id || current_setting('demo.roll')) LIMIT 1;
