//! Makes the binary find the prebuilt `libduckdb` at run time without any environment variable.

fn main() {
    // The built-in entities and mappings are read by a macro that Cargo does not watch.
    println!("cargo:rerun-if-changed=sql/canonical");
    println!("cargo:rerun-if-changed=sql/mappings");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=DUCKDB_LIB_DIR");
    if let Ok(folder) = std::env::var("DUCKDB_LIB_DIR") {
        // Beside the binary first (an installed copy), then the folder it was built against.
        println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN:{folder}");
    }
}

/// Ends the build with one message that says what to do.
fn stop(what: &str) {
    println!("cargo::error={what}");
    println!("cargo::error=run `scripts/setup`, or build DuckDB too: `--features bundled` (slow)");
}
