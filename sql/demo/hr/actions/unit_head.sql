-- A unit gets another head.
UPDATE org_einh SET ltr_pernr = 1001 + @number % 10 WHERE kurz = @unit AND bis = '9999-12-31';
