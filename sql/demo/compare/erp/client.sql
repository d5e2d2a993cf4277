-- key: client_no
-- Clients, the merged and the closed ones too: time and invoices refer to them.
SELECT k.kd_nr AS client_no,
       k.name1 || coalesce(', ' || k.name2, '') AS name,
       k.ust_id AS tax_no,
       k.land AS country,
       k.waehr AS currency,
       (SELECT z.tage FROM zahlbed z WHERE z.zb_cd = k.zahlbed_cd) AS payment_terms_days,
       CASE WHEN k.kd_id_neu IS NOT NULL THEN 'merged' WHEN k.geloescht THEN 'closed'
            WHEN k.sperr_kz = 'S' THEN 'blocked' ELSE 'active' END AS status,
       (SELECT n.kd_nr FROM kunde n WHERE n.kd_id = k.kd_id_neu) AS merged_into_no
FROM kunde k
