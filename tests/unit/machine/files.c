// SPDX-License-Identifier: MIT
/*
 * The libc-shaped calls on files and memory hand every argument over and answer as libc does. What Linux promises
 * about the calls themselves is in tests/abi.
 */
#include "bed.h"

#include <sys/resource.h>

TEST(files, content_is_read_and_written_at_the_offset_and_at_offsets)
{
	struct ksim_machine *m = bed_boot(NULL);
	char buf[8] = "";

	ksim_as(bed_process(m, "p")) {
		int fd = ksim_memfd_create("x", MFD_CLOEXEC);

		EXPECT_EQ(fd, 0);
		EXPECT_EQ(ksim_write(fd, "hello", 5), 5);
		EXPECT_EQ(ksim_pwrite(fd, "J", 1, 0), 1);
		EXPECT_EQ(ksim_lseek(fd, -4, SEEK_CUR), 1);
		EXPECT_EQ(ksim_read(fd, buf, sizeof(buf)), 4);
		EXPECT_MEMEQ(buf, "ello", 4);
		EXPECT_EQ(ksim_pread(fd, buf, 2, 0), 2);
		EXPECT_MEMEQ(buf, "Je", 2);
		EXPECT_EQ(ksim_lseek(fd, INT64_C(1) << 40, SEEK_SET), INT64_C(1) << 40);
		EXPECT_EQ(ksim_read(fd, buf, 1), 0);
		EXPECT_FAILS(ksim_lseek(fd, -1, SEEK_SET), EINVAL);
		EXPECT_FAILS(ksim_pread(fd, buf, 1, -1), EINVAL);
		EXPECT_EQ(ksim_close(fd), 0);
		EXPECT_FAILS(ksim_close(fd), EBADF);
		EXPECT_FAILS(ksim_read(fd, buf, 1), EBADF);
	}
	bed_halt(m);
}

TEST(files, success_leaves_errno_alone)
{
	struct ksim_machine *m = bed_boot(NULL);

	ksim_as(bed_process(m, "p")) {
		errno = ERANGE;
		EXPECT_EQ(ksim_close(ksim_memfd_create("x", 0)), 0);
		EXPECT_EQ(errno, ERANGE);
	}
	bed_halt(m);
}

TEST(files, size_is_set_reserved_and_told)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct stat st;

	ksim_as(bed_process(m, "p")) {
		int fd = ksim_memfd_create("x", 0);

		EXPECT_EQ(ksim_ftruncate(fd, 3 * PAGE), 0);
		EXPECT_EQ(ksim_fstat(fd, &st), 0);
		EXPECT_EQ(st.st_size, 3 * PAGE);
		EXPECT_EQ(st.st_blocks, 3 * PAGE / 512);
		EXPECT_EQ(st.st_blksize, PAGE);
		EXPECT(S_ISREG(st.st_mode));
		EXPECT_EQ(st.st_nlink, 0);
		EXPECT(st.st_ino != 0 && st.st_mtim.tv_sec > 0);
		EXPECT_EQ(ksim_fallocate(fd, 0, 4 * PAGE, PAGE), 0);
		EXPECT_EQ(ksim_fstat(fd, &st), 0);
		EXPECT_EQ(st.st_size, 5 * PAGE);
		EXPECT_EQ(st.st_blocks, 4 * PAGE / 512);
		EXPECT_FAILS(ksim_ftruncate(fd, -1), EINVAL);
		EXPECT_FAILS(ksim_fallocate(fd, 1 << 20, 0, PAGE), EOPNOTSUPP);
		EXPECT_FAILS(ksim_ftruncate(fd, 8 << 20), ENOMEM);
		EXPECT_EQ(ksim_close(fd), 0);
	}
	bed_halt(m);
}

