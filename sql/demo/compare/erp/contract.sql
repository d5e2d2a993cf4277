-- key: contract_no
-- Contracts; the last of all days means none.
SELECT v.vtr_nr AS contract_no,
       (SELECT k.kd_nr FROM kunde k WHERE k.kd_id = v.kd_id) AS client_no,
       v.titel AS name,
       CASE v.art_cd WHEN 'AZ' THEN 'time_and_material' WHEN 'FP' THEN 'fixed_price' WHEN 'RT' THEN 'retainer' WHEN 'MS' THEN 'milestone' END AS kind,
       CASE v.stat_cd WHEN 'E' THEN 'draft' WHEN 'L' THEN 'active' WHEN 'B' THEN 'closed' WHEN 'S' THEN 'cancelled' END AS status,
       v.beginn AS starts_on,
       CASE WHEN v.ende < DATE '9999-12-31' THEN v.ende END AS ends_on,
       translate(v.wert, ',.', '.')::numeric(18,2) AS value_amount,
       v.waehr AS currency,
       v.best_nr AS purchase_order_no
FROM vertrag v
