-- A person marries, or moves house, or gets another number.
UPDATE pa_stamm SET nachname = @family, bem = @note, bild = UNHEX(MD5(@roll)) WHERE pernr = @person;
REPLACE INTO pa_komm (pernr, art, lfd, wert)
SELECT pernr, 'EMAIL', 1, CONCAT(LOWER(@given), '.', pernr, '@falkenried.example') FROM pa_stamm WHERE pernr = @person;
