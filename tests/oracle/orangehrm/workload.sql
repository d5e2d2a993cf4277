-- A workload for OrangeHRM 5.7: 340 transactions, to be replayed on the matching dump in one
-- session, in order: hire, transfer, terminate, log, submit, approve and reject time, move projects
-- to other clients (which changes their primary key), delete parents whose children go unseen in
-- the log. Each transaction begins with a comment line, then BEGIN; it ends with COMMIT or
-- ROLLBACK. One statement is one line.
SET NAMES utf8mb4;

-- hire 31
BEGIN;
INSERT INTO hs_hr_employee (emp_number, employee_id, emp_lastname, emp_firstname, emp_middle_name, emp_status, job_title_code, work_station) VALUES (31, '0031', 'Müller-Lüdenscheidt', 'Zoë', '', 1, 1, 5);
INSERT INTO hs_hr_emp_reportto VALUES (3, 31, 1);
INSERT INTO hs_hr_emp_basicsalary (emp_number, currency_id, ebsal_basic_salary, salary_component) VALUES (31, 'EUR', '48.000,00', 'Base');
UPDATE hs_hr_employee SET joined_date = '2026-11-01', emp_work_email = 'E31@Albion.example' WHERE emp_number = 31;
COMMIT;

-- hire 32
BEGIN;
INSERT INTO hs_hr_employee (emp_number, employee_id, emp_lastname, emp_firstname, emp_middle_name, emp_status, job_title_code, work_station) VALUES (32, '0032', 'Ångström', 'Jörg', '', 1, 1, 5);
INSERT INTO hs_hr_emp_reportto VALUES (1, 32, 1);
INSERT INTO hs_hr_emp_basicsalary (emp_number, currency_id, ebsal_basic_salary, salary_component) VALUES (32, 'EUR', '48.000,00', 'Base');
UPDATE hs_hr_employee SET joined_date = '2027-02-01', emp_work_email = 'E32@Albion.example' WHERE emp_number = 32;
COMMIT;

-- hire 33
BEGIN;
INSERT INTO hs_hr_employee (emp_number, employee_id, emp_lastname, emp_firstname, emp_middle_name, emp_status, job_title_code, work_station) VALUES (33, NULL, 'Ångström', 'Jörg', '', 1, 1, 5);
INSERT INTO hs_hr_emp_reportto VALUES (1, 33, 1);
INSERT INTO hs_hr_emp_basicsalary (emp_number, currency_id, ebsal_basic_salary, salary_component) VALUES (33, 'EUR', '48.000,00', 'Base');
UPDATE hs_hr_employee SET joined_date = '2026-08-01', emp_work_email = 'E33@Albion.example' WHERE emp_number = 33;
COMMIT;

-- a second approver
BEGIN;
INSERT INTO ohrm_user (id, user_role_id, emp_number, user_name, deleted, status) VALUES (2, 1, 2, 'chloe', 0, 1);
COMMIT;

-- submitted sheet 133
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 133;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (217, NULL, 'SUBMITTED', '2026-11-27', 1, 133);
COMMIT;

-- submitted sheet 45
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 45;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (218, NULL, 'SUBMITTED', '2026-11-25', 1, 45);
COMMIT;

-- submitted sheet 61
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 61;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (219, NULL, 'SUBMITTED', '2026-11-26', 1, 61);
COMMIT;

-- submitted sheet 111
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 111;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (220, NULL, 'SUBMITTED', '2026-11-24', 1, 111);
COMMIT;

-- submitted sheet 117
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 117;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (221, NULL, 'SUBMITTED', '2026-11-27', 1, 117);
COMMIT;

-- submitted sheet 67
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 67;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (222, NULL, 'SUBMITTED', '2026-11-25', 1, 67);
COMMIT;

-- approved sheet 117
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 117;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (223, NULL, 'APPROVED', '2026-11-28', 2, 117);
COMMIT;

-- approved sheet 40
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 40;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (224, NULL, 'APPROVED', '2026-11-23', 2, 40);
COMMIT;

-- approved sheet 123
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 123;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (225, NULL, 'APPROVED', '2026-11-23', 2, 123);
COMMIT;

-- approved sheet 68
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 68;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (226, NULL, 'APPROVED', '2026-11-26', 1, 68);
COMMIT;

-- approved sheet 24
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 24;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (227, NULL, 'APPROVED', '2026-11-21', 1, 24);
COMMIT;

-- approved sheet 73
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 73;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (228, NULL, 'APPROVED', '2026-11-27', 2, 73);
COMMIT;

-- approved sheet 1
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 1;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (229, NULL, 'APPROVED', '2026-11-28', 1, 1);
COMMIT;

-- approved sheet 46
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 46;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (230, NULL, 'APPROVED', '2026-11-24', 2, 46);
COMMIT;

-- rejected sheet 7
BEGIN;
UPDATE ohrm_timesheet SET state = 'REJECTED' WHERE timesheet_id = 7;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (231, NULL, 'REJECTED', '2026-11-28', 1, 7);
COMMIT;

-- rejected sheet 129
BEGIN;
UPDATE ohrm_timesheet SET state = 'REJECTED' WHERE timesheet_id = 129;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (232, NULL, 'REJECTED', '2026-11-22', 1, 129);
COMMIT;

-- rejected sheet 96
BEGIN;
UPDATE ohrm_timesheet SET state = 'REJECTED' WHERE timesheet_id = 96;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (233, NULL, 'REJECTED', '2026-11-23', 1, 96);
COMMIT;

-- transfer 18
BEGIN;
UPDATE hs_hr_employee SET work_station = 6, job_title_code = 2 WHERE emp_number = 18;
DELETE FROM hs_hr_emp_reportto WHERE erep_sub_emp_number = 18;
INSERT INTO hs_hr_emp_reportto VALUES (1, 18, 1);
COMMIT;

-- transfer 14
BEGIN;
UPDATE hs_hr_employee SET work_station = 3, job_title_code = 3 WHERE emp_number = 14;
DELETE FROM hs_hr_emp_reportto WHERE erep_sub_emp_number = 14;
INSERT INTO hs_hr_emp_reportto VALUES (2, 14, 1);
COMMIT;

-- project 7 moves to another client (its key changes)
BEGIN;
UPDATE ohrm_project SET customer_id = 4 WHERE project_id = 7;
COMMIT;

-- terminate 9 in the future
BEGIN;
INSERT INTO ohrm_emp_termination (id, emp_number, reason_id, termination_date) VALUES (14, 9, 6, '2027-01-31');
UPDATE hs_hr_employee SET termination_id = 14 WHERE emp_number = 9;
COMMIT;

-- terminate 12 at once
BEGIN;
INSERT INTO ohrm_emp_termination (id, emp_number, reason_id, termination_date) VALUES (15, 12, 1, '2026-11-01');
UPDATE hs_hr_employee SET termination_id = 15 WHERE emp_number = 12;
COMMIT;

-- reinstate 7: the reference goes with the row, unseen in the log
BEGIN;
DELETE FROM ohrm_emp_termination WHERE id = 7;
COMMIT;

-- a dialogue left without saving
BEGIN;
UPDATE hs_hr_employee SET emp_lastname = 'Niemals' WHERE emp_number < 10;
DELETE FROM ohrm_project_admin;
ROLLBACK;

-- half a dialogue left without saving
BEGIN;
UPDATE hs_hr_employee SET emp_lastname = 'Schmidt-Żak' WHERE emp_number = 3;
SAVEPOINT teil;
DELETE FROM hs_hr_emp_reportto;
UPDATE ohrm_customer SET name = 'Niemals';
ROLLBACK TO SAVEPOINT teil;
UPDATE ohrm_customer SET name = 'O''Brien & Sons' WHERE customer_id = 3;
COMMIT;

-- client: new
BEGIN;
INSERT INTO ohrm_customer (customer_id, name, is_deleted) VALUES (7, 'Nordlys AS', 0);
COMMIT;

-- project: new, with activities and an administrator
BEGIN;
INSERT INTO ohrm_project (project_id, customer_id, name, is_deleted) VALUES (11, 7, 'Project 11', 0);
INSERT INTO ohrm_project_activity (activity_id, project_id, name, is_deleted) VALUES (31, 11, 'Analyse', 0), (32, 11, 'Rollout', 0);
INSERT INTO ohrm_project_admin VALUES (11, 3), (11, 4);
COMMIT;

-- project 11 moves
BEGIN;
UPDATE ohrm_project SET customer_id = 2 WHERE project_id = 11;
COMMIT;

-- client 6 comes back, 5 goes
BEGIN;
UPDATE ohrm_customer SET is_deleted = 0 WHERE customer_id = 6;
UPDATE ohrm_customer SET is_deleted = 1 WHERE customer_id = 5;
COMMIT;

-- project 10 comes back under a new name
BEGIN;
UPDATE ohrm_project SET is_deleted = 0, name = 'Project 10 (neu)' WHERE project_id = 10;
COMMIT;

-- administrator handed over (its key changes)
BEGIN;
UPDATE ohrm_project_admin SET emp_number = 6 WHERE project_id = 1;
COMMIT;

-- unit inserted: all numbers to its right change
BEGIN;
UPDATE ohrm_subunit SET rgt = rgt + 2 WHERE rgt >= 7 ORDER BY rgt DESC;
UPDATE ohrm_subunit SET lft = lft + 2 WHERE lft >= 7;
INSERT INTO ohrm_subunit (id, name, unit_id, lft, rgt, level) VALUES (7, 'West', NULL, 7, 8, 2);
COMMIT;

-- unit renamed
BEGIN;
UPDATE ohrm_subunit SET name = 'Vertrieb & Marketing' WHERE id = 6;
COMMIT;

