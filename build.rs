//! Makes the binary find the prebuilt `libduckdb` at run time without any environment variable.
fn main() {
    println!("cargo:rerun-if-env-changed=DUCKDB_LIB_DIR");
    if let Ok(folder) = std::env::var("DUCKDB_LIB_DIR") {
        // Beside the binary first (an installed copy), then the folder it was built against.
        println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN:{folder}");
    }
}
