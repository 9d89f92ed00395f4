/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One call on one socket becomes the records of tks_record.h: the same code behind every backend.
 *
 * The work of one call sits in per-CPU scratch memory, not in registers, and is read anew after each decision (barrier):
 * the verifier then has unknown values at each step, branches meet again, and a long loop stays cheap for it.
 */
#ifndef CAPTURE_BPF_H
#define CAPTURE_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"
#include "sock.bpf.h"
#include "syscalls.bpf.h"
#include "tks_record.h"

/* include/linux/socket.h */
#define MSG_OOB	     0x1
#define MSG_PEEK     0x2
#define MSG_TRUNC    0x20
#define MSG_ERRQUEUE 0x2000

/*
 * Bytes of one read from user memory. The piece buffer is this much longer than a piece: offset and size are bounded
 * one by one, which is all the verifier can follow. A page, so that a fault loses no readable page.
 */
#define COPY_STEP 4096
/* Each step begins a segment, ends one, is a full copy or emits a piece; the rest is for the cuts at head and gap. */
#define COPY_STEPS \
	(2 * TKS_SEGMENTS_MAX + TKS_CALL_MAX / COPY_STEP + TKS_CALL_MAX / TKS_PIECE_MAX + 8)

/* Where the next byte of the call is in user memory. */
struct cursor {
	__u64 address;
	__u64 left;	/* bytes of this segment */
	__u64 iovec;	/* address of the next struct iovec */
	__u64 segments; /* how many more there are */
	__u64 offset;	/* where the next segment begins to count */
	__u32 followed;
	__u32 kernel; /* the structs iovec are in kernel memory */
};

/* Offsets into the call: [0, head) and [tail, total) are captured. */
struct capture {
	__u32 total;
	__u32 head;
	__u32 tail;
	__u32 done;  /* passed so far */
	__u32 taken; /* captured so far */
	__u32 step;  /* bytes of the step under way */
	__u32 skip;  /* bytes after the piece to emit that are not captured */
	__u32 in_gap;
	__u32 crossed; /* the piece before the gap was emitted */
};