-- hire 34
BEGIN;
INSERT INTO hs_hr_employee (emp_number, employee_id, emp_lastname, emp_firstname, emp_middle_name, emp_status, job_title_code, work_station) VALUES (34, '0034', 'Šimek', 'Ölrik', '', 1, 1, 7);
INSERT INTO hs_hr_emp_reportto VALUES (3, 34, 1);
INSERT INTO hs_hr_emp_basicsalary (emp_number, currency_id, ebsal_basic_salary, salary_component) VALUES (34, 'EUR', '48.000,00', 'Base');
UPDATE hs_hr_employee SET joined_date = '2026-10-01', emp_work_email = 'E34@Albion.example' WHERE emp_number = 34;
COMMIT;

-- a person with two supervisors of one kind
BEGIN;
INSERT INTO hs_hr_emp_reportto VALUES (2, 15, 1), (3, 15, 2) ON DUPLICATE KEY UPDATE erep_reporting_mode = VALUES(erep_reporting_mode);
COMMIT;

-- supervisor replaced in the key
BEGIN;
UPDATE hs_hr_emp_reportto SET erep_sup_emp_number = 3 WHERE erep_sub_emp_number = 18 AND erep_reporting_mode = 1;
COMMIT;

-- job title deleted: people lose it, unseen in the log
BEGIN;
INSERT INTO ohrm_job_title (id, job_title, is_deleted) VALUES (4, 'Architect', 0);
UPDATE hs_hr_employee SET job_title_code = 4 WHERE emp_number IN (20, 21);
COMMIT;

-- job title deleted
BEGIN;
DELETE FROM ohrm_job_title WHERE id = 4;
COMMIT;

-- a hundred and fifty items in one transaction
BEGIN;
UPDATE ohrm_timesheet_item SET comment = 'Import' WHERE timesheet_item_id BETWEEN 301 AND 450;
UPDATE ohrm_timesheet_item SET duration = duration + 60 WHERE timesheet_item_id BETWEEN 301 AND 450;
COMMIT;

-- hire 35
BEGIN;
INSERT INTO hs_hr_employee (emp_number, employee_id, emp_lastname, emp_firstname, emp_middle_name, emp_status, job_title_code, work_station) VALUES (35, '0035', 'Ünal', 'Bo', '', 1, 1, 4);
INSERT INTO hs_hr_emp_reportto VALUES (3, 35, 1);
INSERT INTO hs_hr_emp_basicsalary (emp_number, currency_id, ebsal_basic_salary, salary_component) VALUES (35, 'EUR', '48.000,00', 'Base');
UPDATE hs_hr_employee SET joined_date = '2026-07-01', emp_work_email = 'E35@Albion.example' WHERE emp_number = 35;
COMMIT;

-- hire 36
BEGIN;
INSERT INTO hs_hr_employee (emp_number, employee_id, emp_lastname, emp_firstname, emp_middle_name, emp_status, job_title_code, work_station) VALUES (36, '0036', 'Ångström', 'Jörg', '', 1, 1, 3);
INSERT INTO hs_hr_emp_reportto VALUES (2, 36, 1);
INSERT INTO hs_hr_emp_basicsalary (emp_number, currency_id, ebsal_basic_salary, salary_component) VALUES (36, 'EUR', '48.000,00', 'Base');
UPDATE hs_hr_employee SET joined_date = '2026-07-01', emp_work_email = 'E36@Albion.example' WHERE emp_number = 36;
COMMIT;

-- hire 37
BEGIN;
INSERT INTO hs_hr_employee (emp_number, employee_id, emp_lastname, emp_firstname, emp_middle_name, emp_status, job_title_code, work_station) VALUES (37, '0037', 'Łukasz', 'Siân', '', 1, 1, 4);
INSERT INTO hs_hr_emp_reportto VALUES (1, 37, 1);
INSERT INTO hs_hr_emp_basicsalary (emp_number, currency_id, ebsal_basic_salary, salary_component) VALUES (37, 'EUR', '48.000,00', 'Base');
UPDATE hs_hr_employee SET joined_date = '2026-07-01', emp_work_email = 'E37@Albion.example' WHERE emp_number = 37;
COMMIT;

-- person 37 never came: what refers to them goes too, unseen in the log
BEGIN;
INSERT INTO ohrm_project_admin VALUES (3, 37);
DELETE FROM hs_hr_employee WHERE emp_number = 37;
COMMIT;

-- person 36 administers project 4
BEGIN;
INSERT INTO ohrm_project_admin VALUES (4, 36);
COMMIT;

-- person 36 is removed: what refers to them goes too, unseen in the log
BEGIN;
DELETE FROM hs_hr_employee WHERE emp_number = 36;
COMMIT;

-- project 11 deleted: activities and administrators go too, unseen in the log
BEGIN;
DELETE FROM ohrm_project WHERE project_id = 11;
COMMIT;

-- project 11 made again under the same number
BEGIN;
INSERT INTO ohrm_project (project_id, customer_id, name, is_deleted) VALUES (11, 7, 'Project 11 again', 0);
INSERT INTO ohrm_project_admin VALUES (11, 8);
COMMIT;

-- person 8 purged
BEGIN;
UPDATE hs_hr_employee SET emp_firstname = 'Purge', emp_lastname = 'Purge', emp_work_email = NULL, purged_at = '2026-11-22 10:00:00' WHERE emp_number = 8;
COMMIT;

-- unit 7 deleted: people lose it, unseen in the log
BEGIN;
DELETE FROM ohrm_subunit WHERE id = 7;
UPDATE ohrm_subunit SET lft = lft - 2 WHERE lft > 8;
UPDATE ohrm_subunit SET rgt = rgt - 2 WHERE rgt > 8;
COMMIT;

-- a row replaced as it was
BEGIN;
REPLACE INTO ohrm_project_admin VALUES (2, 3);
COMMIT;

-- submitted sheet 23
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 23;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (234, NULL, 'SUBMITTED', '2026-11-26', 1, 23);
COMMIT;

-- submitted sheet 128
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 128;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (235, NULL, 'SUBMITTED', '2026-11-24', 1, 128);
COMMIT;

-- approved sheet 90
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 90;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (236, NULL, 'APPROVED', '2026-11-22', 1, 90);
COMMIT;

-- delete item 170
BEGIN;
DELETE FROM ohrm_timesheet_item WHERE timesheet_item_id = 170;
COMMIT;

-- submitted sheet 34
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 34;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (237, NULL, 'SUBMITTED', '2026-11-27', 1, 34);
COMMIT;

-- project 6 moves to another client (its key changes)
BEGIN;
UPDATE ohrm_project SET customer_id = 1 + (customer_id + 0) % 5 WHERE project_id = 6;
COMMIT;

-- a writer that gives up
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED';
DELETE FROM ohrm_timesheet_item WHERE timesheet_item_id % 3 = 0;
ROLLBACK;

-- submitted sheet 89
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 89;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (238, NULL, 'SUBMITTED', '2026-11-26', 1, 89);
COMMIT;

-- submitted sheet 15
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 15;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (239, NULL, 'SUBMITTED', '2026-11-23', 1, 15);
COMMIT;

-- approved sheet 61
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 61;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (240, NULL, 'APPROVED', '2026-11-23', 2, 61);
COMMIT;

-- approved sheet 112
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 112;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (241, NULL, 'APPROVED', '2026-11-23', 2, 112);
COMMIT;

-- submitted sheet 76
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 76;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (242, NULL, 'SUBMITTED', '2026-11-22', 1, 76);
COMMIT;

-- correct item 31
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 15065, comment = 'überarbeitet' WHERE timesheet_item_id = 31;
COMMIT;

-- project 2 moves to another client (its key changes)
BEGIN;
UPDATE ohrm_project SET customer_id = 1 + (customer_id + 3) % 5 WHERE project_id = 2;
COMMIT;

-- correct item 19
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 16038, comment = 'corrected' WHERE timesheet_item_id = 19;
COMMIT;

-- submitted sheet 98
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 98;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (243, NULL, 'SUBMITTED', '2026-11-20', 1, 98);
COMMIT;

-- approved sheet 79
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 79;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (244, NULL, 'APPROVED', '2026-11-23', 2, 79);
COMMIT;

-- project 7 moves to another client (its key changes)
BEGIN;
UPDATE ohrm_project SET customer_id = 1 + (customer_id + 0) % 5 WHERE project_id = 7;
COMMIT;

-- rejected sheet 62
BEGIN;
UPDATE ohrm_timesheet SET state = 'REJECTED' WHERE timesheet_id = 62;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (245, NULL, 'REJECTED', '2026-11-20', 1, 62);
COMMIT;

-- submitted sheet 39
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 39;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (246, NULL, 'SUBMITTED', '2026-11-20', 1, 39);
COMMIT;

-- submitted sheet 10
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 10;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (247, NULL, 'SUBMITTED', '2026-11-26', 1, 10);
COMMIT;

-- submitted sheet 28
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 28;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (248, NULL, 'SUBMITTED', '2026-11-24', 1, 28);
COMMIT;

-- submitted sheet 56
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 56;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (249, NULL, 'SUBMITTED', '2026-11-27', 1, 56);
COMMIT;

-- log a week: sheet 145
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (145, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 14);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (721, 145, '2026-11-23', 0, NULL, 1, 14, 1), (722, 145, '2026-11-24', 0, NULL, 1, 14, 21), (723, 145, '2026-11-25', 0, NULL, 1, 14, 11), (724, 145, '2026-11-26', 0, NULL, 1, 14, 21), (725, 145, '2026-11-27', 0, NULL, 1, 14, 11);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = 'Workshop' WHERE timesheet_id = 145 AND timesheet_item_id < 725;
COMMIT;

-- delete item 475
BEGIN;
DELETE FROM ohrm_timesheet_item WHERE timesheet_item_id = 475;
COMMIT;

-- rejected sheet 28
BEGIN;
UPDATE ohrm_timesheet SET state = 'REJECTED' WHERE timesheet_id = 28;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (250, NULL, 'REJECTED', '2026-11-27', 2, 28);
COMMIT;

