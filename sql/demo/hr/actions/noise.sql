-- Changes that no other system needs to hear of.
UPDATE pa_stamm SET rufname = LEFT(@given, 10), bem = @note WHERE pernr = @person;