TEST(files, descriptors_are_duplicated_and_their_flags_kept)
{
	struct ksim_machine *m = bed_boot(NULL);

	ksim_as(bed_process(m, "p")) {
		int fd = ksim_memfd_create("x", MFD_CLOEXEC);

		EXPECT_EQ(ksim_dup(fd), 1);
		EXPECT_EQ(ksim_dup2(fd, 7), 7);
		EXPECT_EQ(ksim_dup2(fd, fd), fd);
		EXPECT_EQ(ksim_dup3(fd, 8, O_CLOEXEC), 8);
		EXPECT_FAILS(ksim_dup3(fd, fd, 0), EINVAL);
		EXPECT_EQ(ksim_fcntl(fd, F_DUPFD, 5), 5);
		EXPECT_EQ(ksim_fcntl(fd, F_DUPFD_CLOEXEC, 5), 6);
		EXPECT_EQ(ksim_fcntl(fd, F_GETFD), FD_CLOEXEC);
		EXPECT_EQ(ksim_fcntl(5, F_GETFD), 0);
		EXPECT_EQ(ksim_fcntl(6, F_GETFD), FD_CLOEXEC);
		EXPECT_EQ(ksim_fcntl(6, F_SETFD, 0), 0);
		EXPECT_EQ(ksim_fcntl(6, F_GETFD), 0);
		EXPECT_EQ(ksim_fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK), 0);
		EXPECT_EQ(ksim_fcntl(5, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK), O_RDWR | O_APPEND | O_NONBLOCK);
		EXPECT_FAILS(ksim_fcntl(fd, 9999), EINVAL);
	}
	bed_halt(m);
}

TEST(files, seals_are_added_and_told)
{
	struct ksim_machine *m = bed_boot(NULL);

	ksim_as(bed_process(m, "p")) {
		int fd = ksim_memfd_create("x", MFD_ALLOW_SEALING);

		EXPECT_EQ(ksim_fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
		EXPECT_EQ(ksim_fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW);
		EXPECT_FAILS(ksim_ftruncate(fd, 1), EPERM);
	}
	bed_halt(m);
}

TEST(files, open_and_openat_reopen_through_proc)
{
	struct ksim_machine *m = bed_boot(NULL);
	char byte;

	ksim_as(bed_process(m, "p")) {
		int fd = ksim_memfd_create("x", 0);

		EXPECT_EQ(ksim_write(fd, "ab", 2), 2);
		EXPECT_EQ(ksim_open("/proc/self/fd/0", O_RDONLY | O_CLOEXEC), 1);
		EXPECT_EQ(ksim_read(1, &byte, 1), 1);
		EXPECT_EQ(byte, 'a');
		EXPECT_FAILS(ksim_write(1, "x", 1), EBADF);
		EXPECT_EQ(ksim_openat(AT_FDCWD, "/proc/self/fd/0", O_RDWR), 2);
		EXPECT_FAILS(ksim_open("/proc/self/fd/9", O_RDWR), ENOENT);
		EXPECT_FAILS(ksim_open("/none/new", O_RDWR | O_CREAT, 0600), ENOENT);
		EXPECT_FAILS(ksim_open("/proc/self/fd/0", O_RDWR | O_DIRECTORY), ENOTDIR);
		EXPECT_FAILS(ksim_openat(77, "x", O_RDWR), EBADF);
		EXPECT_FAILS(ksim_unlink("/none"), ENOENT);
		EXPECT_FAILS(ksim_unlinkat(AT_FDCWD, "/none", 0), ENOENT);
		EXPECT_FAILS(ksim_unlinkat(AT_FDCWD, "/none", 1 << 20), EINVAL);
	}
	bed_halt(m);
}

TEST(files, limit_of_descriptors_is_told_and_set)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct rlimit limit;

	ksim_as(bed_process(m, "p")) {
		EXPECT_EQ(ksim_getrlimit(RLIMIT_NOFILE, &limit), 0);
		EXPECT_EQ(limit.rlim_cur, 1024);
		limit.rlim_cur = 2;
		EXPECT_EQ(ksim_setrlimit(RLIMIT_NOFILE, &limit), 0);
		EXPECT_EQ(ksim_memfd_create("a", 0), 0);
		EXPECT_EQ(ksim_dup(0), 1);
		EXPECT_FAILS(ksim_dup(0), EMFILE);
		EXPECT_FAILS(ksim_memfd_create("b", 0), EMFILE);
		EXPECT_EQ(ksim_getrlimit(RLIMIT_AS, &limit), 0);
		EXPECT(limit.rlim_cur == RLIM_INFINITY);
	}
	bed_halt(m);
}

