-- A new person: master data, action, place, pay and an address, in one transaction.
INSERT INTO pa_stamm (pernr, anrede, nachname, vorname, buchkr, bem)
VALUES (@staff, 'keine', @family, @given, IF(@unit = 'K030', 'FKC', 'FKD'), @note);
INSERT INTO pa_massn (pernr, beg, massn_cd) VALUES (@staff, CURRENT_DATE + INTERVAL (@days - 20) DAY, '01');
INSERT INTO pa_org (pernr, beg, orgeh, stelle_id, art_cd, std_woche, kostenst, fuehr_pernr)
SELECT @staff, CURRENT_DATE + INTERVAL (@days - 20) DAY, orgeh, 1 + @number % 4, 'AN', 40, kurz, ltr_pernr
FROM org_einh WHERE kurz = @unit AND bis = '9999-12-31' LIMIT 1;
INSERT INTO pa_bezug (pernr, beg, betrag, waers) VALUES (@staff, CURRENT_DATE + INTERVAL (@days - 20) DAY, '0,00', 'EUR');
INSERT INTO pa_komm (pernr, art, wert) VALUES (@staff, 'EMAIL', CONCAT('M0', @staff, '@Falkenried.example'));
UPDATE pa_bezug SET betrag = @money WHERE pernr = @staff;
