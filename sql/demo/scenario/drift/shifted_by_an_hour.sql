-- entity: expense
-- act: a clock was wrong: all approvals of expenses in the PSA are shifted by an hour
UPDATE expense_item SET approved_at = approved_at - interval '1 hour'
WHERE approved_at IS NOT NULL
RETURNING external_no
