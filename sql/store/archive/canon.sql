-- An entity's rows as they are.
SELECT * FROM canon.{entity}
