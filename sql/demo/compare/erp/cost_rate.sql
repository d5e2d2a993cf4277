-- key: worker_no, valid_from
-- Cost rates; each ends where the person's next one begins.
SELECT w.persnr AS worker_no,
       r.gueltig_ab AS valid_from,
       (SELECT min(n.gueltig_ab) FROM pers_satz n WHERE n.pers_id = r.pers_id AND n.gueltig_ab > r.gueltig_ab) AS valid_to,
       translate(r.satz, ',.', '.')::numeric(18,4) AS hourly_amount,
       r.waehr AS currency
FROM pers_satz r JOIN pers w USING (pers_id)
