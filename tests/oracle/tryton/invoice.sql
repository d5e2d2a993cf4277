-- Outgoing invoices, on the source server. Sums are Tryton's own where it keeps them, else those of
-- the lines (each rounded) and the tax lines.
WITH summed AS (
    SELECT i.*,
           coalesce(i.untaxed_amount_cache, (SELECT sum(round(l.quantity::numeric * l.unit_price, 2)) FROM account_invoice_line l
                                              WHERE l.invoice = i.id AND l.type = 'line'), 0) AS net,
           coalesce(i.tax_amount_cache, (SELECT sum(amount) FROM account_invoice_tax WHERE invoice = i.id), 0) AS tax
    FROM account_invoice i WHERE i.type = 'out'
)
SELECT 'I' || id AS document_no,
       number AS invoice_no,
       CASE WHEN net < 0 THEN 'credit_note' ELSE 'invoice' END AS kind,
       (SELECT code FROM party_party WHERE id = summed.party) AS client_no,
       invoice_date::text AS issued_on,
       (SELECT code FROM currency_currency WHERE id = summed.currency) AS currency,
       net::numeric(18,2)::text AS net_amount,
       tax::numeric(18,2)::text AS tax_amount,
       coalesce(total_amount_cache, net + tax)::numeric(18,2)::text AS gross_amount,
       CASE state WHEN 'posted' THEN 'issued' WHEN 'cancelled' THEN 'void' ELSE state END AS status
FROM summed
ORDER BY ('I' || id) COLLATE "C";
