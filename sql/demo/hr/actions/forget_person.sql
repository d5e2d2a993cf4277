-- Somebody who never came. The children go by cascade, which the log does not show.
DELETE FROM pa_stamm WHERE pernr = @person AND pernr > 1040;
