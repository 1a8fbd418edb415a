// SPDX-License-Identifier: MIT
//! The memfd object of own_memfd.c once more, in Rust: the pages that are there, in a tree by index.
//!
//! What <ksim/kernel/object.h> declares is written down here a second time, with #[repr(C)]; the machine checks the size
//! of the struct when it boots. A panic would unwind into C, so the crate is compiled to abort instead.

use std::collections::BTreeMap;
use std::os::raw::{c_char, c_int, c_void};

const PAGE_SIZE: u64 = 4096;
const INDEX_MAX: u64 = (1 << 51) - 1;
const ENOENT: c_int = 2;

/// struct ksim_call: opaque.
#[repr(C)]
pub struct Call {
    _private: [u8; 0],
}

/// struct ksim_pfn.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Pfn {
    n: u64,
}

/// struct ksim_object_ops.
#[repr(C)]
pub struct ObjectOps {
    bytes: u64,
    name: *const c_char,
    arg: *mut c_void,
    create: unsafe extern "C" fn(*mut Call, *mut c_void, *mut *mut c_void) -> c_int,
    page: unsafe extern "C" fn(*mut Call, *mut c_void, u64, c_int, *mut Pfn) -> c_int,
    resize: unsafe extern "C" fn(*mut Call, *mut c_void, u64),
    punch: unsafe extern "C" fn(*mut Call, *mut c_void, u64, u64),
    next: unsafe extern "C" fn(*mut Call, *mut c_void, *mut u64) -> c_int,
    destroy: unsafe extern "C" fn(*mut Call, *mut c_void),
}

// It is constant, and its pointers lead to constants.
unsafe impl Sync for ObjectOps {}

extern "C" {
    fn ksim_frame_alloc(call: *mut Call, out: *mut Pfn) -> c_int;
    fn ksim_frame_put(call: *mut Call, frame: Pfn);
}

/// Each frame with the one reference that is ours.
type Memfd = BTreeMap<u64, Pfn>;

unsafe extern "C" fn create(_call: *mut Call, _arg: *mut c_void, object: *mut *mut c_void) -> c_int {
    *object = Box::into_raw(Box::new(Memfd::new())).cast();
    0
}

unsafe extern "C" fn page(call: *mut Call, object: *mut c_void, index: u64, make: c_int, out: *mut Pfn) -> c_int {
    let memfd = &mut *object.cast::<Memfd>();

    if let Some(frame) = memfd.get(&index) {
        *out = *frame;
        return 0;
    }
    if make == 0 {
        return -ENOENT;
    }
    let err = ksim_frame_alloc(call, out);
    if err == 0 {
        memfd.insert(index, *out);
    }
    err
}

unsafe extern "C" fn punch(call: *mut Call, object: *mut c_void, first: u64, last: u64) {
    let memfd = &mut *object.cast::<Memfd>();

    // A range that ends before it begins is a panic, here; the end of the largest file lies beyond every page.
    if first > last {
        return;
    }
    let gone: Vec<u64> = memfd.range(first..=last).map(|(index, _)| *index).collect();

    for index in gone {
        if let Some(frame) = memfd.remove(&index) {
            ksim_frame_put(call, frame);
        }
    }
}

unsafe extern "C" fn resize(call: *mut Call, object: *mut c_void, size: u64) {
    punch(call, object, (size + PAGE_SIZE - 1) / PAGE_SIZE, INDEX_MAX);
}

unsafe extern "C" fn next(_call: *mut Call, object: *mut c_void, index: *mut u64) -> c_int {
    let memfd = &*object.cast::<Memfd>();

    match memfd.range(*index..).next() {
        Some((found, _)) => {
            *index = *found;
            0
        }
        None => -ENOENT,
    }
}

unsafe extern "C" fn destroy(call: *mut Call, object: *mut c_void) {
    punch(call, object, 0, INDEX_MAX);
    drop(Box::from_raw(object.cast::<Memfd>()));
}

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static my_memfd_ops: ObjectOps = ObjectOps {
    bytes: std::mem::size_of::<ObjectOps>() as u64,
    name: b"own_memfd in Rust\0".as_ptr().cast(),
    arg: std::ptr::null_mut(),
    create,
    page,
    resize,
    punch,
    next,
    destroy,
};
