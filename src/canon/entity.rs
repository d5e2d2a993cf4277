//! Canonical entities as `sql/canonical/<entity>.sql` declares them.
