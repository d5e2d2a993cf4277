-- The demo's legacy HR, MariaDB. Everything has a first and a last day (9999-12-31 = open), the
-- staff number is a bare number, pay is text, contact data is attribute-value rows, three
-- character sets live in one database, and children vanish with their person without a trace in
-- the log (ON DELETE CASCADE).

CREATE TABLE t_massn (                             -- kinds of personnel action
    massn_cd  CHAR(2) CHARACTER SET latin1 NOT NULL PRIMARY KEY,
    bez       VARCHAR(60) NOT NULL,
    stat_neu  CHAR(1) NOT NULL                     -- 3 = active, 1 = dormant, 0 = gone
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE t_emplart (                           -- kinds of employment
    art_cd    CHAR(2) CHARACTER SET latin1 NOT NULL PRIMARY KEY,
    bez       VARCHAR(60) NOT NULL,
    extern_kz TINYINT(1) NOT NULL DEFAULT 0        -- 0 employed, 1 external, 2 in training: no boolean
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE t_orgtyp (
    typ_id    TINYINT UNSIGNED NOT NULL PRIMARY KEY,
    kurz      CHAR(3) CHARACTER SET latin1 NOT NULL UNIQUE,
    bez       VARCHAR(60) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE t_stelle (                            -- jobs
    stelle_id INT UNSIGNED NOT NULL PRIMARY KEY,
    bez_de    VARCHAR(80) CHARACTER SET latin1 NOT NULL,
    bez_en    VARCHAR(80) CHARACTER SET utf8mb3 NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE org_einh (                            -- units, in time slices
    orgeh     INT UNSIGNED NOT NULL,
    beg       DATE NOT NULL,
    bis       DATE NOT NULL DEFAULT '9999-12-31',
    kurz      VARCHAR(10) CHARACTER SET latin1 NOT NULL,   -- the ERP's cost centre
    bez       VARCHAR(80) NOT NULL,
    typ_id    TINYINT UNSIGNED NOT NULL,
    ober_orgeh INT UNSIGNED NULL,
    ltr_pernr INT UNSIGNED NULL,
    PRIMARY KEY (orgeh, beg),
    CONSTRAINT org_typ FOREIGN KEY (typ_id) REFERENCES t_orgtyp (typ_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE pa_stamm (                            -- a person
    pernr     INT UNSIGNED NOT NULL PRIMARY KEY,
    anrede    ENUM('Frau','Herr','keine') NULL,
    nachname  VARCHAR(60) NOT NULL,
    vorname   VARCHAR(60) NULL,
    rufname   VARCHAR(40) CHARACTER SET utf8mb3 NULL,
    gebdat    DATE NULL,
    buchkr    CHAR(4) CHARACTER SET latin1 NOT NULL,
    bild      MEDIUMBLOB NULL,
    bem       LONGTEXT NULL,
    geaend    TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE pa_massn (                            -- personnel actions: the status from a day on
    pernr     INT UNSIGNED NOT NULL,
    beg       DATE NOT NULL,
    bis       DATE NOT NULL DEFAULT '9999-12-31',
    massn_cd  CHAR(2) CHARACTER SET latin1 NOT NULL,
    PRIMARY KEY (pernr, beg),
    CONSTRAINT massn_pers FOREIGN KEY (pernr) REFERENCES pa_stamm (pernr) ON DELETE CASCADE,
    CONSTRAINT massn_art FOREIGN KEY (massn_cd) REFERENCES t_massn (massn_cd)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE pa_org (                              -- where a person belongs, from a day on
    pernr     INT UNSIGNED NOT NULL,
    beg       DATE NOT NULL,
    bis       DATE NOT NULL DEFAULT '9999-12-31',
    orgeh     INT UNSIGNED NOT NULL,
    stelle_id INT UNSIGNED NULL,
    art_cd    CHAR(2) CHARACTER SET latin1 NOT NULL,
    std_woche DECIMAL(4,1) NULL,
    kostenst  VARCHAR(10) CHARACTER SET latin1 NULL,
    fuehr_pernr INT UNSIGNED NULL,                 -- supervisor
    PRIMARY KEY (pernr, beg),
    CONSTRAINT org_pers FOREIGN KEY (pernr) REFERENCES pa_stamm (pernr) ON DELETE CASCADE,
    CONSTRAINT org_fuehr FOREIGN KEY (fuehr_pernr) REFERENCES pa_stamm (pernr) ON DELETE SET NULL,
    CONSTRAINT org_stelle FOREIGN KEY (stelle_id) REFERENCES t_stelle (stelle_id),
    CONSTRAINT org_art FOREIGN KEY (art_cd) REFERENCES t_emplart (art_cd)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE pa_bezug (                            -- pay, from a day on
    pernr     INT UNSIGNED NOT NULL,
    beg       DATE NOT NULL,
    bis       DATE NOT NULL DEFAULT '9999-12-31',
    betrag    VARCHAR(16) CHARACTER SET latin1 NOT NULL,   -- '4.850,00'
    waers     CHAR(3) CHARACTER SET latin1 NOT NULL,
    turnus    CHAR(1) CHARACTER SET latin1 NOT NULL DEFAULT 'M',   -- M month, J year, S hour
    std_monat DECIMAL(5,2) NOT NULL DEFAULT 160.00,        -- hours a month it stands for
    PRIMARY KEY (pernr, beg),
    CONSTRAINT bezug_pers FOREIGN KEY (pernr) REFERENCES pa_stamm (pernr) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE pa_komm (                             -- contact data, attribute and value
    pernr     INT UNSIGNED NOT NULL,
    art       VARCHAR(8) CHARACTER SET latin1 NOT NULL,    -- EMAIL, TEL, MOBIL
    lfd       SMALLINT UNSIGNED NOT NULL DEFAULT 1,
    wert      VARCHAR(120) NOT NULL,
    PRIMARY KEY (pernr, art, lfd),
    CONSTRAINT komm_pers FOREIGN KEY (pernr) REFERENCES pa_stamm (pernr) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
