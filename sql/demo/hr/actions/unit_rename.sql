-- A unit is renamed from today: a new slice, or the one that began today is changed.
UPDATE org_einh SET bis = CURRENT_DATE - INTERVAL 1 DAY WHERE kurz = @unit AND bis = '9999-12-31' AND beg < CURRENT_DATE;
INSERT INTO org_einh (orgeh, beg, bis, kurz, bez, typ_id, ober_orgeh, ltr_pernr)
SELECT orgeh, CURRENT_DATE, '9999-12-31', kurz, CONCAT(SUBSTRING_INDEX(bez, ' ', 1), ' ', @number), typ_id, ober_orgeh, ltr_pernr
FROM org_einh WHERE kurz = @unit AND bis IN (CURRENT_DATE - INTERVAL 1 DAY, '9999-12-31') ORDER BY beg DESC LIMIT 1
ON DUPLICATE KEY UPDATE bez = VALUES(bez);
