-- Writes down, for every statement on a watched table, which transaction made it and what that
-- transaction had said it was: '17-23', 'baseline', 'retry', or NULL if it said nothing.
CREATE SCHEMA audit;

CREATE TABLE audit.entry (
    id          bigserial PRIMARY KEY,
    transaction bigint NOT NULL DEFAULT txid_current(),
    relation    text   NOT NULL,
    sequence    text
);

CREATE FUNCTION audit.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit.entry (relation, sequence)
    VALUES (TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME,
            nullif(current_setting('trueup.sequence', true), ''));
    RETURN NULL;
END $$;

-- A table that is named in the configuration stands in `public`.
DO $$
DECLARE
    watched regclass;
BEGIN
    FOR watched IN
        SELECT oid FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
           OR oid = '_trueup.cursor'::regclass
    LOOP
        EXECUTE format('CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON %s
                        FOR EACH STATEMENT EXECUTE FUNCTION audit.note()', watched);
    END LOOP;
END $$;
