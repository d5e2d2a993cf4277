//! What all targets share: an allocator that takes a very large request for a length nobody checked.
//!
//! (libFuzzer's own limit works with a sanitizer only, and there is no unsafe code of ours for one to watch.)

use std::alloc::{GlobalAlloc, Layout, System};

/// An input has some thousand bytes.
const BYTES_MAX: usize = 64 << 20;

struct Limited;

#[global_allocator]
static LIMITED: Limited = Limited;

/// Ends the process as a crash; the message says why.
fn check(bytes: usize) {
    if bytes > BYTES_MAX {
        eprintln!("{bytes} bytes are asked for at once: by a length that nobody checked?");
        std::process::abort();
    }
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Limited {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        check(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        check(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        check(bytes);
        unsafe { System.realloc(pointer, layout, bytes) }
    }
}
