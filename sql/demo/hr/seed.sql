-- Rows the demo's HR starts with: invented. Person 1000 + i is the ERP's staff number i.

INSERT INTO t_massn VALUES ('01', 'Einstellung', '3'), ('05', 'Ruhend (Elternzeit)', '1'),
    ('06', 'Wiederaufnahme', '3'), ('10', 'Austritt', '0'), ('12', 'Wiedereintritt', '3');
INSERT INTO t_emplart VALUES ('AN', 'Angestellt', 0), ('FM', 'Freie Mitarbeit', 1), ('PR', 'Praktikum', 2);
INSERT INTO t_orgtyp VALUES (1, 'GES', 'Gesellschaft'), (2, 'BER', 'Bereich'), (3, 'ABT', 'Abteilung'), (200, 'TEA', 'Team');
INSERT INTO t_stelle VALUES (1, 'Berater', 'Consultant'), (2, 'Senior Berater', 'Senior Consultant'),
    (3, 'Entwicklerin', 'Developer'), (4, 'Architekt', 'Architect'), (4000000001, 'Controller für Österreich', NULL);

INSERT INTO org_einh (orgeh, beg, kurz, bez, typ_id, ober_orgeh, ltr_pernr) VALUES
    (50000001, '2015-01-01', 'K001', 'Falkenried Consulting GmbH', 1,   NULL,     1001),
    (50000010, '2015-01-01', 'K010', 'Beratung',                   2,   50000001, 1002),
    (50000011, '2015-01-01', 'K011', 'Strategie',                  3,   50000010, 1003),
    (50000012, '2015-01-01', 'K012', 'Prozesse & Controlling',     3,   50000010, 1004),
    (50000020, '2015-01-01', 'K020', 'Entwicklung',                2,   50000001, 1005),
    (50000021, '2015-01-01', 'K021', 'Plattform',                  200, 50000020, 1006),
    (50000022, '2015-01-01', 'K022', 'Schnittstellen',             200, 50000020, 1007),
    (50000090, '2015-01-01', 'K090', 'Verwaltung',                 3,   50000001, 1008),
    (50000002, '2015-01-01', 'K002', 'Falkenried Schweiz AG',      1,   NULL,     1009),
    (50000030, '2015-01-01', 'K030', 'Beratung Zürich',            3,   50000002, 1010);
INSERT INTO org_einh VALUES
    (50000099, '2015-01-01', '2024-12-31', 'K099', 'Altbestand', 3, 50000001, NULL);
UPDATE org_einh SET bis = '2025-06-30' WHERE orgeh = 50000012;
INSERT INTO org_einh VALUES
    (50000012, '2025-07-01', '9999-12-31', 'K012', 'Prozesse & Finanzen', 3, 50000010, 1004);

INSERT INTO pa_stamm (pernr, anrede, nachname, vorname, rufname, gebdat, buchkr, bild, bem)
SELECT 1000 + seq, ELT(1 + seq % 3, 'Frau', 'Herr', 'keine'),
       ELT(1 + (seq * 5) % 23, 'Albers','Brandt','Çelik','Dörr','Ekström','Friedl','Grau','Høst','Ivanow',
           'Jansen','Köhler','Łuczak','Möbius','Nowak','O''Brien','Pohl','Quast','Rößler','Sommer',
           'Tanaka','Uhl','Völker','Weiß'),
       ELT(1 + (seq * 3) % 19, 'Anna','Bela','Carla','Dario','Eva','Fynn','Greta','Hannes','Ines','Jonas',
           'Klara','Lars','Mira','Nils','Olga','Paul','Rosa','Sven','Tilda'),
       IF(seq % 5 = 0, 'Kürzel', NULL), '1970-01-01' + INTERVAL seq * 211 DAY,
       IF(seq IN (9, 10) OR (seq > 10 AND seq % 6 = 4), 'FKC', 'FKD'),
       IF(seq % 8 = 0, UNHEX(MD5(seq)), NULL), IF(seq % 6 = 0, 'Umzug geplant 🏠', NULL)
FROM seq_1_to_40;

