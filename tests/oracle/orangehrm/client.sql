-- Clients, on the source server (MariaDB).
SELECT CONCAT('C', customer_id) AS client_no, name, IF(is_deleted, 'closed', 'active') AS status
FROM ohrm_customer
ORDER BY CAST(client_no AS BINARY);
