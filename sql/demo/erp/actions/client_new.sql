-- A new client with a first contract, still a draft.
INSERT INTO kunde (kd_nr, name1, ust_id, land, waehr, zahlbed_cd)
VALUES ('K' || current_setting('demo.serial'), current_setting('demo.family') || ' & Partner', NULL, 'DE', 'EUR', 'N30');
INSERT INTO vertrag (vtr_nr, kd_id, titel, art_cd, stat_cd, beginn, wert, waehr)
SELECT 'V-' || current_setting('demo.serial'), kd_id, 'Rahmenvertrag', 'AZ', 'E', CURRENT_DATE, current_setting('demo.money'), waehr
FROM kunde WHERE kd_nr = 'K' || current_setting('demo.serial');
