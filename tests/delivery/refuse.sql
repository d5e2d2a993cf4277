-- Expenses whose number stands in `refused` are refused; those that are not are written down.
CREATE TABLE refused (external_no text);
CREATE TABLE written (external_no text);

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM public.refused r WHERE r.external_no = NEW.external_no) THEN
        RAISE EXCEPTION 'the books are closed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON expense_item
    FOR EACH ROW EXECUTE FUNCTION refuse();

CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.written VALUES (NEW.external_no);
    RETURN NULL;
END $$;
CREATE TRIGGER note AFTER INSERT OR UPDATE ON expense_item FOR EACH ROW EXECUTE FUNCTION note();