INSERT INTO pa_massn (pernr, beg, massn_cd)
SELECT 1000 + seq, '2015-01-01' + INTERVAL seq * 83 DAY, '01' FROM seq_1_to_40;
UPDATE pa_massn SET bis = '2026-01-31' WHERE pernr IN (1033, 1034);
INSERT INTO pa_massn (pernr, beg, massn_cd) VALUES (1033, '2026-02-01', '10'), (1034, '2026-02-01', '10');
UPDATE pa_massn SET bis = '2030-12-31' WHERE pernr = 1035;
INSERT INTO pa_massn (pernr, beg, massn_cd) VALUES (1035, '2031-01-01', '10');
UPDATE pa_massn SET bis = '2026-04-30' WHERE pernr = 1036;
INSERT INTO pa_massn (pernr, beg, massn_cd) VALUES (1036, '2026-05-01', '05');

INSERT INTO pa_org (pernr, beg, orgeh, stelle_id, art_cd, std_woche, kostenst, fuehr_pernr)
SELECT 1000 + seq, '2015-01-01' + INTERVAL seq * 83 DAY,
       IF(seq <= 10, ELT(seq, 50000001,50000010,50000011,50000012,50000020,50000021,50000022,50000090,50000002,50000030),
          ELT(1 + seq % 6, 50000011,50000012,50000021,50000022,50000030,50000090)),
       IF(seq % 12 = 0, 4000000001, 1 + seq % 4), IF(seq % 11 = 0, 'FM', IF(seq % 13 = 0, 'PR', 'AN')),
       IF(seq % 7 = 0, 20, IF(seq % 9 = 0, 38.5, 40)),
       IF(seq <= 10, ELT(seq, 'K001','K010','K011','K012','K020','K021','K022','K090','K002','K030'),
          ELT(1 + seq % 6, 'K011','K012','K021','K022','K030','K090')),
       CASE WHEN seq = 1 THEN NULL WHEN seq IN (2, 5, 8, 9) THEN 1001 WHEN seq IN (3, 4) THEN 1002
            WHEN seq IN (6, 7) THEN 1005 WHEN seq = 10 THEN 1009
            ELSE ELT(1 + seq % 6, 1003, 1004, 1006, 1007, 1010, 1008) END
FROM seq_1_to_40 ORDER BY seq;
UPDATE pa_org SET bis = '2025-12-31' WHERE pernr IN (1015, 1021);
INSERT INTO pa_org VALUES (1015, '2026-01-01', '9999-12-31', 50000021, 3, 'AN', 32, 'K021', 1006),
    (1021, '2026-01-01', '9999-12-31', 50000030, 4, 'AN', 40, 'K030', 1010);

INSERT INTO pa_bezug (pernr, beg, betrag, waers, turnus, std_monat)
SELECT 1000 + seq, '2024-01-01',
       CASE WHEN seq % 11 = 0 THEN CONCAT(60 + seq % 20, ',5')
            WHEN seq % 10 = 0 THEN FORMAT(52000.5 + seq * 100, 2, 'de_DE')
            ELSE FORMAT(3900 + seq * 87.5, 2, 'de_DE') END,
       IF(seq IN (9, 10) OR (seq > 10 AND seq % 6 = 4), 'CHF', 'EUR'),
       IF(seq % 11 = 0, 'S', IF(seq % 10 = 0, 'J', 'M')), IF(seq % 7 = 0, 80, 160)
FROM seq_1_to_40;
UPDATE pa_bezug SET bis = '2025-12-31' WHERE pernr % 2 = 0 AND turnus = 'M';
INSERT INTO pa_bezug (pernr, beg, betrag, waers, turnus, std_monat)
SELECT 1000 + seq, '2026-01-01', FORMAT(4100 + seq * 87.5, 2, 'de_DE'),
       IF(seq IN (9, 10) OR (seq > 10 AND seq % 6 = 4), 'CHF', 'EUR'), 'M', IF(seq % 7 = 0, 80, 160)
FROM seq_1_to_40 WHERE seq % 2 = 0 AND seq % 11 > 0 AND seq % 10 > 0;

INSERT INTO pa_komm (pernr, art, lfd, wert)
SELECT 1000 + seq, 'EMAIL', 1, CONCAT('M0', 1000 + seq, '@Falkenried.example') FROM seq_1_to_40;
INSERT INTO pa_komm (pernr, art, lfd, wert)
SELECT 1000 + seq, 'TEL', 1, CONCAT('+49 40 555 ', 100 + seq) FROM seq_1_to_40 WHERE seq % 3 = 0;
