//! Makes the binary find the prebuilt `libduckdb` at run time without any environment variable.

fn main() {
    // Built into the binary, and not seen by the compiler as inputs.
    println!("cargo:rerun-if-changed=sql/canonical");
    println!("cargo:rerun-if-changed=sql/mappings");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=DUCKDB_LIB_DIR");
    failpoints();
    if std::env::var_os("CARGO_FEATURE_BUNDLED").is_some() {
        // DuckDB is part of the binary.
        return;
    }
    match std::env::var("DUCKDB_LIB_DIR") {
        Ok(folder) if std::path::Path::new(&folder).join("libduckdb.so").is_file() => {
            // Beside the binary first (an installed copy), then the folder it was built against.
            println!("cargo::rustc-link-arg=-Wl,-rpath,$ORIGIN:{folder}");
        }
        Ok(folder) => stop(&format!("there is no libduckdb.so in {folder} (DUCKDB_LIB_DIR)")),
        Err(_) => stop("DUCKDB_LIB_DIR is not set: the prebuilt libduckdb was not set up"),
    }
}

/// Places to die at are in builds for tests only: those of the dev profile, whatever it asserts.
fn failpoints() {
    println!("cargo::rustc-check-cfg=cfg(failpoints)");
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "debug") {
        println!("cargo::rustc-cfg=failpoints");
    }
}

/// Ends the build with one message that says what to do.
fn stop(what: &str) {
    println!("cargo::error={what}");
    println!(
        "cargo::error=run `scripts/setup`, or build DuckDB too: `make build BUNDLED=1` (slow)"
    );
}
