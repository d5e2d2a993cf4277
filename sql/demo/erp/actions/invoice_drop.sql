-- A draft is deleted with its lines; its time can be billed again.
DELETE FROM re_kopf WHERE re_id = (SELECT re_id FROM re_kopf WHERE stat_cd = 'E' ORDER BY md5(re_id || current_setting('demo.roll')) LIMIT 1);