-- approved sheet 29
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 29;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (251, NULL, 'APPROVED', '2026-11-20', 1, 29);
COMMIT;

-- log a week: sheet 146
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (146, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 15);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (726, 146, '2026-11-23', 0, NULL, 8, 15, 28), (727, 146, '2026-11-24', 0, NULL, 8, 15, 28), (728, 146, '2026-11-25', 0, NULL, 8, 15, 8), (729, 146, '2026-11-26', 0, NULL, 8, 15, 18), (730, 146, '2026-11-27', 0, NULL, 8, 15, 28);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = 'Workshop' WHERE timesheet_id = 146 AND timesheet_item_id < 730;
COMMIT;

-- hire 38
BEGIN;
INSERT INTO hs_hr_employee (emp_number, employee_id, emp_lastname, emp_firstname, emp_middle_name, emp_status, job_title_code, work_station) VALUES (38, '0038', 'Ünal', 'Bo', '', 1, 1, 2);
INSERT INTO hs_hr_emp_reportto VALUES (1, 38, 1);
INSERT INTO hs_hr_emp_basicsalary (emp_number, currency_id, ebsal_basic_salary, salary_component) VALUES (38, 'EUR', '48.000,00', 'Base');
UPDATE hs_hr_employee SET joined_date = '2026-01-01', emp_work_email = 'E38@Albion.example' WHERE emp_number = 38;
COMMIT;

-- delete item 725
BEGIN;
DELETE FROM ohrm_timesheet_item WHERE timesheet_item_id = 725;
COMMIT;

-- correct item 33
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 20778, comment = 'überarbeitet' WHERE timesheet_item_id = 33;
COMMIT;

-- approved sheet 134
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 134;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (252, NULL, 'APPROVED', '2026-11-26', 2, 134);
COMMIT;

-- approved sheet 51
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 51;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (253, NULL, 'APPROVED', '2026-11-27', 2, 51);
COMMIT;

-- submitted sheet 12
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 12;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (254, NULL, 'SUBMITTED', '2026-11-20', 1, 12);
COMMIT;

-- approved sheet 89
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 89;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (255, NULL, 'APPROVED', '2026-11-28', 1, 89);
COMMIT;

-- submitted sheet 139
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 139;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (256, NULL, 'SUBMITTED', '2026-11-21', 1, 139);
COMMIT;

-- correct item 215
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 14790, comment = 'überarbeitet' WHERE timesheet_item_id = 215;
COMMIT;

-- transfer 20
BEGIN;
UPDATE hs_hr_employee SET work_station = 4, job_title_code = 1 WHERE emp_number = 20;
DELETE FROM hs_hr_emp_reportto WHERE erep_sub_emp_number = 20;
INSERT INTO hs_hr_emp_reportto VALUES (3, 20, 1);
COMMIT;

-- correct item 526
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 1100, comment = NULL WHERE timesheet_item_id = 526;
COMMIT;

-- submitted sheet 78
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 78;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (257, NULL, 'SUBMITTED', '2026-11-25', 1, 78);
COMMIT;

-- submitted sheet 84
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 84;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (258, NULL, 'SUBMITTED', '2026-11-25', 1, 84);
COMMIT;

-- nothing that counts: 16
BEGIN;
UPDATE hs_hr_employee SET emp_mobile = '+49 170 5296', custom1 = 'Notiz 58' WHERE emp_number = 16;
COMMIT;

-- log a week: sheet 147
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (147, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 10);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (731, 147, '2026-11-23', 0, NULL, 5, 10, 5), (732, 147, '2026-11-24', 0, NULL, 5, 10, 25), (733, 147, '2026-11-25', 0, NULL, 5, 10, 25), (734, 147, '2026-11-26', 0, NULL, 5, 10, 5), (735, 147, '2026-11-27', 0, NULL, 5, 10, 5);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = '''quoted''' WHERE timesheet_id = 147 AND timesheet_item_id < 735;
COMMIT;

-- transfer 6
BEGIN;
UPDATE hs_hr_employee SET work_station = 5, job_title_code = 1 WHERE emp_number = 6;
DELETE FROM hs_hr_emp_reportto WHERE erep_sub_emp_number = 6;
INSERT INTO hs_hr_emp_reportto VALUES (2, 6, 1);
COMMIT;

-- log a week: sheet 148
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (148, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 15);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (736, 148, '2026-11-23', 0, NULL, 1, 15, 11), (737, 148, '2026-11-24', 0, NULL, 1, 15, 1), (738, 148, '2026-11-25', 0, NULL, 1, 15, 1), (739, 148, '2026-11-26', 0, NULL, 1, 15, 21), (740, 148, '2026-11-27', 0, NULL, 1, 15, 21);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = '''quoted''' WHERE timesheet_id = 148 AND timesheet_item_id < 740;
COMMIT;

-- delete item 735
BEGIN;
DELETE FROM ohrm_timesheet_item WHERE timesheet_item_id = 735;
COMMIT;

-- approved sheet 84
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 84;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (259, NULL, 'APPROVED', '2026-11-27', 1, 84);
COMMIT;

-- submitted sheet 95
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 95;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (260, NULL, 'SUBMITTED', '2026-11-21', 1, 95);
COMMIT;

-- log a week: sheet 149
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (149, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 29);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (741, 149, '2026-11-23', 0, NULL, 6, 29, 26), (742, 149, '2026-11-24', 0, NULL, 6, 29, 16), (743, 149, '2026-11-25', 0, NULL, 6, 29, 26), (744, 149, '2026-11-26', 0, NULL, 6, 29, 6), (745, 149, '2026-11-27', 0, NULL, 6, 29, 26);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = 'Ä, "ö" – 100 %' WHERE timesheet_id = 149 AND timesheet_item_id < 745;
COMMIT;

-- log a week: sheet 150
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (150, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 16);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (746, 150, '2026-11-23', 0, NULL, 1, 16, 21), (747, 150, '2026-11-24', 0, NULL, 1, 16, 11), (748, 150, '2026-11-25', 0, NULL, 1, 16, 1), (749, 150, '2026-11-26', 0, NULL, 1, 16, 11), (750, 150, '2026-11-27', 0, NULL, 1, 16, 11);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = 'Zeile 1\nZeile 2' WHERE timesheet_id = 150 AND timesheet_item_id < 750;
COMMIT;

-- approved sheet 56
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 56;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (261, NULL, 'APPROVED', '2026-11-23', 1, 56);
COMMIT;

-- correct item 724
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 16856, comment = 'corrected' WHERE timesheet_item_id = 724;
COMMIT;

-- rejected sheet 35
BEGIN;
UPDATE ohrm_timesheet SET state = 'REJECTED' WHERE timesheet_id = 35;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (262, NULL, 'REJECTED', '2026-11-20', 2, 35);
COMMIT;

-- submitted sheet 115
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 115;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (263, NULL, 'SUBMITTED', '2026-11-25', 1, 115);
COMMIT;

-- nothing that counts: 20
BEGIN;
UPDATE hs_hr_employee SET emp_mobile = '+49 170 3860', custom1 = 'Notiz 11' WHERE emp_number = 20;
COMMIT;

-- approved sheet 45
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 45;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (264, NULL, 'APPROVED', '2026-11-27', 1, 45);
COMMIT;

-- approved sheet 76
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 76;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (265, NULL, 'APPROVED', '2026-11-23', 2, 76);
COMMIT;

-- nothing that counts: 23
BEGIN;
UPDATE hs_hr_employee SET emp_mobile = '+49 170 2389', custom1 = 'Notiz 18' WHERE emp_number = 23;
COMMIT;

-- nothing that counts: 19
BEGIN;
UPDATE hs_hr_employee SET emp_mobile = '+49 170 8253', custom1 = 'Notiz 23' WHERE emp_number = 19;
COMMIT;

-- log a week: sheet 151
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (151, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 23);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (751, 151, '2026-11-23', 0, NULL, 7, 23, 7), (752, 151, '2026-11-24', 0, NULL, 7, 23, 7), (753, 151, '2026-11-25', 0, NULL, 7, 23, 17), (754, 151, '2026-11-26', 0, NULL, 7, 23, 7), (755, 151, '2026-11-27', 0, NULL, 7, 23, 27);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = 'Zeile 1\nZeile 2' WHERE timesheet_id = 151 AND timesheet_item_id < 755;
COMMIT;

-- submitted sheet 145
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 145;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (266, NULL, 'SUBMITTED', '2026-11-28', 1, 145);
COMMIT;

-- nothing that counts: 12
BEGIN;
UPDATE hs_hr_employee SET emp_mobile = '+49 170 2025', custom1 = 'Notiz 55' WHERE emp_number = 12;
COMMIT;

-- approved sheet 101
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 101;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (267, NULL, 'APPROVED', '2026-11-23', 2, 101);
COMMIT;

-- delete item 530
BEGIN;
DELETE FROM ohrm_timesheet_item WHERE timesheet_item_id = 530;
COMMIT;

-- log a week: sheet 152
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (152, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 7);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (756, 152, '2026-11-23', 0, NULL, 1, 7, 1), (757, 152, '2026-11-24', 0, NULL, 1, 7, 11), (758, 152, '2026-11-25', 0, NULL, 1, 7, 21), (759, 152, '2026-11-26', 0, NULL, 1, 7, 1), (760, 152, '2026-11-27', 0, NULL, 1, 7, 1);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = '''quoted''' WHERE timesheet_id = 152 AND timesheet_item_id < 760;
COMMIT;

-- submitted sheet 122
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 122;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (268, NULL, 'SUBMITTED', '2026-11-21', 1, 122);
COMMIT;

-- a writer that gives up
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED';
DELETE FROM ohrm_timesheet_item WHERE timesheet_item_id % 3 = 0;
ROLLBACK;

