// SPDX-License-Identifier: MIT
/*
 * Answers that differ from release to release, and by vm.memfd_noexec, on each side of every switch.
 */
#include "bed.h"

/* What memfd_create says; if it makes one, its mode and seals. */
static int created(struct bed *bed, unsigned flags, uint32_t *mode, int *seals)
{
	struct file *file = NULL;
	struct kstat st;
	int err = memfd_create_file(&bed->ctx, "x", flags, &file);

	if (err < 0)
		return err;
	vfs_stat(&bed->ctx, file, &st);
	*mode = st.mode & 07777;
	*seals = vfs_get_seals(&bed->ctx, file);
	file_put(&bed->ctx, file);
	return 0;
}

TEST(release, memfd_noexec_judges_and_completes_the_flags)
{
	/* 8, 9. */
	static const struct {
		unsigned release, level, flags;
		int err;
		uint32_t mode;
		int seals;
	} rows[] = {
		{ 6002, 0, 0, 0, 0777, F_SEAL_SEAL },
		{ 6002, 2, 0, 0, 0777, F_SEAL_SEAL },
		{ 6002, 2, MEMFD_ALLOW_SEALING, 0, 0777, 0 },
		{ 6002, 0, MEMFD_EXEC, -EINVAL, 0, 0 },
		{ 6002, 0, MEMFD_NOEXEC_SEAL, -EINVAL, 0, 0 },
		{ 6003, 0, MEMFD_EXEC, 0, 0777, F_SEAL_SEAL },
		{ 6003, 0, MEMFD_NOEXEC_SEAL, 0, 0666, SEAL_EXEC },
		{ 6003, 1, 0, 0, 0666, SEAL_EXEC },
		{ 6003, 2, 0, -EINVAL, 0, 0 },
		{ 6003, 2, MEMFD_NOEXEC_SEAL, 0, 0666, SEAL_EXEC },
		{ 6006, 2, 0, 0, 0666, SEAL_EXEC },
		{ 0, 0, 0, 0, 0777, F_SEAL_SEAL },
		{ 0, 0, MEMFD_ALLOW_SEALING, 0, 0777, 0 },
		{ 0, 0, MEMFD_NOEXEC_SEAL | MEMFD_ALLOW_SEALING, 0, 0666, SEAL_EXEC },
		{ 0, 1, 0, 0, 0666, SEAL_EXEC },
		{ 0, 1, MEMFD_EXEC | MEMFD_ALLOW_SEALING, 0, 0777, 0 },
		{ 0, 2, 0, 0, 0666, SEAL_EXEC },
		{ 0, 2, MEMFD_EXEC, -EACCES, 0, 0 },
		{ 0, 2, MEMFD_EXEC | MEMFD_NOEXEC_SEAL, -EINVAL, 0, 0 },
		{ 0, 2, MEMFD_EXEC | 0x40, -EINVAL, 0, 0 },
		{ 4015, 0, MEMFD_HUGETLB | MEMFD_ALLOW_SEALING, -EINVAL, 0, 0 },
		{ 4016, 0, MEMFD_HUGETLB | MEMFD_ALLOW_SEALING, 0, 0777, 0 },
	};
	struct bed bed;

	bed_open(&bed, COMMIT_ON_TOUCH);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t mode = 0;
		int err, seals = 0;

		profile_init(&bed.env.profile, rows[i].release);
		bed.env.sysctl.memfd_noexec = rows[i].level;
		err = created(&bed, rows[i].flags, &mode, &seals);
		EXPECT_MSG(err == rows[i].err && mode == rows[i].mode && seals == rows[i].seals,
		           "row %zu: %d, mode %o, seals %#x", i, err, mode, (unsigned)seals);
	}
	bed_close(&bed);
}

