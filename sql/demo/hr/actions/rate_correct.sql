-- Pay is mended in place, or the newest slice is deleted and the one before it opened again.
UPDATE pa_bezug SET betrag = @money WHERE pernr = @person AND bis = '9999-12-31' AND @number % 2 = 0;
DELETE FROM pa_bezug WHERE pernr = @person AND bis = '9999-12-31' AND beg > CURRENT_DATE AND @number % 2 = 1;
UPDATE pa_bezug b JOIN (SELECT pernr, MAX(beg) AS beg FROM pa_bezug GROUP BY pernr) n ON n.pernr = b.pernr AND n.beg = b.beg
SET b.bis = '9999-12-31' WHERE b.pernr = @person;
