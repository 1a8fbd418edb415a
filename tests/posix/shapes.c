// SPDX-License-Identifier: MIT
/*
 * What programs do with libc's names beside calling them, in C and in C++: structs and members of the same names, the
 * addresses of functions, feature macros of their own. Only compiled, by `compiles`.
 */
#if defined(SHAPE_GNU)
#define _GNU_SOURCE
#elif defined(SHAPE_POSIX)
#define _XOPEN_SOURCE   700
#define _POSIX_C_SOURCE 200809L
#elif defined(SHAPE_LARGE)
#define _DEFAULT_SOURCE
#define _FILE_OFFSET_BITS 64
#elif defined(SHAPE_FORTIFIED)
#define _FORTIFY_SOURCE 2
#endif

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct channel {
	ssize_t (*read)(int fd, void *buf, size_t n);
	int (*close)(int fd);
	struct stat stat;
	struct flock flock;
	struct sigaction sigaction;
	int open, fstat, mmap;
};

int shapes(struct channel *channel, const char *path);

static void *thread_main(void *arg)
{
	return arg;
}

static void handler(int signo)
{
	(void)signo;
}

int shapes(struct channel *channel, const char *path)
{
	int (*volatile ending)(int) = close;
	struct sockaddr_un address;
	struct rlimit limit;
	pthread_t thread;
	char buf[16], text[64];
	int fds[2];
	void *map;

	channel->read = read;
	channel->close = &close;
	channel->open = open(path, O_RDWR | O_CREAT, 0600);
	channel->fstat = fstat(channel->open, &channel->stat);
	channel->mmap = fcntl(channel->open, F_SETLK, &channel->flock);
	memset(&channel->sigaction, 0, sizeof(channel->sigaction));
	channel->sigaction.sa_handler = handler;
	sigaction(SIGBUS, &channel->sigaction, NULL);
	signal(SIGSEGV, SIG_DFL);
	memset(&address, 0, sizeof(address));
	address.sun_family = AF_UNIX;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0 &&
	    bind(fds[0], (struct sockaddr *)&address, sizeof(address)) == 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0)
		return -1;
	map = mmap(NULL, (size_t)channel->stat.st_size, PROT_READ, MAP_SHARED, channel->open, 0);
	if (map == MAP_FAILED || read(channel->open, buf, sizeof(buf)) < 0 || recv(fds[0], buf, sizeof(buf), 0) < 0)
		return errno;
	if (pthread_create(&thread, NULL, thread_main, channel) == 0)
		pthread_join(thread, NULL);
	snprintf(text, sizeof(text), "%s %ld", path, (long)lseek(channel->open, 0, SEEK_END));
	if (fork() == 0)
		_exit((int)channel->read(channel->open, buf, 1));
	if (text[0] == '\0')
		_Exit(1);
	return ending(channel->open) + channel->close(fds[1]) + munmap(map, 1) + kill(getpid(), 0);
}

#ifdef __cplusplus
namespace
{
class Socket
{
      public:
	explicit Socket(int fd) noexcept : fd_(fd)
	{
	}
	~Socket()
	{
		close();
	}
	int close() noexcept
	{
		return ::close(fd_);
	}
	ssize_t read(char *buf, size_t n) const
	{
		return ::read(fd_, buf, n);
	}

      private:
	int fd_;
};
} // namespace

ssize_t use_methods(int fd);
ssize_t use_methods(int fd)
{
	char byte;

	return Socket(fd).read(&byte, 1);
}

static_assert(noexcept(getpid()), "what never throws still says so");
#endif
