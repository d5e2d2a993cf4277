-- Sources whose tables were all copied once: the others contribute nothing yet.
SELECT DISTINCT source FROM ops.source_ready ORDER BY source;
