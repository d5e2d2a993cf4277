-- What the scripts in actions/ read as user variables: one drawn plan.
SET @roll = ?, @staff = ?, @person = ?, @given = ?, @family = ?, @unit = ?, @note = ?, @number = ?,
    @days = ?, @money = ?