-- correct item 759
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 22089, comment = '' WHERE timesheet_item_id = 759;
COMMIT;

-- log a week: sheet 153
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (153, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 32);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (761, 153, '2026-11-23', 0, NULL, 1, 32, 1), (762, 153, '2026-11-24', 0, NULL, 1, 32, 11), (763, 153, '2026-11-25', 0, NULL, 1, 32, 21), (764, 153, '2026-11-26', 0, NULL, 1, 32, 11), (765, 153, '2026-11-27', 0, NULL, 1, 32, 1);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = '''quoted''' WHERE timesheet_id = 153 AND timesheet_item_id < 765;
COMMIT;

-- submitted sheet 17
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 17;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (269, NULL, 'SUBMITTED', '2026-11-27', 1, 17);
COMMIT;

-- approved sheet 18
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 18;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (270, NULL, 'APPROVED', '2026-11-28', 1, 18);
COMMIT;

-- correct item 16
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 18725, comment = 'corrected' WHERE timesheet_item_id = 16;
COMMIT;

-- submitted sheet 87
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 87;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (271, NULL, 'SUBMITTED', '2026-11-25', 1, 87);
COMMIT;

-- correct item 762
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 31225, comment = NULL WHERE timesheet_item_id = 762;
COMMIT;

-- submitted sheet 50
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 50;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (272, NULL, 'SUBMITTED', '2026-11-20', 1, 50);
COMMIT;

-- project 8 moves to another client (its key changes)
BEGIN;
UPDATE ohrm_project SET customer_id = 1 + (customer_id + 1) % 5 WHERE project_id = 8;
COMMIT;

-- submitted sheet 4
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 4;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (273, NULL, 'SUBMITTED', '2026-11-28', 1, 4);
COMMIT;

-- submitted sheet 35
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 35;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (274, NULL, 'SUBMITTED', '2026-11-23', 1, 35);
COMMIT;

-- nothing that counts: 5
BEGIN;
UPDATE hs_hr_employee SET emp_mobile = '+49 170 3850', custom1 = 'Notiz 78' WHERE emp_number = 5;
COMMIT;

-- submitted sheet 100
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 100;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (275, NULL, 'SUBMITTED', '2026-11-23', 1, 100);
COMMIT;

-- transfer 27
BEGIN;
UPDATE hs_hr_employee SET work_station = 3, job_title_code = 2 WHERE emp_number = 27;
DELETE FROM hs_hr_emp_reportto WHERE erep_sub_emp_number = 27;
INSERT INTO hs_hr_emp_reportto VALUES (2, 27, 1);
COMMIT;

-- approved sheet 67
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 67;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (276, NULL, 'APPROVED', '2026-11-21', 1, 67);
COMMIT;

-- rejected sheet 140
BEGIN;
UPDATE ohrm_timesheet SET state = 'REJECTED' WHERE timesheet_id = 140;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (277, NULL, 'REJECTED', '2026-11-28', 1, 140);
COMMIT;

-- submitted sheet 149
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 149;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (278, NULL, 'SUBMITTED', '2026-11-28', 1, 149);
COMMIT;

-- approved sheet 15
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 15;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (279, NULL, 'APPROVED', '2026-11-26', 1, 15);
COMMIT;

-- nothing that counts: 5
BEGIN;
UPDATE hs_hr_employee SET emp_mobile = '+49 170 5417', custom1 = 'Notiz 60' WHERE emp_number = 5;
COMMIT;

-- submitted sheet 153
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 153;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (280, NULL, 'SUBMITTED', '2026-11-28', 1, 153);
COMMIT;

-- submitted sheet 106
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 106;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (281, NULL, 'SUBMITTED', '2026-11-24', 1, 106);
COMMIT;

-- log a week: sheet 154
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (154, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 26);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (766, 154, '2026-11-23', 0, NULL, 5, 26, 25), (767, 154, '2026-11-24', 0, NULL, 5, 26, 5), (768, 154, '2026-11-25', 0, NULL, 5, 26, 15), (769, 154, '2026-11-26', 0, NULL, 5, 26, 5), (770, 154, '2026-11-27', 0, NULL, 5, 26, 5);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = 'Workshop' WHERE timesheet_id = 154 AND timesheet_item_id < 770;
COMMIT;

-- submitted sheet 151
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 151;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (282, NULL, 'SUBMITTED', '2026-11-25', 1, 151);
COMMIT;

-- transfer 7
BEGIN;
UPDATE hs_hr_employee SET work_station = 6, job_title_code = 2 WHERE emp_number = 7;
DELETE FROM hs_hr_emp_reportto WHERE erep_sub_emp_number = 7;
INSERT INTO hs_hr_emp_reportto VALUES (1, 7, 1);
COMMIT;

-- approved sheet 145
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 145;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (283, NULL, 'APPROVED', '2026-11-27', 1, 145);
COMMIT;

-- nothing that counts: 28
BEGIN;
UPDATE hs_hr_employee SET emp_mobile = '+49 170 3162', custom1 = 'Notiz 82' WHERE emp_number = 28;
COMMIT;

-- hire 39
BEGIN;
INSERT INTO hs_hr_employee (emp_number, employee_id, emp_lastname, emp_firstname, emp_middle_name, emp_status, job_title_code, work_station) VALUES (39, '0039', 'D''Arcy', 'Inès', '', 1, 1, 3);
INSERT INTO hs_hr_emp_reportto VALUES (2, 39, 1);
INSERT INTO hs_hr_emp_basicsalary (emp_number, currency_id, ebsal_basic_salary, salary_component) VALUES (39, 'EUR', '48.000,00', 'Base');
UPDATE hs_hr_employee SET joined_date = '2026-09-01', emp_work_email = 'E39@Albion.example' WHERE emp_number = 39;
COMMIT;

-- log a week: sheet 155
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (155, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 32);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (771, 155, '2026-11-23', 0, NULL, 6, 32, 16), (772, 155, '2026-11-24', 0, NULL, 6, 32, 26), (773, 155, '2026-11-25', 0, NULL, 6, 32, 16), (774, 155, '2026-11-26', 0, NULL, 6, 32, 16), (775, 155, '2026-11-27', 0, NULL, 6, 32, 16);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = 'Workshop' WHERE timesheet_id = 155 AND timesheet_item_id < 775;
COMMIT;

-- correct item 696
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 8280, comment = NULL WHERE timesheet_item_id = 696;
COMMIT;

-- submitted sheet 140
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 140;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (284, NULL, 'SUBMITTED', '2026-11-25', 1, 140);
COMMIT;

-- project 5 moves to another client (its key changes)
BEGIN;
UPDATE ohrm_project SET customer_id = 1 + (customer_id + 1) % 5 WHERE project_id = 5;
COMMIT;

-- log a week: sheet 156
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (156, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 19);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (776, 156, '2026-11-23', 0, NULL, 9, 19, 9), (777, 156, '2026-11-24', 0, NULL, 9, 19, 29), (778, 156, '2026-11-25', 0, NULL, 9, 19, 9), (779, 156, '2026-11-26', 0, NULL, 9, 19, 19), (780, 156, '2026-11-27', 0, NULL, 9, 19, 19);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = 'Zeile 1\nZeile 2' WHERE timesheet_id = 156 AND timesheet_item_id < 780;
COMMIT;

-- correct item 734
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 12971, comment = 'corrected' WHERE timesheet_item_id = 734;
COMMIT;

-- submitted sheet 150
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 150;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (285, NULL, 'SUBMITTED', '2026-11-22', 1, 150);
COMMIT;

-- correct item 628
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 30765, comment = 'corrected' WHERE timesheet_item_id = 628;
COMMIT;

-- submitted sheet 28
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 28;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (286, NULL, 'SUBMITTED', '2026-11-27', 1, 28);
COMMIT;

-- rejected sheet 28
BEGIN;
UPDATE ohrm_timesheet SET state = 'REJECTED' WHERE timesheet_id = 28;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (287, NULL, 'REJECTED', '2026-11-27', 2, 28);
COMMIT;

-- approved sheet 115
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 115;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (288, NULL, 'APPROVED', '2026-11-22', 1, 115);
COMMIT;

-- approved sheet 128
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 128;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (289, NULL, 'APPROVED', '2026-11-26', 2, 128);
COMMIT;

-- correct item 757
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 10323, comment = '' WHERE timesheet_item_id = 757;
COMMIT;

-- nothing that counts: 8
BEGIN;
UPDATE hs_hr_employee SET emp_mobile = '+49 170 1050', custom1 = 'Notiz 44' WHERE emp_number = 8;
COMMIT;

-- log a week: sheet 157
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (157, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 14);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (781, 157, '2026-11-23', 0, NULL, 1, 14, 21), (782, 157, '2026-11-24', 0, NULL, 1, 14, 1), (783, 157, '2026-11-25', 0, NULL, 1, 14, 1), (784, 157, '2026-11-26', 0, NULL, 1, 14, 21), (785, 157, '2026-11-27', 0, NULL, 1, 14, 21);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = 'Ä, "ö" – 100 %' WHERE timesheet_id = 157 AND timesheet_item_id < 785;
COMMIT;

-- submitted sheet 146
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 146;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (290, NULL, 'SUBMITTED', '2026-11-25', 1, 146);
COMMIT;

-- submitted sheet 62
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 62;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (291, NULL, 'SUBMITTED', '2026-11-21', 1, 62);
COMMIT;

-- submitted sheet 147
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 147;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (292, NULL, 'SUBMITTED', '2026-11-23', 1, 147);
COMMIT;

-- approved sheet 12
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 12;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (293, NULL, 'APPROVED', '2026-11-20', 1, 12);
COMMIT;

-- approved sheet 100
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 100;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (294, NULL, 'APPROVED', '2026-11-21', 1, 100);
COMMIT;

