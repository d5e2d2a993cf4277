-- entity: worker
-- act: somebody edits three people's titles in the PSA by hand
UPDATE resource SET title = 'Edited by hand'
WHERE employee_code IN (SELECT employee_code FROM resource ORDER BY md5(employee_code) LIMIT 3)
RETURNING employee_code
