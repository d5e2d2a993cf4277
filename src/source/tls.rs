//! Transport security shared by all connections: which certificates are trusted, and when.
