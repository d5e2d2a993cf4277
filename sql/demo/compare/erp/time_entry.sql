-- key: entry_no
-- Lines of the weekly sheets that were not cancelled. Who approved and when counts only while the
-- sheet is released; the clerks' clocks are Berlin's, ours is UTC.
SELECT 'Z' || l.zb_id || '-' || l.pos AS entry_no,
       w.persnr AS worker_no,
       (SELECT p.prj_nr FROM projekt p WHERE p.prj_id = l.prj_id) AS project_code,
       (SELECT a.bez FROM prj_aufg a WHERE a.auf_id = l.auf_id) AS task,
       l.tag AS work_date,
       round(l.minuten / 60.0, 6)::numeric(12,6) AS hours,
       CASE l.art_cd WHEN 'A' THEN 'work' WHEN 'R' THEN 'travel' WHEN 'U' THEN 'leave' ELSE 'other' END AS kind,
       l.fakt_kz = 'J' AS billable,
       l.text AS note,
       CASE b.stat_cd WHEN 'E' THEN 'draft' WHEN 'V' THEN 'submitted' WHEN 'F' THEN 'approved' WHEN 'Z' THEN 'rejected' END AS approval_status,
       CASE WHEN b.stat_cd = 'F' THEN b.frei_zeit AT TIME ZONE 'Europe/Berlin' AT TIME ZONE 'UTC' END AS approved_at,
       CASE WHEN b.stat_cd = 'F' THEN (SELECT f.persnr FROM pers f WHERE f.pers_id = b.frei_pers_id) END AS approver_no,
       CASE WHEN h.stat_cd = 'B' THEN 'invoiced' WHEN l.buch_per IS NULL THEN 'unposted' ELSE 'posted' END AS posting_status,
       l.kosten::numeric(18,4) AS cost_amount,
       (SELECT m.waehr FROM kst k JOIN mandant m USING (man_nr) WHERE k.kst_nr = w.kst_nr) AS currency,
       'D' || h.re_id AS invoice_document_no
FROM zeit_blatt b
JOIN zeit_pos l USING (zb_id)
JOIN pers w USING (pers_id)
LEFT JOIN re_kopf h USING (re_id)
WHERE NOT l.storno
