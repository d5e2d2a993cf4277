-- Wide text and bytes only: nothing that any other system knows.
UPDATE projekt SET pflichtenheft = (SELECT string_agg(md5(current_setting('demo.roll') || j), ' ') FROM generate_series(1, 130) AS j),
    anlage = decode(md5(current_setting('demo.roll')), 'hex')
WHERE prj_id = (SELECT prj_id FROM projekt ORDER BY md5(prj_id || current_setting('demo.roll')) LIMIT 1);
