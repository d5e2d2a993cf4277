-- key: worker_no
-- Staff as the ERP knows it, straight from its schema. The day changes at midnight UTC.
SELECT w.persnr AS worker_no,
       concat_ws(' ', w.vorname, w.nachname) AS full_name,
       lower(w.email) AS work_email,
       CASE w.art_kz WHEN 'A' THEN 'employee' WHEN 'F' THEN 'contractor' WHEN 'P' THEN 'intern' ELSE 'other' END AS employment_type,
       CASE WHEN w.loesch_zeit IS NOT NULL THEN 'terminated'
            WHEN w.austritt < (now() AT TIME ZONE 'UTC')::date THEN 'terminated'
            WHEN w.eintritt > (now() AT TIME ZONE 'UTC')::date THEN 'pre_hire'
            ELSE 'active' END AS status,
       w.eintritt AS hire_date,
       w.austritt AS termination_date,
       w.funktion AS job_title,
       w.kst_nr AS org_unit_code,
       (SELECT v.persnr FROM pers v WHERE v.pers_id = w.vorg_pers_id) AS manager_no,
       (SELECT m.kurz FROM kst k JOIN mandant m USING (man_nr) WHERE k.kst_nr = w.kst_nr) AS legal_entity_code,
       w.wochenstd::numeric(5,2) AS capacity_hours_week
FROM pers w
