-- A person leaves some days from now: the day after the last one is known today.
UPDATE pa_massn SET bis = CURRENT_DATE + INTERVAL @days DAY
WHERE pernr = @person AND pernr > 1010 AND bis = '9999-12-31' AND massn_cd IN ('01', '06', '12') AND beg <= CURRENT_DATE;
INSERT IGNORE INTO pa_massn (pernr, beg, massn_cd)
SELECT pernr, bis + INTERVAL 1 DAY, '10' FROM pa_massn
WHERE pernr = @person AND pernr > 1010 AND bis = CURRENT_DATE + INTERVAL @days DAY;