struct scratch {
	__u32 busy;
	struct cursor cursor;
	struct capture capture;
	struct sock_state state; /* of a socket not seen before */
	__u8 record[sizeof(struct tks_data) + TKS_PIECE_MAX + COPY_STEP]
		__attribute__((aligned(8)));
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch __weak SEC(".maps");

static __always_inline struct tks_data *scratch_data(struct scratch *s)
{
	return (struct tks_data *)s->record;
}

/* ------------------------------------------------------------------ pieces */

/* Emits the piece gathered so far, followed by capture.skip bytes that are not captured, and starts the next one. */
static __noinline int piece_emit(struct scratch *s)
{
	struct tks_data *d = scratch_data(s);
	__u32 len = d->len, skip = s->capture.skip;

	if (len > TKS_PIECE_MAX)
		return 0;
	d->h.size = sizeof(*d) + len;
	d->skip = skip;
	emit(d, sizeof(*d) + len);
	d->pos += len + skip;
	if (!(d->h.flags & TKS_DATA_UNIX))
		d->pos = (__u32)d->pos;
	d->len = 0;
	return 0;
}

static __always_inline long cursor_read_iovec(const struct cursor *c, struct iovec *v)
{
	if (c->kernel)
		return bpf_probe_read_kernel(v, sizeof(*v), (void *)c->iovec);
	return bpf_probe_read_user(v, sizeof(*v), (void *)c->iovec);
}

/* Reads struct iovec number `followed`. False: no more, or not readable. */
static __always_inline bool cursor_next_segment(struct cursor *c)
{
	struct iovec v;

	if (c->followed >= TKS_SEGMENTS_MAX) {
		count_failure(TKS_FAILURE_SEGMENTS);
		return false;
	}
	if (!c->segments || cursor_read_iovec(c, &v)) {
		count_failure(TKS_FAILURE_USER_READ);
		return false;
	}
	c->address = (__u64)v.iov_base + c->offset;
	c->left = v.iov_len - c->offset;
	c->offset = 0;
	c->iovec += sizeof(v);
	c->segments--;
	c->followed++;
	return true;
}

static __always_inline void cursor_advance(struct scratch *s, __u32 n)
{
	s->cursor.address += n;
	s->cursor.left -= n;
	s->capture.done += n;
}

/* Copies the step into the piece, where there is room for it. */
static __always_inline bool copy_step(struct scratch *s, __u32 n)
{
	struct tks_data *d = scratch_data(s);
	__u32 len = d->len & (TKS_PIECE_MAX - 1);

	if (n > COPY_STEP ||
	    bpf_probe_read_user(s->record + sizeof(*d) + len, n, (void *)s->cursor.address)) {
		count_failure(TKS_FAILURE_USER_READ);
		return false;
	}
	d->len = len + n;
	s->capture.taken += n;
	return true;
}

/* Must the piece be emitted before the next byte, because it is full or the gap begins? */
static __always_inline bool piece_ends(struct scratch *s)
{
	struct capture *c = &s->capture;
	bool gap_begins = c->done == c->head && c->tail > c->head && !c->crossed;

	c->in_gap = c->done >= c->head && c->done < c->tail;
	c->skip = 0;
	if (gap_begins) {
		c->crossed = 1;
		c->skip = c->tail - c->head;
	}
	return gap_begins || (!c->in_gap && scratch_data(s)->len >= TKS_PIECE_MAX);
}

static __always_inline __u32 min_u32(__u32 a, __u32 b)
{
	return a < b ? a : b;
}

/* The step ends with the segment, or with what is captured or left out; where it copies, with the piece or a copy. */
static __always_inline void step_plan(struct scratch *s)
{
	struct capture *c = &s->capture;
	__u32 end = c->done < c->head ? c->head : c->in_gap ? c->tail : c->total;
	__u32 room = min_u32(TKS_PIECE_MAX - scratch_data(s)->len, COPY_STEP);

	__u32 left = s->cursor.left < c->total ? s->cursor.left : c->total;

	if (c->in_gap)
		room = c->total;
	c->step = min_u32(min_u32(end - c->done, room), left);
}

/* One step through the call. False when it is over, or cannot go on. */
static __noinline bool capture_step(struct scratch *s)
{
	struct capture *c = &s->capture;
	__u32 n;

	if (c->done >= c->total)
		return false;
	if (!s->cursor.left)
		return cursor_next_segment(&s->cursor);
	if (piece_ends(s)) {
		piece_emit(s);
		return true;
	}
	step_plan(s);
	barrier();
	n = c->step;
	if (!c->in_gap && !copy_step(s, n))
		return false;
	cursor_advance(s, n);
	return true;
}

/* Everything that is not captured by now is the skip of the last piece. */
static __always_inline void capture_finish(struct scratch *s)
{
	struct capture *c = &s->capture;
	struct tks_data *d = scratch_data(s);

	c->skip = c->total - c->taken - (c->crossed ? c->tail - c->head : 0);
	if (!c->taken)
		d->h.flags |= TKS_DATA_LENGTH;
	if (d->len || c->skip)
		piece_emit(s);
}

/* ------------------------------------------------------------------ the call */

/* Points the cursor at the first byte. False: the bytes cannot be named. */
static __always_inline bool cursor_init(struct cursor *c, const struct call *call)
{
	struct user_msghdr m;

	__builtin_memset(c, 0, sizeof(*c));
	switch (call->shape) {
	case SHAPE_BUFFER:
		c->address = call->where;
		c->left = call->count;
		return true;
	case SHAPE_IOVEC:
		c->iovec = call->where;
		c->segments = call->count;
		return true;
	case SHAPE_KERNEL_IOVEC:
		c->iovec = call->where;
		c->segments = call->count;
		c->offset = call->offset;
		c->kernel = 1;
		return true;
	case SHAPE_MSGHDR:
		if (bpf_probe_read_user(&m, sizeof(m), (void *)call->where)) {
			count_failure(TKS_FAILURE_USER_READ);
			return false;
		}
		c->iovec = (__u64)m.msg_iov;
		c->segments = m.msg_iovlen;
		return true;
	default:
		count_failure(TKS_FAILURE_NO_BUFFER);
		return false;
	}
}

/*
 * Requests (what the side that speaks first sends) are wanted for their header block, answers whole; either by head
 * and tail when longer than that, so that the terminator is seen.
 */
static __always_inline void capture_plan(struct capture *c, const struct sock_state *st,
					 const struct call *call)
{
	__u32 head = TKS_CALL_MAX - TKS_TAIL_MAX;
	__u32 total = call->ret;
	__u64 id = st->sk.id;
	__u32 *mode;

	if (call->dir == TKS_RECV && st->first_dir != FIRST_SEND) {
		head = TKS_REQUEST_HEAD_MAX;
	} else if (total > TKS_HEAD_MAX + TKS_TAIL_MAX) {
		mode = bpf_map_lookup_elem(&sock_modes, &id);
		if (mode && *mode & TKS_SOCK_HEAD_TAIL)
			head = TKS_HEAD_MAX;
	}
	c->total = total;
	c->done = 0;
	c->taken = 0;
	c->skip = 0;
	c->crossed = 0;
	c->head = total;
	c->tail = total;
	if (total > head + TKS_TAIL_MAX) {
		c->head = head;
		c->tail = total - TKS_TAIL_MAX;
	}
}

/* Errors that tell what became of the connection. EAGAIN, EINTR and the like say nothing and are frequent. */
static __always_inline bool error_matters(int err)
{
	switch (err) {
	case -32:  /* EPIPE */
	case -100: /* ENETDOWN */
	case -101: /* ENETUNREACH */
	case -102: /* ENETRESET */
	case -103: /* ECONNABORTED */
	case -104: /* ECONNRESET */
	case -107: /* ENOTCONN */
	case -108: /* ESHUTDOWN */
	case -110: /* ETIMEDOUT */
	case -111: /* ECONNREFUSED */
	case -112: /* EHOSTDOWN */
	case -113: /* EHOSTUNREACH */
		return true;
	default:
		return false;
	}
}

/* Cheap, before anything is looked up: does this call say anything? */
static __always_inline bool call_matters(const struct call *call)
{
	/* MSG_PEEK too: reporting an error takes it away from the socket (sock_error), so it is told only once. */
	if (call->ret < 0)
		return error_matters(call->ret) && !(call->flags & MSG_ERRQUEUE);
	if (call->dir == TKS_SEND)
		return call->ret > 0;
	/* Urgent bytes and error reports are not in the stream. */
	if (call->flags & (MSG_OOB | MSG_ERRQUEUE))
		return false;
	return call->ret == 0 || !(call->flags & MSG_PEEK);
}

/* Did a receive that returned 0 ask for anything? (0 bytes asked for is not the peer's end.) */
static __always_inline bool call_asked(const struct cursor *c)
{
	struct iovec v;

	if (c->left)
		return true;
	for (__u64 i = 0; i < 8 && i < c->segments; i++)
		if (!bpf_probe_read_user(&v, sizeof(v), (void *)(c->iovec + i * sizeof(v))) &&
		    v.iov_len)
			return true;
	return false;
}

/* The state of the socket, made on first sight; kept when the call moved bytes. NULL: not a socket we follow. */
static __always_inline struct sock_state *state_get(struct scratch *s, struct sock *sk, __u64 id,
						    bool keep)
{
	__u64 key = (__u64)sk;
	__u32 ino = sock_ino(sk);
	struct sock_state *st = bpf_map_lookup_elem(&socks, &key);

	if (!ino)
		return NULL;
	if (st && st->sk.ino == ino)
		return st;
	__builtin_memset(&s->state, 0, sizeof(s->state));
	s->state.sk.id = id;
	s->state.sk.ino = ino;
	s->state.accept_wait_us = accept_wait_take(key);
	if (!sock_describe(sk, &s->state.sk, &s->state.counted))
		return NULL;
	if (!keep)
		return &s->state;
	if (bpf_map_update_elem(&socks, &key, &s->state, BPF_ANY)) {
		count_failure(TKS_FAILURE_SOCK_MAP);
		return &s->state;
	}
	st = bpf_map_lookup_elem(&socks, &key);
	return st ?: &s->state;
}

/* Fills the record's fixed part and plans the capture; the socket's state is not needed after that. */
static __noinline bool capture_begin(struct scratch *s, struct sock *sk, __u64 id,
				     const struct call *call)
{
	__u32 moved = call->ret > 0 ? call->ret : 0;
	struct sock_state *st = state_get(s, sk, id, moved > 0);
	struct tks_data *d = scratch_data(s);

	if (!st)
		return false;
	header_init(&d->h, TKS_KIND_DATA, sizeof(*d));
	st->tgid = d->h.tgid;
	if (moved && st->first_dir == FIRST_NONE)
		st->first_dir = call->dir == TKS_SEND ? FIRST_SEND : FIRST_RECV;
	d->sk = st->sk;
	d->ret = call->ret;
	d->dir = call->dir;
	d->len = 0;
	d->skip = 0;
	__builtin_memset(&d->tcp, 0, sizeof(d->tcp));
	if (st->counted) {
		/* Two threads on one unix socket: the order of the counts is not the order of the bytes either way. */
		d->h.flags |= TKS_DATA_UNIX;
		d->pos = st->moved[call->dir & 1];
		__sync_fetch_and_add(&st->moved[call->dir & 1], moved);
	} else {
		d->pos = (__u32)(tcp_position(sk, call->dir) - moved);
		tcp_health(sk, &d->tcp);
		d->tcp.accept_wait_us = st->accept_wait_us;
		if (moved && call->dir == TKS_SEND)
			st->accept_wait_us = TKS_ACCEPT_WAIT_UNKNOWN;
	}
	capture_plan(&s->capture, st, call);
	return true;
}

static __noinline int capture_with(struct scratch *s, struct sock *sk, __u64 id,
				   const struct call *call)
{
	struct tks_data *d = scratch_data(s);

	if (!capture_begin(s, sk, id, call))
		return 0;
	if (call->ret <= 0) {
		if (call->ret == 0 && call->shape != SHAPE_NONE && cursor_init(&s->cursor, call) &&
		    !call_asked(&s->cursor))
			return 0;
		if (call->flags & MSG_PEEK)
			d->h.flags |= TKS_DATA_PEEK;
		piece_emit(s);
		return 0;
	}
	/* TCP receives with MSG_TRUNC drop the bytes instead of copying them (tcp(7)). */
	if (call->flags & MSG_TRUNC && call->dir == TKS_RECV && d->sk.family != AF_UNIX)
		count_failure(TKS_FAILURE_NO_BUFFER);
	else if (cursor_init(&s->cursor, call))
		for (int i = 0; i < COPY_STEPS && capture_step(s); i++)
			;
	capture_finish(s);
	return 0;
}

/* A selected process made `call` on sk. id: cookie of sk, or its address. */
static __always_inline void capture(struct sock *sk, __u64 id, const struct call *call)
{
	__u32 zero = 0;
	struct scratch *s;

	if (!call_matters(call))
		return;
	s = bpf_map_lookup_elem(&scratch, &zero);
	if (!s || s->busy) {
		count_failure(TKS_FAILURE_SCRATCH);
		return;
	}
	s->busy = 1;
	capture_with(s, sk, id, call);
	s->busy = 0;
}

#endif
