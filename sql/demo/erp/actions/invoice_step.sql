-- An invoice goes on: checked, back to draft now and then, posted with its legal number.
UPDATE re_kopf h SET
    stat_cd = n.stat_cd,
    re_nr = CASE WHEN n.stat_cd = 'B' THEN 'R26-' || lpad(h.re_id::text, 6, '0') ELSE h.re_nr END,
    re_dat = CASE WHEN n.stat_cd = 'B' THEN CURRENT_DATE ELSE h.re_dat END,
    faellig = CASE WHEN n.stat_cd = 'B' THEN CURRENT_DATE + coalesce(z.tage, 0) ELSE h.faellig END
FROM (SELECT re_id, CASE WHEN stat_cd = 'E' THEN 'P' WHEN current_setting('demo.number')::integer % 5 = 0 THEN 'E' ELSE 'B' END AS stat_cd
      FROM re_kopf WHERE stat_cd IN ('E', 'P') ORDER BY md5(re_id || current_setting('demo.roll')) LIMIT 1) n,
     kunde k LEFT JOIN zahlbed z ON z.zb_cd = k.zahlbed_cd
WHERE n.re_id = h.re_id AND k.kd_id = h.kd_id;
