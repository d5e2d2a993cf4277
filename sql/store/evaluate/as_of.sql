-- The time of the last batch, microseconds since 1970-01-01 UTC: nothing was evaluated later.
SELECT epoch_us(max(as_of)) FROM ops.mark;
