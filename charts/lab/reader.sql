CREATE ROLE reader LOGIN PASSWORD '%s';
-- also of tables that are made later
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO reader;
