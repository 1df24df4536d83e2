-- Roles of a store in PostgreSQL. Run by the owner of the database, after the tables were made and after every upgrade.
-- Grant a role to a person or a machine: GRANT rebalancer_approver TO olga;
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['reader', 'planner', 'approver', 'applier', 'owner'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'rebalancer_' || name) THEN
            EXECUTE 'CREATE ROLE ' || quote_ident('rebalancer_' || name) || ' NOLOGIN';
        END IF;
    END LOOP;
END
$$;

REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC;

-- Everybody reads.
GRANT USAGE ON SCHEMA public
    TO rebalancer_reader, rebalancer_planner, rebalancer_approver, rebalancer_applier, rebalancer_owner;
GRANT SELECT ON ALL TABLES IN SCHEMA public
    TO rebalancer_reader, rebalancer_planner, rebalancer_approver, rebalancer_applier;

-- Whoever writes appends events, and moves the end of their chain.
GRANT INSERT ON events TO rebalancer_planner, rebalancer_approver, rebalancer_applier;
GRANT UPDATE (head_seq, head_hash, head_at) ON chain TO rebalancer_planner, rebalancer_approver, rebalancer_applier;
GRANT UPDATE (state) ON proposals TO rebalancer_planner, rebalancer_approver, rebalancer_applier;

-- The planner takes in what files show, and proposes.
GRANT INSERT, UPDATE ON books TO rebalancer_planner;
GRANT USAGE ON SEQUENCE books_book_id_seq TO rebalancer_planner;
GRANT INSERT, UPDATE, DELETE ON accounts TO rebalancer_planner;
GRANT INSERT, DELETE ON people TO rebalancer_planner;
GRANT INSERT ON history, runs, proposals, moves TO rebalancer_planner;

-- The nights are the planner's: it proposes and can do no more.
GRANT INSERT, UPDATE ON clocks, nights, night_books TO rebalancer_planner;
GRANT USAGE ON SEQUENCE nights_night_id_seq TO rebalancer_planner;

-- What the CRM said is written by whoever applies.
GRANT INSERT, UPDATE ON ledger TO rebalancer_applier;

-- The approver decides.
GRANT INSERT ON approvals TO rebalancer_approver;
GRANT UPDATE (decision, approval) ON moves TO rebalancer_approver;
GRANT INSERT, DELETE ON locks TO rebalancer_approver;

-- The applier makes it so.
GRANT INSERT ON history TO rebalancer_applier;
GRANT UPDATE (am_id, csm_id, version) ON accounts TO rebalancer_applier;
GRANT UPDATE (applied_version) ON moves TO rebalancer_applier;

-- The owner makes and upgrades the tables.
GRANT CREATE ON SCHEMA public TO rebalancer_owner;
GRANT ALL ON ALL TABLES IN SCHEMA public TO rebalancer_owner;
GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO rebalancer_owner;
