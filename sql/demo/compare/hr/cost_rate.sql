-- key: worker_no, valid_from
-- Pay over the hours it stands for; the last day becomes the first on which it no longer holds.
SELECT CONCAT('M', LPAD(b.pernr, 5, '0')) AS worker_no,
       b.beg AS valid_from,
       IF(b.bis < '9999-12-31', b.bis + INTERVAL 1 DAY, NULL) AS valid_to,
       CAST(CAST(REPLACE(REPLACE(b.betrag, '.', ''), ',', '.') AS DECIMAL(18,2))
            / CASE b.turnus WHEN 'S' THEN 1 WHEN 'J' THEN b.std_monat * 12 ELSE b.std_monat END AS DECIMAL(18,4)) AS hourly_amount,
       b.waers AS currency
FROM pa_bezug b
