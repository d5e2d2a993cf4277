-- Two clients become one: everything of the younger moves, in one statement.
WITH paar AS (
    SELECT (SELECT kd_id FROM kunde WHERE kd_id > 1000 AND NOT geloescht ORDER BY md5(kd_id || current_setting('demo.roll')) LIMIT 1) AS alt,
           1 + current_setting('demo.number')::integer % 10 AS neu
), projekte AS (UPDATE projekt SET kd_id = z.neu FROM paar z WHERE kd_id = z.alt),
vertraege AS (UPDATE vertrag SET kd_id = z.neu FROM paar z WHERE kd_id = z.alt),
rechnungen AS (UPDATE re_kopf SET kd_id = z.neu FROM paar z WHERE kd_id = z.alt)
UPDATE kunde SET geloescht = true, kd_id_neu = z.neu FROM paar z WHERE kd_id = z.alt;
