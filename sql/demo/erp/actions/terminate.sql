-- A last day is set, some days away; staffing ends with it.
UPDATE pers SET austritt = CURRENT_DATE + current_setting('demo.days')::integer
WHERE persnr = current_setting('demo.person') AND pers_id > 10 AND austritt IS NULL;
UPDATE einsatz e SET bis = greatest(e.von, p.austritt) FROM pers p
WHERE p.persnr = current_setting('demo.person') AND p.pers_id = e.pers_id AND p.austritt IS NOT NULL AND e.bis > p.austritt;
