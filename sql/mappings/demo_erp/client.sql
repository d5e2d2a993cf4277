-- entity: client
-- version: 1
-- unit: kd_id
-- driver: k
-- watch: k = kunde.kd_id, n = kunde.kd_id, z = zahlbed.zb_cd
-- A merge leaves the loser deleted and pointing at the winner; what it owned moves in the same
-- transaction.
SELECT
    k.kd_nr AS client_no,
    concat_ws(', ', k.name1, k.name2) AS name,
    k.ust_id AS tax_no,
    k.land AS country,
    k.waehr AS currency,
    z.tage AS payment_terms_days,
    CASE WHEN k.kd_id_neu IS NOT NULL THEN 'merged'
         WHEN k.geloescht THEN 'closed'
         WHEN trim(k.sperr_kz) = 'S' THEN 'blocked'
         ELSE 'active' END AS status,
    n.kd_nr AS merged_into_no,
    k.kd_id AS kd_id,
    k.kd_id AS _from_k,
    n.kd_id AS _from_n,
    z.zb_cd AS _from_z
FROM kunde k
LEFT JOIN kunde n ON n.kd_id = k.kd_id_neu
LEFT JOIN zahlbed z ON z.zb_cd = k.zahlbed_cd
