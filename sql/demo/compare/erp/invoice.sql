-- key: document_no
-- Invoices with the sums of their lines and payments; tax is rounded line by line. `bezug` names a
-- project (and by it the project's contract) or a contract.
WITH summe AS (
    SELECT h.re_id,
           (SELECT sum(l.netto) FROM re_pos l WHERE l.re_id = h.re_id) AS netto,
           (SELECT sum(round(l.netto * l.mwst_satz / 100, 2)) FROM re_pos l WHERE l.re_id = h.re_id) AS mwst,
           (SELECT sum(z.betrag) FROM zahlung z WHERE z.re_id = h.re_id) AS bezahlt,
           (SELECT max(z.dat) FROM zahlung z WHERE z.re_id = h.re_id) AS zuletzt
    FROM re_kopf h
)
SELECT 'D' || h.re_id AS document_no,
       h.re_nr AS invoice_no,
       CASE WHEN h.typ = 'GU' THEN 'credit_note' ELSE 'invoice' END AS kind,
       k.kd_nr AS client_no,
       CASE split_part(h.bezug, ',', 1)
            WHEN 'vertrag' THEN (SELECT v.vtr_nr FROM vertrag v WHERE v.vtr_nr = split_part(h.bezug, ',', 2))
            WHEN 'projekt' THEN p.vtr_nr END AS contract_no,
       p.prj_nr AS project_code,
       h.re_dat AS issued_on,
       h.faellig AS due_on,
       h.waehr AS currency,
       coalesce(s.netto, 0)::numeric(18,2) AS net_amount,
       coalesce(s.mwst, 0)::numeric(18,2) AS tax_amount,
       coalesce(s.netto + s.mwst, 0)::numeric(18,2) AS gross_amount,
       coalesce(s.bezahlt, 0)::numeric(18,2) AS paid_amount,
       CASE h.stat_cd WHEN 'E' THEN 'draft' WHEN 'P' THEN 'validated' WHEN 'S' THEN 'void'
            ELSE CASE WHEN s.bezahlt >= s.netto + s.mwst THEN 'paid' WHEN s.bezahlt > 0 THEN 'partially_paid' ELSE 'issued' END
       END AS status,
       CASE WHEN h.stat_cd = 'B' AND s.bezahlt >= s.netto + s.mwst THEN s.zuletzt END AS paid_on
FROM re_kopf h
JOIN kunde k USING (kd_id)
JOIN summe s USING (re_id)
LEFT JOIN projekt p ON split_part(h.bezug, ',', 1) = 'projekt' AND p.prj_id::text = split_part(h.bezug, ',', 2)