TEST(files, mappings_are_made_protected_and_removed)
{
	struct ksim_machine *m = bed_boot(NULL);

	ksim_as(bed_process(m, "p")) {
		int fd = ksim_memfd_create("x", 0);
		ksim_addr at;

		EXPECT_EQ(ksim_ftruncate(fd, 2 * PAGE), 0);
		EXPECT_EQ(ksim_pwrite(fd, "second", 6, PAGE), 6);
		at = ksim_mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, PAGE);
		REQUIRE(at != KSIM_MAP_FAILED);
		expect_user_bytes(at, "second", 6);
		EXPECT_EQ(ksim_mprotect(at, PAGE, PROT_READ), 0);
		EXPECT_FAILS(ksim_pread(fd, ksim_user(at), 6, PAGE), EFAULT);
		EXPECT_EQ(ksim_munmap(at, PAGE), 0);
		EXPECT_FAILS(ksim_mprotect(at, PAGE, PROT_READ), ENOMEM);
		errno = 0;
		EXPECT(ksim_mmap(0, PAGE, PROT_READ, MAP_SHARED, 99, 0) == KSIM_MAP_FAILED && errno == EBADF);
		EXPECT(ksim_mmap(0, 0, PROT_READ, MAP_SHARED, fd, 0) == KSIM_MAP_FAILED && errno == EINVAL);
	}
	bed_halt(m);
}

/* ---- pointers ---- */

TEST(files, NULL_is_EFAULT_where_it_is_used)
{
	struct ksim_machine *m = bed_boot(NULL);

	ksim_as(bed_process(m, "p")) {
		int fd = ksim_memfd_create("x", 0);

		EXPECT_EQ(ksim_ftruncate(fd, 1), 0);
		EXPECT_FAILS(ksim_memfd_create(NULL, 0), EFAULT);
		EXPECT_FAILS(ksim_open(NULL, O_RDONLY), EFAULT);
		EXPECT_FAILS(ksim_openat(AT_FDCWD, NULL, O_RDONLY), EFAULT);
		EXPECT_FAILS(ksim_read(fd, NULL, 1), EFAULT);
		EXPECT_FAILS(ksim_write(fd, NULL, 1), EFAULT);
		EXPECT_FAILS(ksim_pread(fd, NULL, 1, 0), EFAULT);
		EXPECT_FAILS(ksim_pwrite(fd, NULL, 1, 0), EFAULT);
		EXPECT_EQ(ksim_write(fd, NULL, 0), 0);
		EXPECT_FAILS(ksim_fstat(fd, NULL), EFAULT);
		EXPECT_FAILS(ksim_unlink(NULL), EFAULT);
		EXPECT_FAILS(ksim_unlinkat(AT_FDCWD, NULL, 0), EFAULT);
		EXPECT_FAILS(ksim_getrlimit(RLIMIT_NOFILE, NULL), EFAULT);
		EXPECT_FAILS(ksim_setrlimit(RLIMIT_NOFILE, NULL), EFAULT);
	}
	bed_halt(m);
}

