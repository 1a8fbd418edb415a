/* SPDX-License-Identifier: MIT */
/*
 * Which sanitizer this file is compiled with: KSIM_TSAN and KSIM_ASAN are 1 or 0, for gcc and clang alike.
 */
#ifndef BASE_SANITIZE_H
#define BASE_SANITIZE_H

#if defined(__SANITIZE_THREAD__)
#define KSIM_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define KSIM_TSAN 1
#endif
#endif
#ifndef KSIM_TSAN
#define KSIM_TSAN 0
#endif

#if defined(__SANITIZE_ADDRESS__)
#define KSIM_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KSIM_ASAN 1
#endif
#endif
#ifndef KSIM_ASAN
#define KSIM_ASAN 0
#endif

#endif
