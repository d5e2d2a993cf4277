-- entity: contract
-- version: 1
-- unit: vtr_nr
-- driver: v
-- watch: v = vertrag.vtr_nr, k = kunde.kd_id
-- The amount is text ('52.000,50'); what cannot be read as money is NULL.
SELECT
    v.vtr_nr AS contract_no,
    k.kd_nr AS client_no,
    v.titel AS name,
    CASE v.art_cd WHEN 'AZ' THEN 'time_and_material' WHEN 'FP' THEN 'fixed_price' WHEN 'RT' THEN 'retainer' WHEN 'MS' THEN 'milestone' END AS kind,
    CASE v.stat_cd WHEN 'E' THEN 'draft' WHEN 'L' THEN 'active' WHEN 'B' THEN 'closed' WHEN 'S' THEN 'cancelled' END AS status,
    v.beginn AS starts_on,
    nullif(v.ende, DATE '9999-12-31') AS ends_on,
    TRY_CAST(replace(replace(v.wert, '.', ''), ',', '.') AS DECIMAL(18,2)) AS value_amount,
    v.waehr AS currency,
    v.best_nr AS purchase_order_no,
    v.vtr_nr AS vtr_nr,
    v.vtr_nr AS _from_v,
    k.kd_id AS _from_k
FROM vertrag v
JOIN kunde k ON k.kd_id = v.kd_id
