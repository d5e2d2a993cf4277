-- Sales gives a contract a new number: its key changes, and all that refers to it follows.
WITH eins AS (SELECT vtr_nr AS alt FROM vertrag ORDER BY md5(vtr_nr || current_setting('demo.roll')) LIMIT 1),
bezuege AS (UPDATE re_kopf SET bezug = 'vertrag,V-' || current_setting('demo.serial') FROM eins WHERE bezug = 'vertrag,' || eins.alt)
UPDATE vertrag SET vtr_nr = 'V-' || current_setting('demo.serial') FROM eins WHERE vtr_nr = eins.alt;
