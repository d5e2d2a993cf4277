-- A rate is moved by a day (its key), mended in place, or deleted.
UPDATE pers_satz s SET gueltig_ab = gueltig_ab + 1 FROM pers p
WHERE p.persnr = current_setting('demo.person') AND p.pers_id = s.pers_id AND current_setting('demo.number')::integer % 3 = 0
  AND s.gueltig_ab = (SELECT max(gueltig_ab) FROM pers_satz x WHERE x.pers_id = p.pers_id);
UPDATE pers_satz s SET satz = current_setting('demo.rate') FROM pers p
WHERE p.persnr = current_setting('demo.person') AND p.pers_id = s.pers_id AND current_setting('demo.number')::integer % 3 = 1
  AND s.gueltig_ab = (SELECT min(gueltig_ab) FROM pers_satz x WHERE x.pers_id = p.pers_id);
DELETE FROM pers_satz s USING pers p
WHERE p.persnr = current_setting('demo.person') AND p.pers_id = s.pers_id AND current_setting('demo.number')::integer % 3 = 2
  AND s.gueltig_ab > CURRENT_DATE;
