-- Changes that no other system needs to hear of.
UPDATE kunde SET name1 = name1, merkmale = ARRAY['A-Kunde', NULL, current_setting('demo.note')]
WHERE kd_id = 1 + current_setting('demo.number')::integer % 12;
UPDATE pers SET zusatz = jsonb_build_object('notiz', current_setting('demo.note'), 'n', current_setting('demo.number')::integer)
WHERE persnr = current_setting('demo.person');
