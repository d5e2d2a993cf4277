-- Projects, on the source server (MariaDB).
SELECT CONCAT('P', project.project_id) AS project_code, project.name,
       (SELECT CONCAT('C', customer.customer_id) FROM ohrm_customer customer WHERE customer.customer_id = project.customer_id) AS client_no,
       IF(project.is_deleted, 'closed', 'open') AS status
FROM ohrm_project project
ORDER BY CAST(project_code AS BINARY);
