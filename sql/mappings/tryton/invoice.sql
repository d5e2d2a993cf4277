-- entity: invoice
-- version: 1
-- unit: invoice_id
-- driver: i
-- watch: i = account_invoice.id, p = party_party.id, u = currency_currency.id
-- affects l: SELECT invoice FROM delta WHERE invoice IS NOT NULL
-- affects x: SELECT invoice FROM delta
-- Outgoing invoices. Tryton numbers one when it is posted and keeps its sums only from validation
-- on: before, they are those of its lines and tax lines. What is negative is a credit note.
SELECT
    'I' || i.id AS document_no,
    i.number AS invoice_no,
    CASE WHEN coalesce(TRY_CAST(i.untaxed_amount_cache AS DECIMAL(18,2)), t.net, 0) < 0 THEN 'credit_note' ELSE 'invoice' END AS kind,
    p.code AS client_no,
    i.invoice_date AS issued_on,
    u.code AS currency,
    coalesce(TRY_CAST(i.untaxed_amount_cache AS DECIMAL(18,2)), t.net, 0) AS net_amount,
    coalesce(TRY_CAST(i.tax_amount_cache AS DECIMAL(18,2)), y.tax, 0) AS tax_amount,
    coalesce(TRY_CAST(i.total_amount_cache AS DECIMAL(18,2)), coalesce(t.net, 0) + coalesce(y.tax, 0)) AS gross_amount,
    CASE i.state WHEN 'draft' THEN 'draft' WHEN 'validated' THEN 'validated' WHEN 'posted' THEN 'issued' WHEN 'paid' THEN 'paid'
         WHEN 'cancelled' THEN 'void' END AS status,
    i.id AS invoice_id,
    i.id AS _from_i,
    p.id AS _from_p,
    u.id AS _from_u
FROM account_invoice i
JOIN party_party p ON p.id = i.party
JOIN currency_currency u ON u.id = i.currency
LEFT JOIN (
    SELECT l.invoice, sum(CAST(CAST(l.quantity AS DECIMAL(18,6)) * TRY_CAST(l.unit_price AS DECIMAL(18,6)) AS DECIMAL(18,2))) AS net
    FROM account_invoice_line l
    WHERE l.type = 'line'
    GROUP BY l.invoice
) t ON t.invoice = i.id
LEFT JOIN (
    SELECT x.invoice, sum(TRY_CAST(x.amount AS DECIMAL(18,2))) AS tax
    FROM account_invoice_tax x
    GROUP BY x.invoice
) y ON y.invoice = i.id
WHERE i.type = 'out'
