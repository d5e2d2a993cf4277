-- entity: cost_rate
-- version: 1
-- unit: pernr, beg
-- driver: b
-- watch: b = pa_bezug.(pernr, beg)
-- Pay is text ('4.850,00') a month, a year or an hour; the cost of an hour is pay over the hours
-- it stands for. DuckDB divides in binary: ten places bring the quotient back to a decimal before it
-- is rounded, or 18.75775 would become 18.7577. The last day is inclusive there, exclusive here.
SELECT
    'M' || lpad(CAST(b.pernr AS VARCHAR), 5, '0') AS worker_no,
    b.beg AS valid_from,
    CASE WHEN b.bis < DATE '9999-12-31' THEN b.bis + 1 END AS valid_to,
    TRY_CAST(round(TRY_CAST(TRY_CAST(replace(replace(b.betrag, '.', ''), ',', '.') AS DECIMAL(18,2))
        / CASE b.turnus WHEN 'S' THEN 1.0 WHEN 'J' THEN b.std_monat * 12 ELSE b.std_monat END AS DECIMAL(28,10)), 4) AS DECIMAL(18,4)) AS hourly_amount,
    b.waers AS currency,
    b.pernr AS pernr,
    b.beg AS beg,
    b.pernr AS _from_b_1,
    b.beg AS _from_b_2
FROM pa_bezug b
