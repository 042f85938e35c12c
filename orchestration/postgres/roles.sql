-- Two roles for the database that CONTACT_POSTGRES names, made once by an administrator of it:
--
--     psql --dbname=reports --file=orchestration/postgres/roles.sql
--
-- contact_owner is the pipeline's alone: it makes and fills the schema contact_reports. contact_reader reads its
-- tables and calls its functions, and can do nothing else; grant it to the roles of people and BI tools:
--
--     create role bi login; grant contact_reader to bi;
--
-- Neither has a password. Give the owner one that only the pipeline knows, with \password contact_owner, or a
-- certificate, as pg_hba.conf asks for.

\set ON_ERROR_STOP on

begin;

create role contact_owner login;
create role contact_reader nologin;

-- Everybody may connect and make temporary tables unless told otherwise.
select format('revoke all on database %I from public', current_database()) \gexec
revoke all on schema public from public;

select format('grant connect, create, temporary on database %I to contact_owner', current_database()) \gexec
select format('grant connect on database %I to contact_reader', current_database()) \gexec

-- A function looks costly to PostgreSQL, because it has a way for each kind of filter; each question goes one of them,
-- and is answered before its compilation ends.
select format('alter database %I set jit = off', current_database()) \gexec
-- Nor does it start processes to share the work: it would for kinds of filters that a query does not have, and that
-- takes longer than most answers.
select format('alter database %I set max_parallel_workers_per_gather = 0', current_database()) \gexec
-- So that repeats of a million messages are found in memory.
select format('alter database %I set work_mem = %L', current_database(), '64MB') \gexec

-- Whatever the owner makes in this database.
alter default privileges for role contact_owner revoke execute on functions from public;
alter default privileges for role contact_owner grant usage on schemas to contact_reader;
alter default privileges for role contact_owner grant select on tables to contact_reader;
alter default privileges for role contact_owner grant execute on functions to contact_reader;

commit;
