-- Who asks the next statement ($1), and what they call the database ($2); catalog.sql tells it again.
SET VARIABLE pg_session = {'user': $1::VARCHAR, 'database': $2::VARCHAR};
