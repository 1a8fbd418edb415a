// SPDX-License-Identifier: MIT
/*
 * A program that knows nothing of ksim, and ends in one of several ways: the script `mains` runs it on the host and in
 * a process of a machine, and compares.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 4096 };

static int pool;
static char *pixels;

static void say(const char *text)
{
	if (write(STDOUT_FILENO, text, strlen(text)) < 0)
		_exit(99);
}

static void on_signal(int signo)
{
	say(signo == SIGALRM ? "alarm\n" : "another signal\n");
}

static void *draw(void *arg)
{
	memset(pixels + PAGE, *(char *)arg, PAGE);
	return arg;
}

static void use_the_machine(void)
{
	char colour = 'c';
	struct stat st;
	pthread_t thread;

	pool = memfd_create("pool", MFD_ALLOW_SEALING);
	if (pool < 0 || ftruncate(pool, 2 * PAGE) < 0 || fstat(pool, &st) < 0)
		exit(98);
	pixels = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, pool, 0);
	if (pixels == MAP_FAILED)
		exit(97);
	strcpy(pixels, "pool");
	printf("descriptor %d, %ld bytes of %s, %d\n", pool, (long)st.st_size, pixels, getpid() == gettid());
	if (pthread_create(&thread, NULL, draw, &colour) != 0 || pthread_join(thread, NULL) != 0)
		exit(96);
	printf("%c%c%c\n", pixels[PAGE], pixels[2 * PAGE - 1], pixels[0]);
	fflush(stdout);
}

static void at_exit(void)
{
	printf("exits, %d\n", (int)lseek(pool, 0, SEEK_END));
}

static void send_alarm(void)
{
	signal(SIGALRM, on_signal);
	signal(SIGUSR2, on_signal);
	kill(getpid(), SIGUSR2);
	raise(SIGALRM);
}

static void *go_on(void *arg)
{
	for (int i = 0; i < 1000; i++)
		sched_yield();
	say("goes on\n");
	_exit(5);
	return arg;
}

/* exit(2) of the first thread alone. */
static void leave(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, go_on, NULL) == 0)
		syscall(SYS_exit, 7);
	say("did not leave\n");
}

static void read_input(void)
{
	char text[64];
	ssize_t n = read(STDIN_FILENO, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	printf("read %s", text);
}

/* A thread that a library made, whose first deed is a store. */
static void draw_behind_our_back(void)
{
	int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
	char colour = 'l';
	pthread_t thread;

	*(void **)&create = dlsym(RTLD_DEFAULT, "pthread_create");
	if (create == NULL || create(&thread, NULL, draw, &colour) != 0 || pthread_join(thread, NULL) != 0)
		exit(95);
	printf("%c\n", pixels[PAGE + 7]);
}

/* How it ends; one that comes back is a plain return from main. */
static int end_by(const char *way)
{
	volatile char *p = pixels;

	if (strcmp(way, "exit") == 0)
		exit(3);
	if (strcmp(way, "_exit") == 0)
		_exit(4);
	if (strcmp(way, "truncated") == 0 && ftruncate(pool, 0) == 0)
		p[PAGE] = 1;
	if (strcmp(way, "unmapped") == 0 && munmap(pixels, 2 * PAGE) == 0)
		p[0] = 1;
	if (strcmp(way, "raise") == 0)
		raise(SIGTERM);
	if (strcmp(way, "alarm") == 0)
		send_alarm();
	if (strcmp(way, "library") == 0)
		draw_behind_our_back();
	if (strcmp(way, "leaves") == 0)
		leave();
	if (strcmp(way, "input") == 0)
		read_input();
	return strcmp(way, "return") == 0 ? 5 : 0;
}

int main(int argc, char **argv)
{
	use_the_machine();
	atexit(at_exit);
	return argc > 1 ? end_by(argv[1]) : 0;
}
