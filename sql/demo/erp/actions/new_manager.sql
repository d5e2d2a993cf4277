-- Another of the ten heads becomes the superior.
UPDATE pers SET vorg_pers_id = 1 + current_setting('demo.number')::integer % 10
WHERE persnr = current_setting('demo.person') AND pers_id > 10;
