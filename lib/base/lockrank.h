/* SPDX-License-Identifier: MIT */
/*
 * The order in which locks are taken: this enum is the whole truth, outermost first.
 *
 * A lock may be taken only while every lock already held has a smaller number. Two locks of the same kind
 * are taken together in exactly one place, and the second has a rank of its own: RANK_SOCKET_PEER, the other socket of
 * two, taken in the order of their addresses.
 *
 * Which ranks a caller holds is one bit each in ctx->held, so checking costs a shift and is always on.
 */
#ifndef BASE_LOCKRANK_H
#define BASE_LOCKRANK_H

enum lock_rank {
	RANK_PROCESS_TABLE, /* all processes of a machine, pids */
	RANK_PROCESS,       /* one process: its tasks, its end */
	RANK_FD_TABLE,      /* slots of one fd table */
	RANK_FS,            /* working directory of a process */
	RANK_NAMESPACE,     /* abstract names of sockets, and which files are bound */
	RANK_FILE_POS,      /* the offset of an open file description */
	RANK_TREE,          /* which names are in which directory: one lock for all, so no two of it are ever taken */
	RANK_SOCKET_READ,   /* one reader at a time takes a stream's bytes apart */
	RANK_INODE,         /* size and content of a file */
	RANK_SOCKET,        /* state and queue of a socket */
	RANK_SOCKET_PEER,
	RANK_MM_MAP,        /* VMAs of an address space; shared for faults */
	RANK_OBJECT_MAKING, /* of a file of huge pages: one page at a time is made */
	RANK_OBJECT,        /* page slots and mappers */
	RANK_OBJECT_LOOK,   /* that no page leaves its slot: shared by who looks one up without the lock above */
	RANK_PT_LEAF,       /* entries of one page-table leaf, lock in its struct frame */
	RANK_TLB_LIST,      /* who must hear of an invalidation */
	RANK_POOL,          /* huge pages that are set aside */
	RANK_FRAME,         /* the frame allocator */
	RANK_SIGNAL,        /* pending signals, credentials and limits of a process */
	RANK_SIGNAL_ACTIONS,
	RANK_WAIT_QUEUE, /* entries of one wait queue */
	RANK_WAITER,     /* who sleeps in a machine */
	RANK_ACCOUNT,    /* lists of owners and of things for reports */
	RANK_SLAB,       /* memory of very many objects of a kind */
	RANK_COUNT,
};

#endif
