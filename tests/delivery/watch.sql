-- What each transaction said it stands for, written down by the target itself.
CREATE TABLE audit (relation text, range text, at timestamptz DEFAULT clock_timestamp());

CREATE FUNCTION write_down() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO public.audit (relation, range)
    VALUES (TG_TABLE_NAME, current_setting('trueup.sequence', true));
    RETURN NULL;
END $$;

DO $$
DECLARE t regclass;
BEGIN
    FOR t IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
                                        AND relname <> 'audit' LOOP
        EXECUTE format('CREATE TRIGGER watch AFTER INSERT OR UPDATE OR DELETE ON %s
                        FOR EACH STATEMENT EXECUTE FUNCTION public.write_down()', t);
    END LOOP;
END $$;

-- The daemon makes its cursor at its first start: watch it from then on.
CREATE FUNCTION watch_cursor() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_regclass('_trueup.cursor') IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_trigger WHERE tgrelid = to_regclass('_trueup.cursor') AND tgname = 'watch') THEN
        CREATE TRIGGER watch AFTER UPDATE ON _trueup.cursor
            FOR EACH ROW WHEN (OLD.seq IS DISTINCT FROM NEW.seq)
            EXECUTE FUNCTION public.write_down();
    END IF;
END $$;
CREATE EVENT TRIGGER watch_cursor ON ddl_command_end WHEN TAG IN ('CREATE TABLE')
    EXECUTE FUNCTION watch_cursor();

-- A value as the store prints it: booleans as words, decimals without trailing zeros.
CREATE FUNCTION text_of(anyelement) RETURNS text LANGUAGE sql AS $$
    SELECT CASE
        WHEN pg_typeof($1) = 'boolean'::regtype THEN CASE $1::text WHEN 't' THEN 'true' WHEN 'f' THEN 'false' ELSE $1::text END
        WHEN pg_typeof($1) = 'numeric'::regtype THEN trim_scale($1::text::numeric)::text
        ELSE $1::text END
$$;
