-- entity: cost_rate
-- version: 1
-- unit: pers_id
-- driver: r
-- affects r: SELECT pers_id FROM delta
-- affects p: SELECT pers_id FROM delta
-- A rate ends where the person's next one begins, so a person's rates are one unit.
SELECT
    p.persnr AS worker_no,
    r.gueltig_ab AS valid_from,
    lead(r.gueltig_ab) OVER (PARTITION BY r.pers_id ORDER BY r.gueltig_ab) AS valid_to,
    TRY_CAST(replace(replace(r.satz, '.', ''), ',', '.') AS DECIMAL(18,4)) AS hourly_amount,
    r.waehr AS currency,
    r.pers_id AS pers_id
FROM pers_satz r
JOIN pers p ON p.pers_id = r.pers_id
