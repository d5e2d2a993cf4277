-- entity: invoice_line
-- version: 1
-- unit: re_id, pos
-- driver: l
-- watch: l = re_pos.(re_id, pos), h = re_kopf.re_id, p = projekt.prj_id, t = zeit_pos.(zb_id, pos), s = spesen.sp_id
-- A line names the time line or the expense it bills; one that was cancelled later is not named.
SELECT
    'D' || h.re_id AS document_no,
    l.pos AS line_no,
    CASE l.art_cd WHEN 'Z' THEN 'time' WHEN 'S' THEN 'expense' WHEN 'M' THEN 'milestone' ELSE 'other' END AS kind,
    l.text AS description,
    p.prj_nr AS project_code,
    'Z' || t.zb_id || '-' || t.pos AS entry_no,
    'S' || s.sp_id AS expense_no,
    l.menge AS quantity,
    l.preis AS unit_price_amount,
    l.netto AS net_amount,
    h.waehr AS currency,
    l.re_id AS re_id,
    l.pos AS pos,
    l.re_id AS _from_l_1,
    l.pos AS _from_l_2,
    h.re_id AS _from_h,
    p.prj_id AS _from_p,
    t.zb_id AS _from_t_1,
    t.pos AS _from_t_2,
    s.sp_id AS _from_s
FROM re_pos l
JOIN re_kopf h ON h.re_id = l.re_id
LEFT JOIN projekt p ON p.prj_id = l.prj_id
LEFT JOIN zeit_pos t ON t.zb_id = l.zb_id AND t.pos = l.zpos AND NOT t.storno
LEFT JOIN spesen s ON s.sp_id = l.sp_id AND NOT s.geloescht
