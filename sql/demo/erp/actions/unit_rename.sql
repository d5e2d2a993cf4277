-- A cost centre is renamed.
UPDATE kst SET bez = split_part(bez, ' ', 1) || ' ' || current_setting('demo.number') WHERE kst_nr = current_setting('demo.unit');
