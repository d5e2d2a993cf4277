-- A target as an operator has it, with every kind of constraint that stands in the way.
CREATE DOMAIN grade AS varchar(3);
CREATE TABLE resource (
    employee_code text PRIMARY KEY,
    display_name  text NOT NULL,
    email         text UNIQUE,
    badge         varchar(6) NOT NULL UNIQUE,
    manager       text REFERENCES resource,
    grade         grade,
    profile       json,
    note          text NOT NULL DEFAULT 'kept by the operator'
);
CREATE SCHEMA time;
CREATE TABLE time."Sheet" (
    entry_no      integer NOT NULL,
    employee_code text NOT NULL REFERENCES resource ON DELETE RESTRICT,
    hours         numeric(5,2) CHECK (hours <= 24),
    approver      text REFERENCES resource DEFERRABLE INITIALLY DEFERRED
);
CREATE UNIQUE INDEX ON time."Sheet" (entry_no);

-- What reached the tables, version by version, and which range each transaction said it was.
CREATE TABLE written (name text, value text);
CREATE FUNCTION note_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO written VALUES (NEW.employee_code, NEW.display_name);
    RETURN NULL;
END $$;
CREATE TRIGGER note_row AFTER INSERT OR UPDATE ON resource FOR EACH ROW EXECUTE FUNCTION note_row();

CREATE TABLE delivered (transaction bigint, sequence text, UNIQUE (transaction, sequence));
CREATE FUNCTION note_range() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.delivered
    VALUES (txid_current(), current_setting('trueup.sequence', true)) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER note_range AFTER INSERT OR UPDATE OR DELETE ON resource
    FOR EACH STATEMENT EXECUTE FUNCTION note_range();
CREATE TRIGGER note_range AFTER INSERT OR UPDATE OR DELETE ON time."Sheet"
    FOR EACH STATEMENT EXECUTE FUNCTION note_range();
