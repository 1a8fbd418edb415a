/* SPDX-License-Identifier: MIT */
/*
 * Who shares what, at one moment: processes, what they hold, what stands behind it. All of it is a copy, and nothing of
 * the machine is held by it.
 */
#ifndef LAB_SHARING_H
#define LAB_SHARING_H

#include <sys/queue.h>

#include "lab/lab.h"

enum { SHARING_NAME_BYTES = 320 };

/** What frames can belong to: a mapping or an object. */
struct shares {
	unsigned id;                          /* from 1 on, by the order in which they were found */
	const struct shared_process *process; /* whose mapping; NULL: an object */
};

struct shared_object {
	const void *key; /* while it is gathered: the object, with a reference */
	struct shares shares;
	STAILQ_ENTRY(shared_object) link;
	uint64_t size;
	char name[SHARING_NAME_BYTES];
};

/** An open file description. */
struct shared_file {
	const void *key; /* while it is gathered: the file, with a reference */
	unsigned id;     /* from 1 on */
	STAILQ_ENTRY(shared_file) link;
	const struct shared_object *object; /* NULL: none */
	const struct shared_file *peer;     /* of a socket, if it is among the files found; NULL: none */
	const void *end, *peer_end;         /* see unix_ends */
	bool readable, writable;
	char name[SHARING_NAME_BYTES];
};

/** A message in a socket's queue. */
struct shared_message {
	unsigned id; /* from 1 on */
	STAILQ_ENTRY(shared_message) link;
	const struct shared_file *socket;
	const struct owner *sender;
	uint64_t number; /* the sender's nth */
	size_t bytes, nfiles;
	struct file **held;               /* while it is gathered: with references */
	const struct shared_file *file[]; /* nfiles */
};

struct shared_fd {
	STAILQ_ENTRY(shared_fd) link;
	int fd;
	const struct shared_file *file;
};

struct shared_mapping {
	struct shares shares;
	STAILQ_ENTRY(shared_mapping) link;
	struct mm_region region;
	const struct shared_object *object; /* NULL: private memory */
};

struct shared_process {
	STAILQ_ENTRY(shared_process) link;
	const struct owner *owner;
	STAILQ_HEAD(, shared_fd) fds;
	STAILQ_HEAD(, shared_mapping) mappings;
};

/** Frames of one mapping or object. */
struct shared_use {
	uint64_t pfn, n;
	const struct shares *who;
	bool zeros; /* it is the machine's frame of zeros */
};

struct sharing {
	STAILQ_HEAD(, shared_process) processes; /* by pid */
	STAILQ_HEAD(, shared_file) files;
	STAILQ_HEAD(, shared_object) objects;
	STAILQ_HEAD(, shared_message) messages;
	struct shared_use *uses;
	size_t nuses, room;
	unsigned nshares, nfiles, nmessages; /* ids given */
	void *file_tree, *object_tree;       /* by key */
	struct frame_runs runs;              /* of the region or object at hand */
	int err;                             /* 0 or -ENOMEM */
};

/** Look at the whole machine, which may run meanwhile. 0 or -ENOMEM; sharing_fini in both cases. */
int sharing_gather(struct ksim_machine *m, struct sharing *s);
void sharing_fini(struct sharing *s);

/** Frames that follow each other and belong to exactly the same mappings and objects. */
struct frame_part {
	uint64_t pfn, n;
	uint64_t group;            /* first pfn of all that belong to the same */
	const struct shares **who; /* by id */
	size_t nwho;
	bool zeros;
};

/** All frames that belong to somebody, by what they belong to. */
struct frame_groups {
	struct frame_part *part; /* by group, then by pfn */
	size_t nparts;
	struct shared_tie *ties; /* of groups.c */
	const struct shares **who;
};

/** 0 or -ENOMEM; groups_fini in both cases. Points into s. */
int groups_make(const struct sharing *s, struct frame_groups *groups);
void groups_fini(struct frame_groups *groups);

#endif
