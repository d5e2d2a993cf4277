-- What the scripts in actions/ read with current_setting(): one drawn plan, for this transaction.
SELECT set_config('demo.roll', $1, true), set_config('demo.serial', $2, true),
       set_config('demo.staff_no', $3, true), set_config('demo.person', $4, true),
       set_config('demo.given', $5, true), set_config('demo.family', $6, true),
       set_config('demo.unit', $7, true), set_config('demo.note', $8, true),
       set_config('demo.number', $9, true), set_config('demo.days', $10, true),
       set_config('demo.amount', $11, true), set_config('demo.rate', $12, true),
       set_config('demo.money', $13, true)