TEST(files, user_addresses_are_buffers_names_and_structs)
{
	static const char path[] = "/proc/self/fd/0";
	struct ksim_machine *m = bed_boot(NULL);
	struct rlimit limit = { 8, 8 };
	off_t size;

	ksim_as(bed_process(m, "p")) {
		ksim_addr at = bed_map(2);
		int fd;

		bed_poke(at, "name", 5);
		fd = ksim_memfd_create(ksim_user(at), 0);
		EXPECT_EQ(fd, 0);
		EXPECT_EQ(ksim_write(fd, ksim_user(at), 4), 4);
		EXPECT_EQ(ksim_pread(fd, ksim_user(at + PAGE - 2), 4, 0), 4);
		expect_user_bytes(at + PAGE - 2, "name", 4);
		bed_poke(at, path, sizeof(path));
		EXPECT_EQ(ksim_open(ksim_user(at), O_RDONLY), 1);
		EXPECT_EQ(ksim_fstat(fd, ksim_user(at)), 0);
		size = 4;
		expect_user_bytes(at + offsetof(struct stat, st_size), &size, sizeof(size));
		bed_poke(at, &limit, sizeof(limit));
		EXPECT_EQ(ksim_setrlimit(RLIMIT_NOFILE, ksim_user(at)), 0);
		EXPECT_EQ(ksim_getrlimit(RLIMIT_NOFILE, ksim_user(at + 64)), 0);
		expect_user_bytes(at + 64, &limit.rlim_cur, sizeof(limit.rlim_cur));
		EXPECT_FAILS(ksim_pread(fd, ksim_user(at + 2 * PAGE), 1, 0), EFAULT);
		EXPECT_FAILS(ksim_memfd_create(ksim_user(at + 2 * PAGE), 0), EFAULT);
		EXPECT_FAILS(ksim_fstat(fd, ksim_user(at + 2 * PAGE - 8)), EFAULT);
		EXPECT_FAILS(ksim_pread(fd, ksim_user(0), 1, 0), EFAULT);
	}
	bed_halt(m);
}

/* ---- by number ---- */

TEST(files, syscall_by_number_speaks_the_simulated_architecture)
{
	static const struct {
		enum ksim_arch arch;
		long memfd_create, fstat, openat, directory;
		size_t stat_bytes;
	} machines[] = {
		{ KSIM_ARCH_X86_64, 319, 5, 257, 0200000, 144 },
		{ KSIM_ARCH_AARCH64, 279, 80, 56, 040000, 128 },
	};

	for (int i = 0; i < 2; i++) {
		struct ksim_config config = { .ram_bytes = 4 << 20, .arch = machines[i].arch };
		struct ksim_machine *m = bed_boot(&config);
		char st[160];

		ksim_as(bed_process(m, "p")) {
			memset(st, 'x', sizeof(st));
			errno = 0;
			EXPECT_EQ(ksim_syscall(machines[i].memfd_create, (long)(uintptr_t) "x", 0, 0, 0, 0, 0), 0);
			EXPECT_EQ(ksim_syscall(machines[i].fstat, 0, (long)(uintptr_t)st, 0, 0, 0, 0), 0);
			EXPECT(st[machines[i].stat_bytes - 1] != 'x' && st[machines[i].stat_bytes] == 'x');
			EXPECT_EQ(ksim_syscall(machines[i].openat, AT_FDCWD, (long)(uintptr_t) "/proc/self/fd/0",
			                       machines[i].directory, 0, 0, 0),
			          -ENOTDIR);
			EXPECT_EQ(ksim_syscall(machines[i].fstat, 0, 0, 0, 0, 0, 0), -EFAULT);
			EXPECT_EQ(ksim_syscall(-1, 0, 0, 0, 0, 0, 0), -ENOSYS);
			EXPECT_EQ(ksim_syscall(100000, 0, 0, 0, 0, 0, 0), -ENOSYS);
			EXPECT_EQ(errno, 0);
		}
		bed_halt(m);
	}
}

TEST(files, libc_shaped_calls_are_the_hosts_on_every_machine)
{
	for (int i = 0; i < 2; i++) {
		struct ksim_config config = {
			.ram_bytes = 4 << 20,
			.arch = i == 0 ? KSIM_ARCH_X86_64 : KSIM_ARCH_AARCH64,
		};
		struct ksim_machine *m = bed_boot(&config);
		struct stat st;

		ksim_as(bed_process(m, "p")) {
			EXPECT_EQ(ksim_memfd_create("x", 0), 0);
			EXPECT_EQ(ksim_dup2(0, 3), 3);
			EXPECT_FAILS(ksim_open("/proc/self/fd/0", O_DIRECTORY), ENOTDIR);
			EXPECT_EQ(ksim_ftruncate(0, 5), 0);
			EXPECT_EQ(ksim_fstat(0, &st), 0);
			EXPECT_EQ(st.st_size, 5);
		}
		bed_halt(m);
	}
}
