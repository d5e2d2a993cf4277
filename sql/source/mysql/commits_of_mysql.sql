-- The commits that are under way in a MySQL: each holds this lock from before it is in the log until its
-- engine has committed it. Our own locks are listed, too: where none is, locks are not told at all.
SELECT OBJECT_TYPE = 'COMMIT', OWNER_THREAD_ID, OWNER_EVENT_ID, OBJECT_INSTANCE_BEGIN
FROM performance_schema.metadata_locks
WHERE (OBJECT_TYPE = 'COMMIT' AND LOCK_TYPE = 'INTENTION_EXCLUSIVE' AND LOCK_STATUS = 'GRANTED')
   OR OWNER_THREAD_ID = PS_CURRENT_THREAD_ID()
