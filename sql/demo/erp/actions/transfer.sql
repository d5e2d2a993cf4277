-- A person moves to another cost centre and its head.
UPDATE pers p SET kst_nr = k.kst_nr, vorg_pers_id = h.pers_id
FROM kst k LEFT JOIN pers h ON h.persnr = k.ltr_persnr
WHERE k.kst_nr = current_setting('demo.unit') AND p.persnr = current_setting('demo.person') AND p.pers_id > 10;
