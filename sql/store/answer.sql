-- The rows of one SELECT of a person ($1), every cell as text. query() takes nothing but a SELECT.
SELECT CAST(COLUMNS(*) AS VARCHAR) FROM query($1);
