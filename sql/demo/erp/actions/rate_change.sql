-- A rate from a coming day on.
INSERT INTO pers_satz
SELECT pers_id, CURRENT_DATE + current_setting('demo.days')::integer, current_setting('demo.rate'), 'EUR'
FROM pers WHERE persnr = current_setting('demo.person')
ON CONFLICT (pers_id, gueltig_ab) DO UPDATE SET satz = excluded.satz;
