-- Values that PostgreSQL and the store print in different ways, or that are easily bent.
CREATE TYPE colour AS ENUM ('red', 'green');
CREATE DOMAIN flag AS boolean;
CREATE TABLE every_type (
    id integer PRIMARY KEY, b boolean, d flag, s smallint, l bigint, n numeric(12,2), u numeric,
    f4 real, f8 double precision, t text, c char(5), y bytea, day date, at time, z timestamp,
    zz timestamptz, iv interval, g uuid, j json, jb jsonb, a text[], e colour,
    twice integer GENERATED ALWAYS AS (id * 2) STORED
);
INSERT INTO every_type VALUES
    (1, true, false, -32768, 9223372036854775807, 12.50, 1e30, 0.1, 1e20, '', 'ab', '\x00ff',
     '2026-02-28', '24:00:00', '2026-01-01 10:00:00.5', '2026-01-01 10:00:00.123456+02',
     '1 year 2 mons -3 days +04:05:06.000007', '00000000-0000-0000-0000-0000000000ff',
     '{"a" :  1}', '{"b": [1, 2]}', ARRAY['x', NULL, 'y,z'], 'red'),
    (2, false, true, 0, -1, -0.01, 'NaN', 3.4028235e38, 5e-324, E'line\nbreak\t"', ' x', '',
     '0001-01-01', '00:00:00.000001', '9999-12-31 23:59:59.999999', '1969-12-31 23:59:59.9+00',
     '-30:00:00', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'null', '"ä"', '{}', 'green'),
    (3, true, true, 1, 1, 0.00, 0.10, '-Infinity', 'NaN', '漢字 🚀', '     ', '\x', 'infinity',
     '12:30', '-infinity', 'infinity', '0', NULL, '[]', '{}', ARRAY['a'], 'red');
INSERT INTO every_type (id) VALUES (4);
-- Keys that sort differently by language and by byte.
CREATE TABLE text_key (word text, no integer, note text, PRIMARY KEY (word, no));
INSERT INTO text_key VALUES ('a', 2, 'x'), ('a', 10, NULL), ('B', 1, 'y'), ('ä', 1, 'z'), ('Ω', 1, '');
