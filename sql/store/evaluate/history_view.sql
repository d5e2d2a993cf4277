-- Canonical rows with the time in which they were valid. Validity ends are computed here, so that
-- the history itself is only ever appended to. Source clocks may disagree; a row never begins to
-- be valid before the one it replaces.
CREATE OR REPLACE VIEW history.{entity} AS
SELECT {columns}, _valid_from, _valid_to, _recorded_at, _batch FROM (
    SELECT *, lead(_valid_from) OVER (PARTITION BY {keys} ORDER BY _batch, _order) AS _valid_to
    FROM (
        SELECT *, rowid AS _order,
            max(_changed_at) OVER (
                PARTITION BY {keys} ORDER BY _batch, rowid ROWS UNBOUNDED PRECEDING
            ) AS _valid_from
        FROM {history}
    )
) WHERE _op <> 'deleted'
