-- Leave from today, or back from it.
UPDATE pa_massn SET massn_cd = IF(massn_cd = '05', '06', '05')
WHERE pernr = @person AND pernr > 1010 AND bis = '9999-12-31' AND massn_cd IN ('01', '05', '06') AND beg <= CURRENT_DATE
  AND pernr % 3 = 0;
