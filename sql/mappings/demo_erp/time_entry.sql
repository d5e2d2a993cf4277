-- entity: time_entry
-- version: 1
-- unit: zb_id, pos
-- driver: l
-- watch: l = zeit_pos.(zb_id, pos), b = zeit_blatt.zb_id, w = pers.pers_id, k = kst.kst_nr, c = mandant.man_nr, p = projekt.prj_id, a = prj_aufg.auf_id, f = pers.pers_id, r = re_kopf.re_id
-- Approval is on the week's sheet: one change there changes every line. Release times are local
-- time of the office. Cancelled lines do not exist.
SELECT
    'Z' || l.zb_id || '-' || l.pos AS entry_no,
    w.persnr AS worker_no,
    p.prj_nr AS project_code,
    a.bez AS task,
    l.tag AS work_date,
    CAST(CAST(l.minuten AS DOUBLE) / 60 AS DECIMAL(12,6)) AS hours,
    CASE l.art_cd WHEN 'A' THEN 'work' WHEN 'R' THEN 'travel' WHEN 'U' THEN 'leave' ELSE 'other' END AS kind,
    l.fakt_kz = 'J' AS billable,
    l.text AS note,
    CASE b.stat_cd WHEN 'E' THEN 'draft' WHEN 'V' THEN 'submitted' WHEN 'F' THEN 'approved' WHEN 'Z' THEN 'rejected' END AS approval_status,
    CASE WHEN b.stat_cd = 'F' THEN (b.frei_zeit AT TIME ZONE $timezone) AT TIME ZONE 'UTC' END AS approved_at,
    CASE WHEN b.stat_cd = 'F' THEN f.persnr END AS approver_no,
    CASE WHEN r.stat_cd = 'B' THEN 'invoiced' WHEN l.buch_per IS NOT NULL THEN 'posted' ELSE 'unposted' END AS posting_status,
    l.kosten AS cost_amount,
    c.waehr AS currency,
    'D' || r.re_id AS invoice_document_no,
    l.zb_id AS zb_id,
    l.pos AS pos,
    l.zb_id AS _from_l_1,
    l.pos AS _from_l_2,
    b.zb_id AS _from_b,
    w.pers_id AS _from_w,
    k.kst_nr AS _from_k,
    c.man_nr AS _from_c,
    p.prj_id AS _from_p,
    a.auf_id AS _from_a,
    f.pers_id AS _from_f,
    r.re_id AS _from_r
FROM zeit_pos l
JOIN zeit_blatt b ON b.zb_id = l.zb_id
JOIN pers w ON w.pers_id = b.pers_id
LEFT JOIN kst k ON k.kst_nr = w.kst_nr
LEFT JOIN mandant c ON c.man_nr = k.man_nr
LEFT JOIN projekt p ON p.prj_id = l.prj_id
LEFT JOIN prj_aufg a ON a.auf_id = l.auf_id
LEFT JOIN pers f ON f.pers_id = b.frei_pers_id
LEFT JOIN re_kopf r ON r.re_id = l.re_id
WHERE NOT l.storno
