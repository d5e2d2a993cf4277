-- A project moves to another client, and so out of its contract.
UPDATE projekt p SET kd_id = k.kd_id, waehr = k.waehr,
    vtr_nr = (SELECT min(vtr_nr) FROM vertrag v WHERE v.kd_id = k.kd_id)
FROM (SELECT * FROM kunde WHERE NOT geloescht ORDER BY md5(kd_id || current_setting('demo.roll')) LIMIT 1) k
WHERE p.prj_id = (SELECT prj_id FROM projekt WHERE kd_id IS NOT NULL ORDER BY md5(prj_id || current_setting('demo.roll')) LIMIT 1);
