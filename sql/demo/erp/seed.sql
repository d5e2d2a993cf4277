-- Rows the demo's ERP starts with: invented, and the same on every run but for random keys.
-- Staff number i is the person that sql/demo/hr/seed.sql calls 1000 + i.

CREATE FUNCTION pg_temp.geld(betrag numeric) RETURNS varchar LANGUAGE sql AS
    $$ SELECT translate(to_char(betrag, 'FM999,999,990.00'), ',.', '.,') $$;
CREATE FUNCTION pg_temp.pick(list text[], i integer) RETURNS text LANGUAGE sql AS
    $$ SELECT list[1 + (i % array_length(list, 1))] $$;

INSERT INTO mandant VALUES
    (1, 'FKD', 'Falkenried Consulting GmbH', 'EUR', 'DE'),
    (2, 'FKC', 'Falkenried Schweiz AG',      'CHF', 'CH');

INSERT INTO kst VALUES
    ('K001', 1, 'Falkenried Consulting GmbH', NULL,   'G', 'M01001', 'J'),
    ('K010', 1, 'Beratung',                   'K001', 'B', 'M01002', 'J'),
    ('K011', 1, 'Strategie',                  'K010', 'A', 'M01003', 'J'),
    ('K012', 1, 'Prozesse & Controlling',     'K010', 'A', 'M01004', 'J'),
    ('K020', 1, 'Entwicklung',                'K001', 'B', 'M01005', 'J'),
    ('K021', 1, 'Plattform',                  'K020', 'T', 'M01006', 'J'),
    ('K022', 1, 'Schnittstellen',             'K020', 'T', 'M01007', 'J'),
    ('K090', 1, 'Verwaltung',                 'K001', 'A', 'M01008', 'J'),
    ('K099', 1, 'Altbestand',                 'K001', 'A', NULL,     'N'),
    ('K002', 2, 'Falkenried Schweiz AG',      NULL,   'G', 'M01009', 'J'),
    ('K030', 2, 'Beratung Zürich',            'K002', 'A', 'M01010', 'J');

INSERT INTO pers (pers_id, persnr, nachname, vorname, email, kst_nr, vorg_pers_id, eintritt,
                  austritt, art_kz, wochenstd, funktion, zusatz)
SELECT i, 'M0' || (1000 + i),
       pg_temp.pick(ARRAY['Albers','Brandt','Çelik','Dörr','Ekström','Friedl','Grau','Høst','Ivanow',
           'Jansen','Köhler','Łuczak','Möbius','Nowak','O''Brien','Pohl','Quast','Rößler','Sommer',
           'Tanaka','Uhl','Völker','Weiß'], i * 5),
       pg_temp.pick(ARRAY['Anna','Bela','Carla','Dario','Eva','Fynn','Greta','Hannes','Ines','Jonas',
           'Klara','Lars','Mira','Nils','Olga','Paul','Rosa','Sven','Tilda'], i * 3),
       'm0' || (1000 + i) || '@falkenried.example',
       CASE WHEN i <= 10 THEN (ARRAY['K001','K010','K011','K012','K020','K021','K022','K090','K002','K030'])[i]
            ELSE (ARRAY['K011','K012','K021','K022','K030','K090'])[1 + i % 6] END,
       NULL,
       DATE '2015-01-01' + i * 83,
       CASE WHEN i IN (33, 34) THEN DATE '2026-01-31' WHEN i = 35 THEN DATE '2030-12-31' END,
       CASE WHEN i % 11 = 0 THEN 'F' WHEN i % 13 = 0 THEN 'P' ELSE 'A' END,
       CASE WHEN i % 7 = 0 THEN 20 WHEN i % 9 = 0 THEN 38.5 ELSE 40 END,
       pg_temp.pick(ARRAY['Berater','Senior Berater','Entwicklerin','Architekt','Controller'], i),
       CASE WHEN i % 4 = 0 THEN jsonb_build_object('parkplatz', i, 'sprachen', jsonb_build_array('de', 'en')) END
FROM generate_series(1, 40) AS i;
UPDATE pers SET vorg_pers_id = CASE
        WHEN pers_id IN (2, 5, 8, 9) THEN 1
        WHEN pers_id IN (3, 4) THEN 2 WHEN pers_id IN (6, 7) THEN 5 WHEN pers_id = 10 THEN 9
        ELSE (ARRAY[3, 4, 6, 7, 10, 8])[1 + pers_id % 6] END
