-- key: document_no, line_no
-- Lines of invoices, with the time line or the expense they bill while that is not cancelled.
SELECT 'D' || l.re_id AS document_no,
       l.pos::integer AS line_no,
       CASE l.art_cd WHEN 'Z' THEN 'time' WHEN 'S' THEN 'expense' WHEN 'M' THEN 'milestone' ELSE 'other' END AS kind,
       l.text AS description,
       (SELECT p.prj_nr FROM projekt p WHERE p.prj_id = l.prj_id) AS project_code,
       (SELECT 'Z' || t.zb_id || '-' || t.pos FROM zeit_pos t WHERE t.zb_id = l.zb_id AND t.pos = l.zpos AND NOT t.storno) AS entry_no,
       (SELECT 'S' || s.sp_id FROM spesen s WHERE s.sp_id = l.sp_id AND NOT s.geloescht) AS expense_no,
       l.menge::numeric(18,6) AS quantity,
       l.preis::numeric(18,6) AS unit_price_amount,
       l.netto::numeric(18,2) AS net_amount,
       h.waehr AS currency
FROM re_pos l JOIN re_kopf h USING (re_id)
