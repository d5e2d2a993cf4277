//! How the C library keeps memory that is free: little of it, and not per thread.
//!
//! It decides nothing about what is allocated. DuckDB has an allocator of its own.

/// Pools that threads share. By default there are eight a core, each keeps what it once held, and a
/// batch wanders over them with the threads that serve it.
const ARENAS_MAX: i32 = 2;
/// Allocations of this size come from the system and go back when they are freed, bytes. By default
/// the bound rises with each that is freed, up to 32 MiB, and what lies below stays.
const MAPPED_BYTES_MIN: i32 = 256 << 10;
/// So much may lie free at the end of a pool, bytes. By default twice the bound above, as it rises.
const FREE_BYTES_MAX: i32 = 1 << 20;

/// Bounds what the process keeps. To be called first, while there is one thread.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "mallopt is C; it takes numbers and touches nothing of ours")]
pub fn bound() {
    let options = [
        (libc::M_ARENA_MAX, ARENAS_MAX),
        (libc::M_MMAP_THRESHOLD, MAPPED_BYTES_MIN),
        (libc::M_TRIM_THRESHOLD, FREE_BYTES_MAX),
    ];
    for (option, value) in options {
        // SAFETY: any pair of numbers may be passed; one that is not known is refused, which costs
        // memory and nothing else.
        unsafe { libc::mallopt(option, value) };
    }
}

/// Other C libraries keep little by themselves.
#[cfg(not(target_env = "gnu"))]
pub fn bound() {}
