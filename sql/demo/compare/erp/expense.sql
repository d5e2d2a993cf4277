-- key: expense_no
-- Expenses that were not deleted.
SELECT 'S' || s.sp_id AS expense_no,
       (SELECT w.persnr FROM pers w WHERE w.pers_id = s.pers_id) AS worker_no,
       (SELECT p.prj_nr FROM projekt p WHERE p.prj_id = s.prj_id) AS project_code,
       CASE s.kat_cd WHEN 'RK' THEN 'travel' WHEN 'HO' THEN 'lodging' WHEN 'BW' THEN 'meal' WHEN 'MA' THEN 'material' ELSE 'other' END AS category,
       s.bel_dat AS incurred_on,
       translate(s.betrag, ',.', '.')::numeric(18,2) AS amount,
       translate(s.mwst, ',.', '.')::numeric(18,2) AS tax_amount,
       s.waehr AS currency,
       s.erst_kz = 'J' AS reimbursable,
       s.fakt_kz = 'J' AS billable,
       s.beleg AS receipt_ref,
       s.zweck AS note,
       CASE s.stat WHEN 0 THEN 'draft' WHEN 10 THEN 'submitted' WHEN 20 THEN 'approved' WHEN 90 THEN 'rejected' END AS approval_status,
       CASE WHEN s.stat = 20 THEN s.gen_zeit AT TIME ZONE 'Europe/Berlin' AT TIME ZONE 'UTC' END AS approved_at,
       CASE WHEN s.stat = 20 THEN (SELECT f.persnr FROM pers f WHERE f.pers_id = s.gen_pers_id) END AS approver_no,
       CASE WHEN h.stat_cd = 'B' THEN 'invoiced' WHEN s.buch_per IS NULL THEN 'unposted' ELSE 'posted' END AS posting_status,
       'D' || h.re_id AS invoice_document_no
FROM spesen s LEFT JOIN re_kopf h USING (re_id)
WHERE NOT s.geloescht
