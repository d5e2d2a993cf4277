-- Tables that an operator can mean, to suggest one for a name that does not exist.
SELECT n.nspname || '.' || c.relname AS name
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p')
  AND n.nspname <> 'information_schema' AND n.nspname <> '_trueup' AND n.nspname !~ '^pg_'
ORDER BY 1
