-- What the table functions need that PostgreSQL does not have. Each refresh that makes the functions runs this first,
-- with the schema as search_path.

create or replace function refuse(message text) returns text language plpgsql stable as $$
begin
    raise exception using message = message, errcode = 'invalid_parameter_value';
end
$$;

-- What catches an error may not run in a process that shares the work, nor may what calls it.
create or replace function timestamp_or_null(value text) returns timestamp language plpgsql stable as $$
begin
    return cast(value as timestamp);
exception when data_exception then
    return null;
end
$$;

comment on function refuse(text) is 'Ends a query with a message; the table functions call it.';
comment on function timestamp_or_null(text) is 'Text as a timestamp, NULL where it is none; the table functions call it.';
