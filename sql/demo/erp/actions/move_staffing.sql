-- Staffing starts a day later: its key changes.
UPDATE einsatz SET von = von + 1
WHERE (prj_id, pers_id, von) = (SELECT prj_id, pers_id, von FROM einsatz WHERE bis > von
    ORDER BY md5(prj_id || '/' || pers_id || current_setting('demo.roll')) LIMIT 1);
