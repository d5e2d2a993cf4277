-- Somebody who never came: gone for good, if nothing refers to them.
DELETE FROM pers WHERE persnr = current_setting('demo.person') AND pers_id > 40
    AND NOT EXISTS (SELECT FROM zeit_blatt z WHERE z.pers_id = pers.pers_id)
    AND NOT EXISTS (SELECT FROM einsatz e WHERE e.pers_id = pers.pers_id)
    AND NOT EXISTS (SELECT FROM spesen s WHERE s.pers_id = pers.pers_id);
