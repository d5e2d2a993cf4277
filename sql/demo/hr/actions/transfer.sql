-- A person moves to another unit today: the slice that holds is closed, a new one begins.
UPDATE pa_org SET bis = CURRENT_DATE - INTERVAL 1 DAY
WHERE pernr = @person AND pernr > 1010 AND bis = '9999-12-31' AND beg < CURRENT_DATE;
INSERT INTO pa_org (pernr, beg, orgeh, stelle_id, art_cd, std_woche, kostenst, fuehr_pernr)
SELECT s.pernr, CURRENT_DATE, u.orgeh, 1 + @number % 4, 'AN', 40, u.kurz, u.ltr_pernr
FROM pa_stamm s JOIN org_einh u ON u.kurz = @unit AND u.bis = '9999-12-31'
WHERE s.pernr = @person AND s.pernr > 1010
  AND NOT EXISTS (SELECT 1 FROM pa_org x WHERE x.pernr = s.pernr AND x.bis = '9999-12-31')
ON DUPLICATE KEY UPDATE orgeh = VALUES(orgeh), kostenst = VALUES(kostenst), fuehr_pernr = VALUES(fuehr_pernr), bis = '9999-12-31';