WHERE pers_id > 1;

INSERT INTO pers_satz
SELECT i, make_date(2024 + j, 1, 1), pg_temp.geld(45 + (i * 7) % 60 + j * 2.5),
       CASE WHEN i IN (9, 10) OR i % 6 = 4 AND i > 10 THEN 'CHF' ELSE 'EUR' END
FROM generate_series(1, 40) AS i, generate_series(0, 2) AS j
WHERE (i + j) % 5 > 0 OR j = 0;

INSERT INTO zahlbed VALUES ('SOF', 0, 'sofort'), ('N14', 14, '14 Tage netto'),
    ('N30', 30, '30 Tage netto'), ('N60', 60, '60 Tage netto');

INSERT INTO kunde (kd_id, kd_nr, name1, name2, ust_id, land, waehr, zahlbed_cd, zahlweg, sperr_kz,
                   geloescht, kd_id_neu, merkmale)
SELECT i, 'K1' || lpad(i::text, 4, '0'),
       pg_temp.pick(ARRAY['Nordlicht Energie','Bäckerei Süßkind','Hafenlogistik','Optik "Klarblick"',
           'Stadtwerke Auental','Zürcher Seebahn','Möbel & Mehr','Quarz\Glas','Rotor Technik',
           'Spedition Öhme','Tiefbau West','Uhrwerk'], i - 1) || ' ' ||
           pg_temp.pick(ARRAY['GmbH','AG','KG'], i),
       CASE WHEN i % 3 = 0 THEN 'Abt. Einkauf' END,
       CASE WHEN i % 6 = 0 THEN 'CHE-' || (100000000 + i * 7919) ELSE 'DE' || (200000000 + i * 104729) END,
       CASE WHEN i % 6 = 0 THEN 'CH' ELSE 'DE' END,
       CASE WHEN i % 6 = 0 THEN 'CHF' ELSE 'EUR' END,
       pg_temp.pick(ARRAY['N30','N14','N60','SOF'], i),
       (CASE WHEN i % 5 = 0 THEN 'LAST' ELSE 'UEBW' END)::zahlweg_t,
       CASE WHEN i = 11 THEN 'S' ELSE ' ' END, i = 12, NULL,
       CASE WHEN i % 2 = 0 THEN ARRAY['A-Kunde', NULL, 'mit, Komma'] END
FROM generate_series(1, 12) AS i;
INSERT INTO kunde (kd_id, kd_nr, name1, waehr, geloescht, kd_id_neu)
VALUES (13, 'K10013', 'Nordlicht Energie (alt)', 'EUR', true, 1);

INSERT INTO vertrag
SELECT 'V-2025-' || lpad(i::text, 4, '0'), 1 + i % 11, 'Rahmenvertrag ' || i,
       pg_temp.pick(ARRAY['AZ','AZ','FP','RT','MS'], i), pg_temp.pick(ARRAY['L','L','L','B'], i),
       DATE '2025-01-01' + i * 9,
       CASE WHEN i % 3 = 0 THEN DATE '2027-12-31' ELSE DATE '9999-12-31' END,
       CASE WHEN i % 5 = 0 THEN NULL ELSE pg_temp.geld(12000.50 * i) END,
       CASE WHEN (1 + i % 11) % 6 = 0 THEN 'CHF' ELSE 'EUR' END,
       CASE WHEN i % 2 = 0 THEN 'PO-' || (4500 + i) END
FROM generate_series(1, 18) AS i;

INSERT INTO prj_status VALUES (7, 'PL', 'geplant', 'N'), (10, 'OF', 'offen', 'N'),
    (15, 'RU', 'ruht', 'N'), (20, 'AB', 'abgeschlossen', 'J'), (99, 'ST', 'storniert', 'J');

INSERT INTO projekt (prj_id, prj_nr, bez, kd_id, vtr_nr, kst_nr, ltr_pers_id, stat_id, beginn, ende,
                     bud_std, bud_betr, waehr, fakt_kz, pflichtenheft, anlage)
