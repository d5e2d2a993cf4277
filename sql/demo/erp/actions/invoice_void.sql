-- A posted invoice without payments is void; its time can be billed again.
UPDATE re_kopf SET stat_cd = 'S' WHERE re_id = (SELECT re_id FROM re_kopf h WHERE stat_cd = 'B'
    AND NOT EXISTS (SELECT FROM zahlung z WHERE z.re_id = h.re_id) ORDER BY md5(re_id || current_setting('demo.roll')) LIMIT 1);
UPDATE zeit_pos z SET re_id = NULL FROM re_kopf h WHERE h.re_id = z.re_id AND h.stat_cd = 'S';
