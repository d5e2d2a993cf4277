-- What one SELECT of a person ($1) would answer with: its columns, and no row.
SELECT * FROM query($1) LIMIT 0;
