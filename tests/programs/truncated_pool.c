#include <ksim/criterion.h>
#include <signal.h>
#include <sys/mman.h>
enum { POOL = 4 * 4096 };
static int read_last_pixel(void *view)
{
	return ksim_load32(*(ksim_addr *)view + POOL - 4) != 0;
}
KSIM_TEST(wl_shm, read_of_truncated_pool_raises_SIGBUS_in_the_compositor)
{
	struct ksim_process *client = ksim_process_create(m, "client");
	struct ksim_process *compositor = ksim_process_create(m, "compositor");
	ksim_addr view = KSIM_MAP_FAILED;
	struct ksim_end end;
	int wl[2], pool = -1, got = -1;
	size_t nfds = 1;
	char request[4];

	cr_assert_eq(ksim_socketpair_between(client, compositor, SOCK_STREAM, wl), 0);
	uint64_t connected = ksim_mark(m);
	ksim_as(client) {
		pool = ksim_memfd_create("wl_shm", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		cr_assert_eq(ksim_ftruncate(pool, POOL), 0);
		cr_assert_eq(ksim_send_fds(wl[0], "pool", 4, &pool, 1), 4);
	}
	ksim_as(compositor) {
		cr_assert_eq(ksim_recv_fds(wl[1], request, 4, &got, &nfds, MSG_CMSG_CLOEXEC), 4);
		view = ksim_mmap(0, POOL, PROT_READ, MAP_SHARED, got, 0);
		cr_expect_eq(ksim_close(got), 0);
	}
	ksim_as(client)
		cr_assert_eq(ksim_ftruncate(pool, 4096), 0);
	cr_assert_eq(ksim_run(compositor, read_last_pixel, &view, &end), 0);
	cr_assert_eq(end.signo, SIGBUS, "%s", end.text);
	cr_expect(end.si_code == BUS_ADRERR && end.addr == view + POOL - 4, "%s", end.text);
	cr_expect_eq(ksim_leaks(m, compositor, connected), 0);
}
