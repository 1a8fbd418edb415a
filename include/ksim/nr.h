/* SPDX-License-Identifier: MIT */
/*
 * The numbers of the system calls that ksim_syscall knows, on each simulated machine.
 *
 * They are Linux's own. Which of the two columns holds is decided by the machine, not by the host: a program that
 * makes both machines asks ksim_nr(machine, "name").
 */
#ifndef KSIM_NR_H
#define KSIM_NR_H

#define KSIM_NR_X86_64_read         0
#define KSIM_NR_X86_64_write        1
#define KSIM_NR_X86_64_close        3
#define KSIM_NR_X86_64_fstat        5
#define KSIM_NR_X86_64_lseek        8
#define KSIM_NR_X86_64_mmap         9
#define KSIM_NR_X86_64_mprotect     10
#define KSIM_NR_X86_64_munmap       11
#define KSIM_NR_X86_64_pread64      17
#define KSIM_NR_X86_64_pwrite64     18
#define KSIM_NR_X86_64_dup          32
#define KSIM_NR_X86_64_dup2         33
#define KSIM_NR_X86_64_dup3         292
#define KSIM_NR_X86_64_fcntl        72
#define KSIM_NR_X86_64_ftruncate    77
#define KSIM_NR_X86_64_fallocate    285
#define KSIM_NR_X86_64_open         2
#define KSIM_NR_X86_64_openat       257
#define KSIM_NR_X86_64_unlink       87
#define KSIM_NR_X86_64_unlinkat     263
#define KSIM_NR_X86_64_memfd_create 319
#define KSIM_NR_X86_64_socket       41
#define KSIM_NR_X86_64_socketpair   53
#define KSIM_NR_X86_64_bind         49
#define KSIM_NR_X86_64_listen       50
#define KSIM_NR_X86_64_accept       43
#define KSIM_NR_X86_64_accept4      288
#define KSIM_NR_X86_64_connect      42
#define KSIM_NR_X86_64_shutdown     48
#define KSIM_NR_X86_64_sendto       44
#define KSIM_NR_X86_64_recvfrom     45
#define KSIM_NR_X86_64_sendmsg      46
#define KSIM_NR_X86_64_recvmsg      47
#define KSIM_NR_X86_64_getsockname  51
#define KSIM_NR_X86_64_getpeername  52
#define KSIM_NR_X86_64_getsockopt   55
#define KSIM_NR_X86_64_getpid       39
#define KSIM_NR_X86_64_getppid      110
#define KSIM_NR_X86_64_gettid       186
#define KSIM_NR_X86_64_getuid       102
#define KSIM_NR_X86_64_geteuid      107
#define KSIM_NR_X86_64_getgid       104
#define KSIM_NR_X86_64_getegid      108
#define KSIM_NR_X86_64_exit         60
#define KSIM_NR_X86_64_exit_group   231
#define KSIM_NR_X86_64_wait4        61
#define KSIM_NR_X86_64_rt_sigaction 13
#define KSIM_NR_X86_64_getrlimit    97
#define KSIM_NR_X86_64_setrlimit    160
#define KSIM_NR_X86_64_prlimit64    302

#define KSIM_NR_AARCH64_read         63
#define KSIM_NR_AARCH64_write        64
#define KSIM_NR_AARCH64_close        57
#define KSIM_NR_AARCH64_fstat        80
#define KSIM_NR_AARCH64_lseek        62
#define KSIM_NR_AARCH64_mmap         222
#define KSIM_NR_AARCH64_mprotect     226
#define KSIM_NR_AARCH64_munmap       215
#define KSIM_NR_AARCH64_pread64      67
#define KSIM_NR_AARCH64_pwrite64     68
#define KSIM_NR_AARCH64_dup          23
#define KSIM_NR_AARCH64_dup3         24
#define KSIM_NR_AARCH64_fcntl        25
#define KSIM_NR_AARCH64_ftruncate    46
#define KSIM_NR_AARCH64_fallocate    47
#define KSIM_NR_AARCH64_openat       56
#define KSIM_NR_AARCH64_unlinkat     35
#define KSIM_NR_AARCH64_memfd_create 279
#define KSIM_NR_AARCH64_socket       198
#define KSIM_NR_AARCH64_socketpair   199
#define KSIM_NR_AARCH64_bind         200
#define KSIM_NR_AARCH64_listen       201
#define KSIM_NR_AARCH64_accept       202
#define KSIM_NR_AARCH64_accept4      242
#define KSIM_NR_AARCH64_connect      203
#define KSIM_NR_AARCH64_shutdown     210
#define KSIM_NR_AARCH64_sendto       206
#define KSIM_NR_AARCH64_recvfrom     207
#define KSIM_NR_AARCH64_sendmsg      211
#define KSIM_NR_AARCH64_recvmsg      212
#define KSIM_NR_AARCH64_getsockname  204
#define KSIM_NR_AARCH64_getpeername  205
#define KSIM_NR_AARCH64_getsockopt   209
#define KSIM_NR_AARCH64_getpid       172
#define KSIM_NR_AARCH64_getppid      173
#define KSIM_NR_AARCH64_gettid       178
#define KSIM_NR_AARCH64_getuid       174
#define KSIM_NR_AARCH64_geteuid      175
#define KSIM_NR_AARCH64_getgid       176
#define KSIM_NR_AARCH64_getegid      177
#define KSIM_NR_AARCH64_exit         93
#define KSIM_NR_AARCH64_exit_group   94
#define KSIM_NR_AARCH64_wait4        260
#define KSIM_NR_AARCH64_rt_sigaction 134
#define KSIM_NR_AARCH64_getrlimit    163
#define KSIM_NR_AARCH64_setrlimit    164
#define KSIM_NR_AARCH64_prlimit64    261

#endif