TEST(release, seals_are_known_from_their_release_on)
{
	static const struct {
		unsigned release;
		uint32_t seal;
		int result;
	} rows[] = {
		{ 5000, SEAL_FUTURE_WRITE, -EINVAL },
		{ 5001, SEAL_FUTURE_WRITE, 0 },
		{ 6002, SEAL_EXEC, -EINVAL },
		{ 6003, SEAL_EXEC, 0 },
		{ 0, SEAL_EXEC, 0 },
		{ 0, 0x40, -EINVAL },
	};
	struct bed bed;

	bed_open(&bed, COMMIT_ON_TOUCH);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct file *file = bed_memfd(&bed, MEMFD_ALLOW_SEALING, 10);

		profile_init(&bed.env.profile, rows[i].release);
		file->inode->mode &= ~0111u;
		EXPECT_EQ(vfs_add_seals(&bed.ctx, file, rows[i].seal), rows[i].result);
		EXPECT_EQ(vfs_get_seals(&bed.ctx, file), rows[i].result == 0 ? (int)rows[i].seal : 0);
		file_put(&bed.ctx, file);
		profile_init(&bed.env.profile, 0);
	}
	bed_close(&bed);
}

static void expect_exec_beside_a_writer(unsigned release, int result, int seals)
{
	struct bed bed;
	struct file *file;

	bed_open(&bed, COMMIT_ON_TOUCH);
	profile_init(&bed.env.profile, release);
	file = bed_memfd(&bed, MEMFD_ALLOW_SEALING, 10);
	REQUIRE_EQ(object_writer_get(file->inode->object), 0);
	EXPECT_EQ(vfs_add_seals(&bed.ctx, file, SEAL_EXEC), result);
	EXPECT_EQ(vfs_get_seals(&bed.ctx, file), seals);
	EXPECT_EQ(do_pwrite(&bed, file, "x", 1, 0), seals != 0 ? -EPERM : 1);
	expect_sound_file(&bed, file);
	object_writer_put(file->inode->object);
	expect_sound_file(&bed, file);
	file_put(&bed.ctx, file);
	bed_close(&bed);
}

TEST(release, exec_seal_of_an_executable_looks_at_mappings_since_6_18)
{
	/* 35. */
	expect_exec_beside_a_writer(6017, 0, 0x3e);
	expect_exec_beside_a_writer(6018, -EBUSY, 0);
}

TEST(release, exec_seal_without_a_denial_still_refuses_mappings_that_write)
{
	struct bed bed;
	struct file *file;
	struct vfs_mapping mapping;

	bed_open(&bed, COMMIT_ON_TOUCH);
	profile_init(&bed.env.profile, 6017);
	file = bed_memfd(&bed, MEMFD_ALLOW_SEALING, 10);
	EXPECT_EQ(vfs_add_seals(&bed.ctx, file, SEAL_EXEC), 0);
	EXPECT_EQ(vfs_map(&bed.ctx, file, 3, true, &mapping), -EPERM);
	EXPECT_EQ(vfs_map(&bed.ctx, file, 1, true, &mapping), 0);
	EXPECT_EQ(mapping.max_prot & 2, 0);
	file_put(&bed.ctx, file);
	bed_close(&bed);
}

TEST(release, flags_of_one_transfer_are_known_from_their_release_on)
{
	enum { NOWAIT = 8, APPEND = 0x10, NOAPPEND = 0x20, NOSIGNAL = 0x100 };
	static const struct {
		unsigned release;
		uint32_t flags;
		int result;
	} rows[] = {
		{ 6008, NOAPPEND, -EOPNOTSUPP },
		{ 6009, NOAPPEND, 0 },
		{ 6008, APPEND | NOAPPEND, -EOPNOTSUPP },
		{ 6009, APPEND | NOAPPEND, -EINVAL },
		{ 6017, NOSIGNAL, -EOPNOTSUPP },
		{ 6018, NOSIGNAL, 0 },
		{ 0, 7 | APPEND, 0 },
		{ 0, NOWAIT, -EOPNOTSUPP },
		{ 0, 0x200, -EOPNOTSUPP },
	};
	struct bed bed;
	struct file *file;
	struct uio uio;

	bed_open(&bed, COMMIT_ON_TOUCH);
	file = bed_memfd(&bed, 0, 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int result;

		profile_init(&bed.env.profile, rows[i].release);
		uio_init(&uio, NULL, 0);
		result = vfs_rw_flags(&bed.ctx, file, rows[i].flags, &uio);
		EXPECT_MSG(result == rows[i].result, "row %zu: %d", i, result);
	}
	file_put(&bed.ctx, file);
	bed_close(&bed);
}