-- submitted sheet 152
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 152;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (295, NULL, 'SUBMITTED', '2026-11-26', 1, 152);
COMMIT;

-- submitted sheet 156
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 156;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (296, NULL, 'SUBMITTED', '2026-11-23', 1, 156);
COMMIT;

-- correct item 768
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 13026, comment = NULL WHERE timesheet_item_id = 768;
COMMIT;

-- submitted sheet 154
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 154;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (297, NULL, 'SUBMITTED', '2026-11-24', 1, 154);
COMMIT;

-- correct item 478
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 1143, comment = 'corrected' WHERE timesheet_item_id = 478;
COMMIT;

-- correct item 213
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 34753, comment = '' WHERE timesheet_item_id = 213;
COMMIT;

-- correct item 681
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 34622, comment = NULL WHERE timesheet_item_id = 681;
COMMIT;

-- project 5 moves to another client (its key changes)
BEGIN;
UPDATE ohrm_project SET customer_id = 1 + (customer_id + 0) % 5 WHERE project_id = 5;
COMMIT;

-- transfer 18
BEGIN;
UPDATE hs_hr_employee SET work_station = 6, job_title_code = 3 WHERE emp_number = 18;
DELETE FROM hs_hr_emp_reportto WHERE erep_sub_emp_number = 18;
INSERT INTO hs_hr_emp_reportto VALUES (3, 18, 1);
COMMIT;

-- log a week: sheet 158
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (158, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 7);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (786, 158, '2026-11-23', 0, NULL, 5, 7, 5), (787, 158, '2026-11-24', 0, NULL, 5, 7, 5), (788, 158, '2026-11-25', 0, NULL, 5, 7, 5), (789, 158, '2026-11-26', 0, NULL, 5, 7, 25), (790, 158, '2026-11-27', 0, NULL, 5, 7, 5);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = 'Ä, "ö" – 100 %' WHERE timesheet_id = 158 AND timesheet_item_id < 790;
COMMIT;

-- delete item 740
BEGIN;
DELETE FROM ohrm_timesheet_item WHERE timesheet_item_id = 740;
COMMIT;

-- hire 40
BEGIN;
INSERT INTO hs_hr_employee (emp_number, employee_id, emp_lastname, emp_firstname, emp_middle_name, emp_status, job_title_code, work_station) VALUES (40, '0040', 'Øster', 'Çağla', '', 1, 1, 2);
INSERT INTO hs_hr_emp_reportto VALUES (1, 40, 1);
INSERT INTO hs_hr_emp_basicsalary (emp_number, currency_id, ebsal_basic_salary, salary_component) VALUES (40, 'EUR', '48.000,00', 'Base');
UPDATE hs_hr_employee SET joined_date = '2026-06-01', emp_work_email = 'E40@Albion.example' WHERE emp_number = 40;
COMMIT;

-- a writer that gives up
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED';
DELETE FROM ohrm_timesheet_item WHERE timesheet_item_id % 3 = 0;
ROLLBACK;

-- project 3 moves to another client (its key changes)
BEGIN;
UPDATE ohrm_project SET customer_id = 1 + (customer_id + 1) % 5 WHERE project_id = 3;
COMMIT;

-- delete item 775
BEGIN;
DELETE FROM ohrm_timesheet_item WHERE timesheet_item_id = 775;
COMMIT;

-- rejected sheet 149
BEGIN;
UPDATE ohrm_timesheet SET state = 'REJECTED' WHERE timesheet_id = 149;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (298, NULL, 'REJECTED', '2026-11-21', 1, 149);
COMMIT;

-- delete item 774
BEGIN;
DELETE FROM ohrm_timesheet_item WHERE timesheet_item_id = 774;
COMMIT;

-- nothing that counts: 6
BEGIN;
UPDATE hs_hr_employee SET emp_mobile = '+49 170 7544', custom1 = 'Notiz 75' WHERE emp_number = 6;
COMMIT;

-- submitted sheet 155
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 155;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (299, NULL, 'SUBMITTED', '2026-11-24', 1, 155);
COMMIT;

-- approved sheet 140
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 140;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (300, NULL, 'APPROVED', '2026-11-27', 1, 140);
COMMIT;

-- log a week: sheet 159
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (159, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 13);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (791, 159, '2026-11-23', 0, NULL, 3, 13, 13), (792, 159, '2026-11-24', 0, NULL, 3, 13, 13), (793, 159, '2026-11-25', 0, NULL, 3, 13, 23), (794, 159, '2026-11-26', 0, NULL, 3, 13, 13), (795, 159, '2026-11-27', 0, NULL, 3, 13, 23);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = 'Ä, "ö" – 100 %' WHERE timesheet_id = 159 AND timesheet_item_id < 795;
COMMIT;

-- transfer 18
BEGIN;
UPDATE hs_hr_employee SET work_station = 5, job_title_code = 2 WHERE emp_number = 18;
DELETE FROM hs_hr_emp_reportto WHERE erep_sub_emp_number = 18;
INSERT INTO hs_hr_emp_reportto VALUES (3, 18, 1);
COMMIT;

-- submitted sheet 157
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 157;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (301, NULL, 'SUBMITTED', '2026-11-21', 1, 157);
COMMIT;

-- log a week: sheet 160
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (160, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 29);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (796, 160, '2026-11-23', 0, NULL, 5, 29, 15), (797, 160, '2026-11-24', 0, NULL, 5, 29, 15), (798, 160, '2026-11-25', 0, NULL, 5, 29, 5), (799, 160, '2026-11-26', 0, NULL, 5, 29, 5), (800, 160, '2026-11-27', 0, NULL, 5, 29, 5);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = 'Ä, "ö" – 100 %' WHERE timesheet_id = 160 AND timesheet_item_id < 800;
COMMIT;

-- approved sheet 152
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 152;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (302, NULL, 'APPROVED', '2026-11-20', 2, 152);
COMMIT;

-- submitted sheet 160
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 160;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (303, NULL, 'SUBMITTED', '2026-11-22', 1, 160);
COMMIT;

-- approved sheet 62
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 62;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (304, NULL, 'APPROVED', '2026-11-21', 1, 62);
COMMIT;

-- correct item 788
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 35862, comment = 'überarbeitet' WHERE timesheet_item_id = 788;
COMMIT;

-- correct item 27
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 19007, comment = NULL WHERE timesheet_item_id = 27;
COMMIT;

-- submitted sheet 158
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 158;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (305, NULL, 'SUBMITTED', '2026-11-23', 1, 158);
COMMIT;

-- correct item 641
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 35692, comment = 'corrected' WHERE timesheet_item_id = 641;
COMMIT;

-- approved sheet 151
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 151;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (306, NULL, 'APPROVED', '2026-11-22', 1, 151);
COMMIT;

-- correct item 520
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 26653, comment = 'überarbeitet' WHERE timesheet_item_id = 520;
COMMIT;

-- delete item 795
BEGIN;
DELETE FROM ohrm_timesheet_item WHERE timesheet_item_id = 795;
COMMIT;

-- approved sheet 35
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 35;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (307, NULL, 'APPROVED', '2026-11-23', 1, 35);
COMMIT;

-- transfer 11
BEGIN;
UPDATE hs_hr_employee SET work_station = 6, job_title_code = 2 WHERE emp_number = 11;
DELETE FROM hs_hr_emp_reportto WHERE erep_sub_emp_number = 11;
INSERT INTO hs_hr_emp_reportto VALUES (3, 11, 1);
COMMIT;

-- log a week: sheet 161
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (161, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 20);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (801, 161, '2026-11-23', 0, NULL, 6, 20, 26), (802, 161, '2026-11-24', 0, NULL, 6, 20, 16), (803, 161, '2026-11-25', 0, NULL, 6, 20, 16), (804, 161, '2026-11-26', 0, NULL, 6, 20, 16), (805, 161, '2026-11-27', 0, NULL, 6, 20, 6);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = '''quoted''' WHERE timesheet_id = 161 AND timesheet_item_id < 805;
COMMIT;

-- nothing that counts: 16
BEGIN;
UPDATE hs_hr_employee SET emp_mobile = '+49 170 6812', custom1 = 'Notiz 63' WHERE emp_number = 16;
COMMIT;

-- submitted sheet 32
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 32;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (308, NULL, 'SUBMITTED', '2026-11-24', 1, 32);
COMMIT;

-- log a week: sheet 162
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (162, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 21);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (806, 162, '2026-11-23', 0, NULL, 2, 21, 22), (807, 162, '2026-11-24', 0, NULL, 2, 21, 22), (808, 162, '2026-11-25', 0, NULL, 2, 21, 22), (809, 162, '2026-11-26', 0, NULL, 2, 21, 12), (810, 162, '2026-11-27', 0, NULL, 2, 21, 12);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = 'Zeile 1\nZeile 2' WHERE timesheet_id = 162 AND timesheet_item_id < 810;
COMMIT;

-- transfer 15
BEGIN;
UPDATE hs_hr_employee SET work_station = 4, job_title_code = 1 WHERE emp_number = 15;
DELETE FROM hs_hr_emp_reportto WHERE erep_sub_emp_number = 15;
INSERT INTO hs_hr_emp_reportto VALUES (1, 15, 1);
COMMIT;

-- project 2 moves to another client (its key changes)
BEGIN;
UPDATE ohrm_project SET customer_id = 1 + (customer_id + 0) % 5 WHERE project_id = 2;
COMMIT;

-- approved sheet 78
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 78;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (309, NULL, 'APPROVED', '2026-11-28', 2, 78);
COMMIT;

-- submitted sheet 148
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 148;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (310, NULL, 'SUBMITTED', '2026-11-21', 1, 148);
COMMIT;

-- submitted sheet 162
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 162;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (311, NULL, 'SUBMITTED', '2026-11-21', 1, 162);
COMMIT;

