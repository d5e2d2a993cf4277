-- Pay from a coming day on: the slice that holds is closed the day before.
UPDATE pa_bezug SET bis = CURRENT_DATE + INTERVAL (@days - 1) DAY
WHERE pernr = @person AND bis = '9999-12-31' AND beg < CURRENT_DATE + INTERVAL @days DAY;
INSERT INTO pa_bezug (pernr, beg, betrag, waers, turnus, std_monat)
SELECT pernr, bis + INTERVAL 1 DAY, @money, waers, 'M', 160 FROM pa_bezug
WHERE pernr = @person AND bis = CURRENT_DATE + INTERVAL (@days - 1) DAY
ON DUPLICATE KEY UPDATE betrag = @money;