SELECT i, 'P25' || lpad(i::text, 3, '0'), 'Vorhaben ' || i || CASE WHEN i = 4 THEN ' 🚀' ELSE '' END,
       CASE WHEN i <= 18 THEN 1 + i % 11 END,
       CASE WHEN i <= 18 THEN 'V-2025-' || lpad(i::text, 4, '0') END,
       pg_temp.pick(ARRAY['K011','K012','K021','K022','K030'], i),
       2 + i % 9, CASE WHEN i % 8 = 0 THEN 15 WHEN i = 20 THEN 20 WHEN i = 19 THEN 7 ELSE 10 END,
       DATE '2025-02-01' + i * 11, CASE WHEN i % 4 = 0 THEN DATE '2027-06-30' ELSE DATE '9999-12-31' END,
       CASE WHEN i % 6 = 0 THEN NULL ELSE 100 * i + 0.5 END,
       CASE WHEN i % 6 = 0 THEN NULL ELSE pg_temp.geld(9500.25 * i) END,
       CASE WHEN (1 + i % 11) % 6 = 0 THEN 'CHF' ELSE 'EUR' END,
       CASE WHEN i <= 18 THEN 'J' ELSE 'N' END,
       (SELECT string_agg(md5(i || '/' || j), ' ') FROM generate_series(1, 120) AS j),
       decode(md5(i::text), 'hex')
FROM generate_series(1, 20) AS i;

INSERT INTO prj_aufg (auf_id, prj_id, bez)
SELECT (i - 1) * 3 + j, i, pg_temp.pick(ARRAY['Analyse','Umsetzung','Projektleitung'], j)
FROM generate_series(1, 20) AS i, generate_series(1, 3) AS j;

INSERT INTO einsatz
SELECT 1 + (i * 3 + j * 7) % 18, i, DATE '2025-03-01' + i, 
       CASE WHEN i % 5 = 0 THEN DATE '2026-12-31' ELSE DATE '9999-12-31' END,
       pg_temp.pick(ARRAY['Beratung','Umsetzung','Leitung'], i + j), 100 + i * 4.25, 10 + (i * 10) % 90,
       pg_temp.geld(110 + (i * 3) % 70), CASE WHEN i % 10 = 0 THEN 'N' ELSE 'J' END, i = 17 AND j = 1
FROM generate_series(1, 32) AS i, generate_series(0, 1) AS j;

INSERT INTO zeit_blatt (zb_id, pers_id, jahr, kw, stat_cd, frei_pers_id, frei_zeit)
SELECT (w - 40) * 32 + i, i, 2025, w,
       CASE WHEN w < 45 THEN 'F' WHEN i % 7 = 0 THEN 'Z' WHEN i % 3 = 0 THEN 'V' ELSE 'E' END,
       CASE WHEN w < 45 THEN 1 + i % 10 END,
       CASE WHEN w < 45 THEN TIMESTAMP '2025-09-29 08:15:00' + (w - 40) * INTERVAL '7 days' + i * INTERVAL '61 seconds' END
FROM generate_series(40, 45) AS w, generate_series(1, 32) AS i;

INSERT INTO zeit_pos (zb_id, pos, tag, prj_id, auf_id, minuten, art_cd, fakt_kz, text, kosten, buch_per, storno, dauer)
SELECT b.zb_id, j, DATE '2025-09-29' + (b.kw - 40) * 7 + (j - 1),
       CASE WHEN j = 5 AND b.pers_id % 4 = 0 THEN NULL ELSE p.prj_id END,
       CASE WHEN j % 2 = 0 THEN (p.prj_id - 1) * 3 + 1 + j % 3 END,
       m.minuten,
       CASE WHEN j = 5 AND b.pers_id % 4 = 0 THEN 'U' WHEN j = 4 AND b.pers_id % 5 = 0 THEN 'R' ELSE 'A' END,
       CASE WHEN j = 5 AND b.pers_id % 4 = 0 THEN 'N' ELSE 'J' END,
       CASE j WHEN 1 THEN 'Workshop, Teil ' || b.kw WHEN 2 THEN E'Zeile 1\nZeile 2\tTab' WHEN 3 THEN NULL
              ELSE 'Umsetzung „Müller“ \ Nachtrag' END,
       round(m.minuten / 60.0 * 61.25, 4),
       CASE WHEN b.kw < 43 THEN '202510' END,
       j = 3 AND b.pers_id = 13, m.minuten * INTERVAL '1 minute'
FROM zeit_blatt b
CROSS JOIN generate_series(1, 5) AS j
CROSS JOIN LATERAL (SELECT 1 + (b.pers_id * 3 + (j % 2) * 7) % 18 AS prj_id) p
CROSS JOIN LATERAL (SELECT 240 + (b.pers_id * 17 + j * 50 + b.kw) % 250 AS minuten) m;

