-- Staffing is deleted softly, or taken back.
UPDATE einsatz SET geloescht = NOT geloescht
WHERE (prj_id, pers_id, von) = (SELECT prj_id, pers_id, von FROM einsatz
    ORDER BY md5(pers_id || '/' || prj_id || current_setting('demo.roll')) LIMIT 1);
