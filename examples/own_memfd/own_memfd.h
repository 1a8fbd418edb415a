/* SPDX-License-Identifier: MIT */
/* The pages of a memfd by hands of our own: own_memfd.c in C, own_memfd.rs in Rust. */
#ifndef OWN_MEMFD_H
#define OWN_MEMFD_H

#include <ksim/kernel/object.h>

extern const struct ksim_object_ops my_memfd_ops;

#endif
