-- entity: expense
-- version: 1
-- unit: sp_id
-- driver: s
-- watch: s = spesen.sp_id, w = pers.pers_id, p = projekt.prj_id, f = pers.pers_id, r = re_kopf.re_id
-- Amounts are text; approval times are local time of the office.
SELECT
    'S' || s.sp_id AS expense_no,
    w.persnr AS worker_no,
    p.prj_nr AS project_code,
    CASE s.kat_cd WHEN 'RK' THEN 'travel' WHEN 'HO' THEN 'lodging' WHEN 'BW' THEN 'meal' WHEN 'MA' THEN 'material' ELSE 'other' END AS category,
    s.bel_dat AS incurred_on,
    TRY_CAST(replace(replace(s.betrag, '.', ''), ',', '.') AS DECIMAL(18,2)) AS amount,
    TRY_CAST(replace(replace(s.mwst, '.', ''), ',', '.') AS DECIMAL(18,2)) AS tax_amount,
    s.waehr AS currency,
    s.erst_kz = 'J' AS reimbursable,
    s.fakt_kz = 'J' AS billable,
    s.beleg AS receipt_ref,
    s.zweck AS note,
    CASE s.stat WHEN 0 THEN 'draft' WHEN 10 THEN 'submitted' WHEN 20 THEN 'approved' WHEN 90 THEN 'rejected' END AS approval_status,
    CASE WHEN s.stat = 20 THEN (s.gen_zeit AT TIME ZONE $timezone) AT TIME ZONE 'UTC' END AS approved_at,
    CASE WHEN s.stat = 20 THEN f.persnr END AS approver_no,
    CASE WHEN r.stat_cd = 'B' THEN 'invoiced' WHEN s.buch_per IS NOT NULL THEN 'posted' ELSE 'unposted' END AS posting_status,
    'D' || r.re_id AS invoice_document_no,
    s.sp_id AS sp_id,
    s.sp_id AS _from_s,
    w.pers_id AS _from_w,
    p.prj_id AS _from_p,
    f.pers_id AS _from_f,
    r.re_id AS _from_r
FROM spesen s
JOIN pers w ON w.pers_id = s.pers_id
LEFT JOIN projekt p ON p.prj_id = s.prj_id
LEFT JOIN pers f ON f.pers_id = s.gen_pers_id
LEFT JOIN re_kopf r ON r.re_id = s.re_id
WHERE NOT s.geloescht
