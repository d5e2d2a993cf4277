-- A contract changes: value, state, end.
UPDATE vertrag SET wert = current_setting('demo.money'),
    stat_cd = (ARRAY['E', 'L', 'L', 'B'])[1 + current_setting('demo.number')::integer % 4],
    ende = CASE WHEN current_setting('demo.number')::integer % 3 = 0 THEN CURRENT_DATE + 365 ELSE DATE '9999-12-31' END
WHERE vtr_nr = (SELECT vtr_nr FROM vertrag ORDER BY md5(vtr_nr || current_setting('demo.roll')) LIMIT 1);
