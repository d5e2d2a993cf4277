-- Another of the ten heads becomes the superior.
UPDATE pa_org SET fuehr_pernr = 1001 + @number % 10 WHERE pernr = @person AND pernr > 1010 AND bis = '9999-12-31';
