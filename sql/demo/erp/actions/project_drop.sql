-- A project nobody used is deleted, with its tasks.
DELETE FROM projekt WHERE prj_id = (SELECT prj_id FROM projekt p
    WHERE NOT EXISTS (SELECT FROM zeit_pos z WHERE z.prj_id = p.prj_id) AND NOT EXISTS (SELECT FROM einsatz e WHERE e.prj_id = p.prj_id)
      AND NOT EXISTS (SELECT FROM spesen s WHERE s.prj_id = p.prj_id) AND NOT EXISTS (SELECT FROM re_pos l WHERE l.prj_id = p.prj_id)
      AND NOT EXISTS (SELECT FROM re_kopf h WHERE h.bezug = 'projekt,' || p.prj_id)
    ORDER BY md5(prj_id || current_setting('demo.roll')) LIMIT 1);
