-- A new person under the head of a unit, with a first rate that is written as zero and mended in
-- the same transaction, as the old dialogue does.
INSERT INTO pers (persnr, nachname, vorname, email, kst_nr, vorg_pers_id, eintritt, art_kz, wochenstd, funktion)
SELECT current_setting('demo.staff_no'), current_setting('demo.family'), current_setting('demo.given'),
       lower(current_setting('demo.staff_no')) || '@falkenried.example', k.kst_nr, h.pers_id,
       CURRENT_DATE + current_setting('demo.days')::integer - 20, 'A', 40, 'Berater'
FROM kst k LEFT JOIN pers h ON h.persnr = k.ltr_persnr
WHERE k.kst_nr = current_setting('demo.unit');
INSERT INTO pers_satz
SELECT pers_id, eintritt, '0,00', 'EUR' FROM pers WHERE persnr = current_setting('demo.staff_no');
UPDATE pers_satz SET satz = current_setting('demo.rate')
WHERE pers_id = (SELECT pers_id FROM pers WHERE persnr = current_setting('demo.staff_no'));
