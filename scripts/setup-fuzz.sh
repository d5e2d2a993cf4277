# The part `fuzz` of scripts/setup, which reads this file: cargo-fuzz in $cache/cargo-fuzz, and the
# nightly toolchain, because only that one takes the flags with which coverage is counted.
# shellcheck shell=bash disable=SC2154 # `cache` and `dry_run` are those of scripts/setup

readonly cargo_fuzz_version=0.13.2

set_up_fuzz() {
    command -v rustup >/dev/null ||
        fail "there is no rustup, by which Rust's nightly toolchain comes" \
            "install rustup (https://rustup.rs), or leave out the part \`fuzz\`"
    if rustup toolchain list | grep -q '^nightly'; then
        say "Rust's nightly toolchain is installed"
    else
        say "rustup will install Rust's nightly toolchain (70 MB, 600 MB unpacked)"
        $dry_run || rustup toolchain install nightly --profile minimal
    fi
    local program=$cache/cargo-fuzz/bin/cargo-fuzz
    if [ "$("$program" --version 2>/dev/null)" = "cargo-fuzz $cargo_fuzz_version" ]; then
        say "cargo-fuzz $cargo_fuzz_version is in $cache/cargo-fuzz"
    else
        say "cargo will build cargo-fuzz $cargo_fuzz_version into $cache/cargo-fuzz (two minutes)"
        $dry_run || CARGO_TARGET_DIR=$cache/cargo-fuzz/target cargo install --quiet --locked \
            --root "$cache/cargo-fuzz" --version "$cargo_fuzz_version" cargo-fuzz
        $dry_run || rm -rf "$cache/cargo-fuzz/target"
    fi
}