INSERT INTO spesen (sp_id, pers_id, prj_id, bel_dat, kat_cd, betrag, mwst, waehr, erst_kz, fakt_kz,
                    stat, gen_pers_id, gen_zeit, beleg, zweck, geloescht)
SELECT i, 1 + i % 32, CASE WHEN i % 5 = 0 THEN NULL ELSE 1 + i % 18 END, DATE '2025-10-01' + i % 40,
       pg_temp.pick(ARRAY['RK','HO','BW','MA','SO'], i), pg_temp.geld(11.9 * i * i), pg_temp.geld(1.9 * i * i),
       'EUR', 'J', CASE WHEN i % 2 = 0 THEN 'J' ELSE 'N' END,
       CASE i % 4 WHEN 0 THEN 20 WHEN 1 THEN 0 WHEN 2 THEN 10 ELSE 90 END,
       CASE WHEN i % 4 = 0 THEN 2 END, CASE WHEN i % 4 = 0 THEN TIMESTAMP '2025-11-10 17:30:00' + i * INTERVAL '1 hour' END,
       'BEL-' || i, 'Fahrt zum Kunden ' || i, i = 7
FROM generate_series(1, 60) AS i;

INSERT INTO re_kopf (re_id, re_nr, typ, kd_id, bezug, stat_cd, re_dat, faellig, waehr)
SELECT i, CASE WHEN i <= 9 THEN 'R25-' || lpad(i::text, 5, '0') END, CASE WHEN i = 9 THEN 'GU' ELSE 'RE' END,
       1 + i % 11, CASE WHEN i % 3 = 0 THEN 'vertrag,V-2025-' || lpad(i::text, 4, '0') ELSE 'projekt,' || i END,
       CASE WHEN i <= 8 THEN 'B' WHEN i = 9 THEN 'B' WHEN i = 10 THEN 'P' WHEN i = 11 THEN 'S' ELSE 'E' END,
       CASE WHEN i <= 9 THEN DATE '2025-11-03' + i END, CASE WHEN i <= 9 THEN DATE '2025-12-03' + i END,
       CASE WHEN (1 + i % 11) % 6 = 0 THEN 'CHF' ELSE 'EUR' END
FROM generate_series(1, 12) AS i;

INSERT INTO re_pos (re_id, pos, art_cd, text, prj_id, zb_id, zpos, menge, preis, netto, mwst_satz)
SELECT i, j, 'Z', 'Leistung ' || p.tag, p.prj_id, p.zb_id, p.pos, round(p.minuten / 60.0, 4), 135,
       round(round(p.minuten / 60.0, 4) * 135, 2), 19
FROM generate_series(1, 9) AS i, generate_series(1, 4) AS j
JOIN LATERAL (SELECT * FROM zeit_pos z WHERE z.zb_id = (i - 1) * 3 + 1 AND z.pos = j) p ON true;
INSERT INTO re_pos (re_id, pos, art_cd, text, menge, preis, netto, mwst_satz)
SELECT i, 9, 'X', 'Pauschale', 1, 250, 250, CASE WHEN i % 2 = 0 THEN 19 ELSE 0 END
FROM generate_series(1, 12) AS i;
UPDATE zeit_pos z SET re_id = l.re_id FROM re_pos l WHERE l.zb_id = z.zb_id AND l.zpos = z.pos;

INSERT INTO zahlung (zl_id, re_id, dat, betrag, weg)
SELECT k.re_id, k.re_id, DATE '2025-11-20' + k.re_id,
       CASE WHEN k.re_id <= 4 THEN s.brutto ELSE round(s.brutto / 2, 2) END, 'UEBW'
FROM re_kopf k
JOIN LATERAL (SELECT sum(netto + round(netto * mwst_satz / 100, 2)) AS brutto FROM re_pos l WHERE l.re_id = k.re_id) s ON true
WHERE k.re_id <= 7;

-- Identities go on after the rows given here.
SELECT setval(pg_get_serial_sequence(t, c), n) FROM (VALUES
    ('pers', 'pers_id', 1000), ('kunde', 'kd_id', 1000), ('projekt', 'prj_id', 1000), ('prj_aufg', 'auf_id', 1000),
    ('zeit_blatt', 'zb_id', 1000), ('spesen', 'sp_id', 1000), ('re_kopf', 're_id', 1000), ('zahlung', 'zl_id', 1000)) AS s (t, c, n);