-- rejected sheet 154
BEGIN;
UPDATE ohrm_timesheet SET state = 'REJECTED' WHERE timesheet_id = 154;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (312, NULL, 'REJECTED', '2026-11-24', 2, 154);
COMMIT;

-- nothing that counts: 25
BEGIN;
UPDATE hs_hr_employee SET emp_mobile = '+49 170 9751', custom1 = 'Notiz 59' WHERE emp_number = 25;
COMMIT;

-- correct item 516
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 35124, comment = '' WHERE timesheet_item_id = 516;
COMMIT;

-- log a week: sheet 163
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (163, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 17);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (811, 163, '2026-11-23', 0, NULL, 7, 17, 27), (812, 163, '2026-11-24', 0, NULL, 7, 17, 17), (813, 163, '2026-11-25', 0, NULL, 7, 17, 7), (814, 163, '2026-11-26', 0, NULL, 7, 17, 7), (815, 163, '2026-11-27', 0, NULL, 7, 17, 7);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = '''quoted''' WHERE timesheet_id = 163 AND timesheet_item_id < 815;
COMMIT;

-- approved sheet 156
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 156;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (313, NULL, 'APPROVED', '2026-11-26', 1, 156);
COMMIT;

-- submitted sheet 163
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 163;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (314, NULL, 'SUBMITTED', '2026-11-24', 1, 163);
COMMIT;

-- rejected sheet 153
BEGIN;
UPDATE ohrm_timesheet SET state = 'REJECTED' WHERE timesheet_id = 153;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (315, NULL, 'REJECTED', '2026-11-21', 1, 153);
COMMIT;

-- rejected sheet 39
BEGIN;
UPDATE ohrm_timesheet SET state = 'REJECTED' WHERE timesheet_id = 39;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (316, NULL, 'REJECTED', '2026-11-23', 1, 39);
COMMIT;

-- project 3 moves to another client (its key changes)
BEGIN;
UPDATE ohrm_project SET customer_id = 1 + (customer_id + 1) % 5 WHERE project_id = 3;
COMMIT;

-- correct item 803
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 34118, comment = 'überarbeitet' WHERE timesheet_item_id = 803;
COMMIT;

-- delete item 805
BEGIN;
DELETE FROM ohrm_timesheet_item WHERE timesheet_item_id = 805;
COMMIT;

-- submitted sheet 6
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 6;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (317, NULL, 'SUBMITTED', '2026-11-28', 1, 6);
COMMIT;

-- correct item 802
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 27694, comment = NULL WHERE timesheet_item_id = 802;
COMMIT;

-- transfer 13
BEGIN;
UPDATE hs_hr_employee SET work_station = 6, job_title_code = 3 WHERE emp_number = 13;
DELETE FROM hs_hr_emp_reportto WHERE erep_sub_emp_number = 13;
INSERT INTO hs_hr_emp_reportto VALUES (1, 13, 1);
COMMIT;

-- nothing that counts: 27
BEGIN;
UPDATE hs_hr_employee SET emp_mobile = '+49 170 7181', custom1 = 'Notiz 61' WHERE emp_number = 27;
COMMIT;

-- approved sheet 34
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 34;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (318, NULL, 'APPROVED', '2026-11-21', 1, 34);
COMMIT;

-- transfer 17
BEGIN;
UPDATE hs_hr_employee SET work_station = 3, job_title_code = 3 WHERE emp_number = 17;
DELETE FROM hs_hr_emp_reportto WHERE erep_sub_emp_number = 17;
INSERT INTO hs_hr_emp_reportto VALUES (2, 17, 1);
COMMIT;

-- submitted sheet 159
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 159;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (319, NULL, 'SUBMITTED', '2026-11-21', 1, 159);
COMMIT;

-- correct item 410
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 6612, comment = '' WHERE timesheet_item_id = 410;
COMMIT;

-- approved sheet 146
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 146;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (320, NULL, 'APPROVED', '2026-11-25', 1, 146);
COMMIT;

-- approved sheet 118
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 118;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (321, NULL, 'APPROVED', '2026-11-22', 2, 118);
COMMIT;

-- transfer 16
BEGIN;
UPDATE hs_hr_employee SET work_station = 3, job_title_code = 3 WHERE emp_number = 16;
DELETE FROM hs_hr_emp_reportto WHERE erep_sub_emp_number = 16;
INSERT INTO hs_hr_emp_reportto VALUES (2, 16, 1);
COMMIT;

-- submitted sheet 161
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 161;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (322, NULL, 'SUBMITTED', '2026-11-24', 1, 161);
COMMIT;

-- log a week: sheet 164
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (164, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 29);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (816, 164, '2026-11-23', 0, NULL, 1, 29, 21), (817, 164, '2026-11-24', 0, NULL, 1, 29, 11), (818, 164, '2026-11-25', 0, NULL, 1, 29, 1), (819, 164, '2026-11-26', 0, NULL, 1, 29, 21), (820, 164, '2026-11-27', 0, NULL, 1, 29, 1);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = '''quoted''' WHERE timesheet_id = 164 AND timesheet_item_id < 820;
COMMIT;

-- correct item 818
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 34116, comment = '' WHERE timesheet_item_id = 818;
COMMIT;

-- approved sheet 133
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 133;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (323, NULL, 'APPROVED', '2026-11-22', 2, 133);
COMMIT;

-- approved sheet 95
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 95;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (324, NULL, 'APPROVED', '2026-11-28', 1, 95);
COMMIT;

-- a writer that gives up
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED';
DELETE FROM ohrm_timesheet_item WHERE timesheet_item_id % 3 = 0;
ROLLBACK;

-- correct item 820
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 30951, comment = 'überarbeitet' WHERE timesheet_item_id = 820;
COMMIT;

-- correct item 711
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 15076, comment = NULL WHERE timesheet_item_id = 711;
COMMIT;

-- submitted sheet 164
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 164;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (325, NULL, 'SUBMITTED', '2026-11-21', 1, 164);
COMMIT;

-- log a week: sheet 165
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (165, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 15);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (821, 165, '2026-11-23', 0, NULL, 2, 15, 12), (822, 165, '2026-11-24', 0, NULL, 2, 15, 12), (823, 165, '2026-11-25', 0, NULL, 2, 15, 22), (824, 165, '2026-11-26', 0, NULL, 2, 15, 12), (825, 165, '2026-11-27', 0, NULL, 2, 15, 2);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = 'Ä, "ö" – 100 %' WHERE timesheet_id = 165 AND timesheet_item_id < 825;
COMMIT;

-- submitted sheet 165
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 165;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (326, NULL, 'SUBMITTED', '2026-11-24', 1, 165);
COMMIT;

-- transfer 27
BEGIN;
UPDATE hs_hr_employee SET work_station = 6, job_title_code = 3 WHERE emp_number = 27;
DELETE FROM hs_hr_emp_reportto WHERE erep_sub_emp_number = 27;
INSERT INTO hs_hr_emp_reportto VALUES (2, 27, 1);
COMMIT;

-- correct item 476
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 10288, comment = 'überarbeitet' WHERE timesheet_item_id = 476;
COMMIT;

-- approved sheet 160
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 160;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (327, NULL, 'APPROVED', '2026-11-21', 2, 160);
COMMIT;

-- project 1 moves to another client (its key changes)
BEGIN;
UPDATE ohrm_project SET customer_id = 1 + (customer_id + 2) % 5 WHERE project_id = 1;
COMMIT;

-- hire 41
BEGIN;
INSERT INTO hs_hr_employee (emp_number, employee_id, emp_lastname, emp_firstname, emp_middle_name, emp_status, job_title_code, work_station) VALUES (41, '0041', 'Ünal', 'Bo', '', 1, 1, 3);
INSERT INTO hs_hr_emp_reportto VALUES (3, 41, 1);
INSERT INTO hs_hr_emp_basicsalary (emp_number, currency_id, ebsal_basic_salary, salary_component) VALUES (41, 'EUR', '48.000,00', 'Base');
UPDATE hs_hr_employee SET joined_date = '2026-01-01', emp_work_email = 'E41@Albion.example' WHERE emp_number = 41;
COMMIT;

-- hire 42
BEGIN;
INSERT INTO hs_hr_employee (emp_number, employee_id, emp_lastname, emp_firstname, emp_middle_name, emp_status, job_title_code, work_station) VALUES (42, '0042', 'García', 'Ana', '', 1, 1, 4);
INSERT INTO hs_hr_emp_reportto VALUES (3, 42, 1);
INSERT INTO hs_hr_emp_basicsalary (emp_number, currency_id, ebsal_basic_salary, salary_component) VALUES (42, 'EUR', '48.000,00', 'Base');
UPDATE hs_hr_employee SET joined_date = '2026-12-01', emp_work_email = 'E42@Albion.example' WHERE emp_number = 42;
COMMIT;

-- transfer 16
BEGIN;
UPDATE hs_hr_employee SET work_station = 4, job_title_code = 2 WHERE emp_number = 16;
DELETE FROM hs_hr_emp_reportto WHERE erep_sub_emp_number = 16;
INSERT INTO hs_hr_emp_reportto VALUES (1, 16, 1);
COMMIT;

-- project 8 moves to another client (its key changes)
BEGIN;
UPDATE ohrm_project SET customer_id = 1 + (customer_id + 2) % 5 WHERE project_id = 8;
COMMIT;

-- submitted sheet 21
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 21;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (328, NULL, 'SUBMITTED', '2026-11-25', 1, 21);
COMMIT;

-- approved sheet 4
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 4;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (329, NULL, 'APPROVED', '2026-11-22', 2, 4);
COMMIT;

-- submitted sheet 96
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 96;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (330, NULL, 'SUBMITTED', '2026-11-24', 1, 96);
COMMIT;

-- approved sheet 163
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 163;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (331, NULL, 'APPROVED', '2026-11-26', 2, 163);
COMMIT;

