-- entity: invoice
-- version: 1
-- unit: re_id
-- driver: h
-- watch: h = re_kopf.re_id, k = kunde.kd_id, p = projekt.prj_id, v = vertrag.vtr_nr
-- affects l: SELECT re_id FROM delta
-- affects z: SELECT re_id FROM delta
-- Amounts are the sums of lines and payments. `bezug` refers to a project or a contract by its
-- prefix. The legal number is NULL until posting, so the key is the document's own id.
SELECT
    'D' || h.re_id AS document_no,
    h.re_nr AS invoice_no,
    CASE h.typ WHEN 'GU' THEN 'credit_note' ELSE 'invoice' END AS kind,
    k.kd_nr AS client_no,
    coalesce(v.vtr_nr, p.vtr_nr) AS contract_no,
    p.prj_nr AS project_code,
    h.re_dat AS issued_on,
    h.faellig AS due_on,
    h.waehr AS currency,
    coalesce(t.netto, 0) AS net_amount,
    coalesce(t.mwst, 0) AS tax_amount,
    coalesce(t.netto + t.mwst, 0) AS gross_amount,
    coalesce(y.betrag, 0) AS paid_amount,
    CASE h.stat_cd WHEN 'E' THEN 'draft' WHEN 'P' THEN 'validated' WHEN 'S' THEN 'void'
         ELSE CASE WHEN y.betrag >= t.netto + t.mwst THEN 'paid' WHEN y.betrag > 0 THEN 'partially_paid' ELSE 'issued' END END AS status,
    CASE WHEN h.stat_cd = 'B' AND y.betrag >= t.netto + t.mwst THEN y.dat END AS paid_on,
    h.re_id AS re_id,
    h.re_id AS _from_h,
    k.kd_id AS _from_k,
    p.prj_id AS _from_p,
    v.vtr_nr AS _from_v
FROM re_kopf h
JOIN kunde k ON k.kd_id = h.kd_id
LEFT JOIN projekt p ON h.bezug = 'projekt,' || p.prj_id
LEFT JOIN vertrag v ON h.bezug = 'vertrag,' || v.vtr_nr
LEFT JOIN (
    SELECT l.re_id, sum(l.netto) AS netto,
           sum(CAST(round(CAST(l.netto AS DECIMAL(24,2)) * l.mwst_satz * 0.01, 2) AS DECIMAL(18,2))) AS mwst
    FROM re_pos l
    GROUP BY l.re_id
) t ON t.re_id = h.re_id
LEFT JOIN (
    SELECT z.re_id, sum(z.betrag) AS betrag, max(z.dat) AS dat
    FROM zahlung z
    GROUP BY z.re_id
) y ON y.re_id = h.re_id
