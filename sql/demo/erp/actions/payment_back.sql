-- A payment is returned by the bank.
DELETE FROM zahlung WHERE zl_id = (SELECT zl_id FROM zahlung ORDER BY md5(zl_id || current_setting('demo.roll')) LIMIT 1);