-- project 9 moves to another client (its key changes)
BEGIN;
UPDATE ohrm_project SET customer_id = 1 + (customer_id + 3) % 5 WHERE project_id = 9;
COMMIT;

-- log a week: sheet 166
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (166, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 16);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (826, 166, '2026-11-23', 0, NULL, 6, 16, 16), (827, 166, '2026-11-24', 0, NULL, 6, 16, 16), (828, 166, '2026-11-25', 0, NULL, 6, 16, 26), (829, 166, '2026-11-26', 0, NULL, 6, 16, 26), (830, 166, '2026-11-27', 0, NULL, 6, 16, 26);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = 'Workshop' WHERE timesheet_id = 166 AND timesheet_item_id < 830;
COMMIT;

-- approved sheet 158
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 158;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (332, NULL, 'APPROVED', '2026-11-27', 1, 158);
COMMIT;

-- correct item 299
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 33159, comment = 'corrected' WHERE timesheet_item_id = 299;
COMMIT;

-- project 9 moves to another client (its key changes)
BEGIN;
UPDATE ohrm_project SET customer_id = 1 + (customer_id + 3) % 5 WHERE project_id = 9;
COMMIT;

-- rejected sheet 139
BEGIN;
UPDATE ohrm_timesheet SET state = 'REJECTED' WHERE timesheet_id = 139;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (333, NULL, 'REJECTED', '2026-11-20', 2, 139);
COMMIT;

-- correct item 828
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 25937, comment = 'überarbeitet' WHERE timesheet_item_id = 828;
COMMIT;

-- transfer 15
BEGIN;
UPDATE hs_hr_employee SET work_station = 3, job_title_code = 1 WHERE emp_number = 15;
DELETE FROM hs_hr_emp_reportto WHERE erep_sub_emp_number = 15;
INSERT INTO hs_hr_emp_reportto VALUES (2, 15, 1);
COMMIT;

-- log a week: sheet 167
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (167, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 18);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (831, 167, '2026-11-23', 0, NULL, 5, 18, 5), (832, 167, '2026-11-24', 0, NULL, 5, 18, 25), (833, 167, '2026-11-25', 0, NULL, 5, 18, 25), (834, 167, '2026-11-26', 0, NULL, 5, 18, 15), (835, 167, '2026-11-27', 0, NULL, 5, 18, 15);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = 'Workshop' WHERE timesheet_id = 167 AND timesheet_item_id < 835;
COMMIT;

-- project 3 moves to another client (its key changes)
BEGIN;
UPDATE ohrm_project SET customer_id = 1 + (customer_id + 0) % 5 WHERE project_id = 3;
COMMIT;

-- submitted sheet 60
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 60;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (334, NULL, 'SUBMITTED', '2026-11-28', 1, 60);
COMMIT;

-- submitted sheet 139
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 139;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (335, NULL, 'SUBMITTED', '2026-11-24', 1, 139);
COMMIT;

-- correct item 832
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 12760, comment = '' WHERE timesheet_item_id = 832;
COMMIT;

-- project 7 moves to another client (its key changes)
BEGIN;
UPDATE ohrm_project SET customer_id = 1 + (customer_id + 2) % 5 WHERE project_id = 7;
COMMIT;

-- log a week: sheet 168
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (168, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 24);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (836, 168, '2026-11-23', 0, NULL, 9, 24, 29), (837, 168, '2026-11-24', 0, NULL, 9, 24, 19), (838, 168, '2026-11-25', 0, NULL, 9, 24, 29), (839, 168, '2026-11-26', 0, NULL, 9, 24, 29), (840, 168, '2026-11-27', 0, NULL, 9, 24, 29);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = 'Ä, "ö" – 100 %' WHERE timesheet_id = 168 AND timesheet_item_id < 840;
COMMIT;

-- submitted sheet 166
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 166;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (336, NULL, 'SUBMITTED', '2026-11-26', 1, 166);
COMMIT;

-- correct item 837
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 10265, comment = 'überarbeitet' WHERE timesheet_item_id = 837;
COMMIT;

-- transfer 30
BEGIN;
UPDATE hs_hr_employee SET work_station = 5, job_title_code = 2 WHERE emp_number = 30;
DELETE FROM hs_hr_emp_reportto WHERE erep_sub_emp_number = 30;
INSERT INTO hs_hr_emp_reportto VALUES (2, 30, 1);
COMMIT;

-- approved sheet 122
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 122;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (337, NULL, 'APPROVED', '2026-11-24', 2, 122);
COMMIT;

-- approved sheet 87
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 87;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (338, NULL, 'APPROVED', '2026-11-25', 1, 87);
COMMIT;

-- submitted sheet 167
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 167;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (339, NULL, 'SUBMITTED', '2026-11-28', 1, 167);
COMMIT;

-- submitted sheet 168
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 168;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (340, NULL, 'SUBMITTED', '2026-11-20', 1, 168);
COMMIT;

-- correct item 268
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 23657, comment = 'corrected' WHERE timesheet_item_id = 268;
COMMIT;

-- hire 43
BEGIN;
INSERT INTO hs_hr_employee (emp_number, employee_id, emp_lastname, emp_firstname, emp_middle_name, emp_status, job_title_code, work_station) VALUES (43, '0043', 'Øster', 'Çağla', '', 1, 1, 5);
INSERT INTO hs_hr_emp_reportto VALUES (2, 43, 1);
INSERT INTO hs_hr_emp_basicsalary (emp_number, currency_id, ebsal_basic_salary, salary_component) VALUES (43, 'EUR', '48.000,00', 'Base');
UPDATE hs_hr_employee SET joined_date = '2026-08-01', emp_work_email = 'E43@Albion.example' WHERE emp_number = 43;
COMMIT;

-- approved sheet 10
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 10;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (341, NULL, 'APPROVED', '2026-11-28', 1, 10);
COMMIT;

-- project 6 moves to another client (its key changes)
BEGIN;
UPDATE ohrm_project SET customer_id = 1 + (customer_id + 3) % 5 WHERE project_id = 6;
COMMIT;

-- project 6 moves to another client (its key changes)
BEGIN;
UPDATE ohrm_project SET customer_id = 1 + (customer_id + 2) % 5 WHERE project_id = 6;
COMMIT;

-- transfer 14
BEGIN;
UPDATE hs_hr_employee SET work_station = 4, job_title_code = 3 WHERE emp_number = 14;
DELETE FROM hs_hr_emp_reportto WHERE erep_sub_emp_number = 14;
INSERT INTO hs_hr_emp_reportto VALUES (2, 14, 1);
COMMIT;

-- log a week: sheet 169
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (169, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 38);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (841, 169, '2026-11-23', 0, NULL, 5, 38, 15), (842, 169, '2026-11-24', 0, NULL, 5, 38, 5), (843, 169, '2026-11-25', 0, NULL, 5, 38, 15), (844, 169, '2026-11-26', 0, NULL, 5, 38, 5), (845, 169, '2026-11-27', 0, NULL, 5, 38, 15);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = 'Workshop' WHERE timesheet_id = 169 AND timesheet_item_id < 845;
COMMIT;

-- approved sheet 139
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 139;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (342, NULL, 'APPROVED', '2026-11-27', 1, 139);
COMMIT;

-- nothing that counts: 27
BEGIN;
UPDATE hs_hr_employee SET emp_mobile = '+49 170 5815', custom1 = 'Notiz 54' WHERE emp_number = 27;
COMMIT;

-- rejected sheet 165
BEGIN;
UPDATE ohrm_timesheet SET state = 'REJECTED' WHERE timesheet_id = 165;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (343, NULL, 'REJECTED', '2026-11-27', 2, 165);
COMMIT;

-- log a week: sheet 170
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (170, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 7);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (846, 170, '2026-11-23', 0, NULL, 7, 7, 27), (847, 170, '2026-11-24', 0, NULL, 7, 7, 27), (848, 170, '2026-11-25', 0, NULL, 7, 7, 17), (849, 170, '2026-11-26', 0, NULL, 7, 7, 7), (850, 170, '2026-11-27', 0, NULL, 7, 7, 27);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = 'Workshop' WHERE timesheet_id = 170 AND timesheet_item_id < 850;
COMMIT;

-- submitted sheet 169
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 169;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (344, NULL, 'SUBMITTED', '2026-11-23', 1, 169);
COMMIT;

-- correct item 846
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 17550, comment = 'überarbeitet' WHERE timesheet_item_id = 846;
COMMIT;

-- submitted sheet 170
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 170;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (345, NULL, 'SUBMITTED', '2026-11-26', 1, 170);
COMMIT;

-- rejected sheet 162
BEGIN;
UPDATE ohrm_timesheet SET state = 'REJECTED' WHERE timesheet_id = 162;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (346, NULL, 'REJECTED', '2026-11-24', 1, 162);
COMMIT;

-- submitted sheet 154
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 154;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (347, NULL, 'SUBMITTED', '2026-11-28', 1, 154);
COMMIT;

-- approved sheet 161
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 161;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (348, NULL, 'APPROVED', '2026-11-27', 1, 161);
COMMIT;

-- submitted sheet 7
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 7;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (349, NULL, 'SUBMITTED', '2026-11-23', 1, 7);
COMMIT;

-- rejected sheet 170
BEGIN;
UPDATE ohrm_timesheet SET state = 'REJECTED' WHERE timesheet_id = 170;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (350, NULL, 'REJECTED', '2026-11-26', 1, 170);
COMMIT;

-- rejected sheet 169
BEGIN;
UPDATE ohrm_timesheet SET state = 'REJECTED' WHERE timesheet_id = 169;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (351, NULL, 'REJECTED', '2026-11-25', 1, 169);
COMMIT;

-- a writer that gives up
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED';
DELETE FROM ohrm_timesheet_item WHERE timesheet_item_id % 3 = 0;
ROLLBACK;

-- correct item 322
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 17892, comment = 'corrected' WHERE timesheet_item_id = 322;
COMMIT;

-- approved sheet 60
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 60;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (352, NULL, 'APPROVED', '2026-11-22', 1, 60);
COMMIT;

-- log a week: sheet 171
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (171, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 29);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (851, 171, '2026-11-23', 0, NULL, 5, 29, 15), (852, 171, '2026-11-24', 0, NULL, 5, 29, 15), (853, 171, '2026-11-25', 0, NULL, 5, 29, 25), (854, 171, '2026-11-26', 0, NULL, 5, 29, 25), (855, 171, '2026-11-27', 0, NULL, 5, 29, 25);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = 'Ä, "ö" – 100 %' WHERE timesheet_id = 171 AND timesheet_item_id < 855;
COMMIT;

-- log a week: sheet 172
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (172, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 10);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (856, 172, '2026-11-23', 0, NULL, 4, 10, 14), (857, 172, '2026-11-24', 0, NULL, 4, 10, 14), (858, 172, '2026-11-25', 0, NULL, 4, 10, 14), (859, 172, '2026-11-26', 0, NULL, 4, 10, 14), (860, 172, '2026-11-27', 0, NULL, 4, 10, 14);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = 'Zeile 1\nZeile 2' WHERE timesheet_id = 172 AND timesheet_item_id < 860;
COMMIT;

-- log a week: sheet 173
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (173, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 40);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (861, 173, '2026-11-23', 0, NULL, 5, 40, 5), (862, 173, '2026-11-24', 0, NULL, 5, 40, 15), (863, 173, '2026-11-25', 0, NULL, 5, 40, 15), (864, 173, '2026-11-26', 0, NULL, 5, 40, 5), (865, 173, '2026-11-27', 0, NULL, 5, 40, 15);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = 'Workshop' WHERE timesheet_id = 173 AND timesheet_item_id < 865;
COMMIT;

-- log a week: sheet 174
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (174, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 27);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (866, 174, '2026-11-23', 0, NULL, 9, 27, 29), (867, 174, '2026-11-24', 0, NULL, 9, 27, 29), (868, 174, '2026-11-25', 0, NULL, 9, 27, 19), (869, 174, '2026-11-26', 0, NULL, 9, 27, 29), (870, 174, '2026-11-27', 0, NULL, 9, 27, 9);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = '''quoted''' WHERE timesheet_id = 174 AND timesheet_item_id < 870;
COMMIT;

-- submitted sheet 173
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 173;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (353, NULL, 'SUBMITTED', '2026-11-23', 1, 173);
COMMIT;

-- correct item 852
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 34305, comment = 'corrected' WHERE timesheet_item_id = 852;
COMMIT;

-- log a week: sheet 175
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (175, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 33);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (871, 175, '2026-11-23', 0, NULL, 3, 33, 23), (872, 175, '2026-11-24', 0, NULL, 3, 33, 23), (873, 175, '2026-11-25', 0, NULL, 3, 33, 23), (874, 175, '2026-11-26', 0, NULL, 3, 33, 3), (875, 175, '2026-11-27', 0, NULL, 3, 33, 13);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = '''quoted''' WHERE timesheet_id = 175 AND timesheet_item_id < 875;
COMMIT;

-- approved sheet 164
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 164;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (354, NULL, 'APPROVED', '2026-11-23', 2, 164);
COMMIT;

-- submitted sheet 175
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 175;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (355, NULL, 'SUBMITTED', '2026-11-22', 1, 175);
COMMIT;

-- approved sheet 50
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 50;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (356, NULL, 'APPROVED', '2026-11-21', 2, 50);
COMMIT;

-- project 2 moves to another client (its key changes)
BEGIN;
UPDATE ohrm_project SET customer_id = 1 + (customer_id + 2) % 5 WHERE project_id = 2;
COMMIT;

-- rejected sheet 6
BEGIN;
UPDATE ohrm_timesheet SET state = 'REJECTED' WHERE timesheet_id = 6;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (357, NULL, 'REJECTED', '2026-11-25', 2, 6);
COMMIT;

-- submitted sheet 82
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 82;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (358, NULL, 'SUBMITTED', '2026-11-26', 1, 82);
COMMIT;

-- submitted sheet 71
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 71;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (359, NULL, 'SUBMITTED', '2026-11-28', 1, 71);
COMMIT;

-- submitted sheet 170
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 170;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (360, NULL, 'SUBMITTED', '2026-11-20', 1, 170);
COMMIT;

-- project 8 moves to another client (its key changes)
BEGIN;
UPDATE ohrm_project SET customer_id = 1 + (customer_id + 3) % 5 WHERE project_id = 8;
COMMIT;

-- approved sheet 106
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 106;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (361, NULL, 'APPROVED', '2026-11-22', 2, 106);
COMMIT;

-- submitted sheet 174
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 174;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (362, NULL, 'SUBMITTED', '2026-11-25', 1, 174);
COMMIT;

-- rejected sheet 155
BEGIN;
UPDATE ohrm_timesheet SET state = 'REJECTED' WHERE timesheet_id = 155;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (363, NULL, 'REJECTED', '2026-11-20', 2, 155);
COMMIT;

-- correct item 852
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 31891, comment = 'überarbeitet' WHERE timesheet_item_id = 852;
COMMIT;

-- rejected sheet 32
BEGIN;
UPDATE ohrm_timesheet SET state = 'REJECTED' WHERE timesheet_id = 32;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (364, NULL, 'REJECTED', '2026-11-25', 1, 32);
COMMIT;

-- submitted sheet 171
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 171;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (365, NULL, 'SUBMITTED', '2026-11-23', 1, 171);
COMMIT;

-- log a week: sheet 176
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (176, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 23);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (876, 176, '2026-11-23', 0, NULL, 2, 23, 12), (877, 176, '2026-11-24', 0, NULL, 2, 23, 22), (878, 176, '2026-11-25', 0, NULL, 2, 23, 22), (879, 176, '2026-11-26', 0, NULL, 2, 23, 22), (880, 176, '2026-11-27', 0, NULL, 2, 23, 22);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = 'Ä, "ö" – 100 %' WHERE timesheet_id = 176 AND timesheet_item_id < 880;
COMMIT;

-- delete item 880
BEGIN;
DELETE FROM ohrm_timesheet_item WHERE timesheet_item_id = 880;
COMMIT;

-- correct item 858
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 7091, comment = 'corrected' WHERE timesheet_item_id = 858;
COMMIT;

-- project 5 moves to another client (its key changes)
BEGIN;
UPDATE ohrm_project SET customer_id = 1 + (customer_id + 2) % 5 WHERE project_id = 5;
COMMIT;

-- log a week: sheet 177
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (177, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 27);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (881, 177, '2026-11-23', 0, NULL, 7, 27, 7), (882, 177, '2026-11-24', 0, NULL, 7, 27, 17), (883, 177, '2026-11-25', 0, NULL, 7, 27, 7), (884, 177, '2026-11-26', 0, NULL, 7, 27, 27), (885, 177, '2026-11-27', 0, NULL, 7, 27, 17);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = 'Ä, "ö" – 100 %' WHERE timesheet_id = 177 AND timesheet_item_id < 885;
COMMIT;

-- approved sheet 157
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 157;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (366, NULL, 'APPROVED', '2026-11-28', 2, 157);
COMMIT;

-- approved sheet 174
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 174;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (367, NULL, 'APPROVED', '2026-11-24', 1, 174);
COMMIT;

-- nothing that counts: 3
BEGIN;
UPDATE hs_hr_employee SET emp_mobile = '+49 170 7668', custom1 = 'Notiz 97' WHERE emp_number = 3;
COMMIT;

-- submitted sheet 177
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 177;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (368, NULL, 'SUBMITTED', '2026-11-23', 1, 177);
COMMIT;

-- log a week: sheet 178
BEGIN;
INSERT INTO ohrm_timesheet (timesheet_id, state, start_date, end_date, employee_id) VALUES (178, 'NOT SUBMITTED', '2026-11-23', '2026-11-29', 38);
INSERT INTO ohrm_timesheet_item (timesheet_item_id, timesheet_id, date, duration, comment, project_id, employee_id, activity_id) VALUES (886, 178, '2026-11-23', 0, NULL, 2, 38, 22), (887, 178, '2026-11-24', 0, NULL, 2, 38, 2), (888, 178, '2026-11-25', 0, NULL, 2, 38, 2), (889, 178, '2026-11-26', 0, NULL, 2, 38, 12), (890, 178, '2026-11-27', 0, NULL, 2, 38, 2);
UPDATE ohrm_timesheet_item SET duration = 900 * (1 + timesheet_item_id % 32), comment = 'Workshop' WHERE timesheet_id = 178 AND timesheet_item_id < 890;
COMMIT;

-- project 3 moves to another client (its key changes)
BEGIN;
UPDATE ohrm_project SET customer_id = 1 + (customer_id + 1) % 5 WHERE project_id = 3;
COMMIT;

-- approved sheet 168
BEGIN;
UPDATE ohrm_timesheet SET state = 'APPROVED' WHERE timesheet_id = 168;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (369, NULL, 'APPROVED', '2026-11-23', 2, 168);
COMMIT;

-- submitted sheet 172
BEGIN;
UPDATE ohrm_timesheet SET state = 'SUBMITTED' WHERE timesheet_id = 172;
INSERT INTO ohrm_timesheet_action_log (timesheet_action_log_id, comment, action, date_time, performed_by, timesheet_id) VALUES (370, NULL, 'SUBMITTED', '2026-11-27', 1, 172);
COMMIT;

-- correct item 657
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 16552, comment = '' WHERE timesheet_item_id = 657;
COMMIT;

-- correct item 877
BEGIN;
UPDATE ohrm_timesheet_item SET duration = 13477, comment = 'corrected' WHERE timesheet_item_id = 877;
COMMIT;
