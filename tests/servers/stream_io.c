// SPDX-License-Identifier: Apache-2.0
/* The ways to write to a socket, one function each. Short writes are continued by writer_put(). */
#include "stream_server.h"

#include <errno.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define SEGMENTS 5

struct io_mode {
	const char *name;
	/* Returns bytes written, or -1 with errno set. */
	ssize_t (*put)(struct writer *w, const char *data, size_t len);
};

static ssize_t put_send(struct writer *w, const char *data, size_t len)
{
	return send(w->fd, data, len, MSG_NOSIGNAL);
}

static ssize_t put_write(struct writer *w, const char *data, size_t len)
{
	return write(w->fd, data, len);
}

static ssize_t put_one_byte(struct writer *w, const char *data, size_t len)
{
	return send(w->fd, data, len ? 1 : 0, MSG_NOSIGNAL);
}

/* Cuts the data into segments that start anywhere, one of them empty, as gathering servers make them. */
static int cut(struct iovec *iov, const char *data, size_t len)
{
	size_t piece = len / (SEGMENTS - 1);

	for (int i = 0; i < SEGMENTS; i++) {
		size_t size = i == SEGMENTS - 1 ? len : i == 1 ? 0 : piece;

		iov[i] = (struct iovec){ (void *)data, size };
		data += size;
		len -= size;
	}
	return SEGMENTS;
}

static ssize_t put_writev(struct writer *w, const char *data, size_t len)
{
	struct iovec iov[SEGMENTS];

	return writev(w->fd, iov, cut(iov, data, len));
}

static ssize_t put_sendmsg(struct writer *w, const char *data, size_t len)
{
	struct iovec iov[SEGMENTS];
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = (size_t)cut(iov, data, len) };

	return sendmsg(w->fd, &msg, MSG_NOSIGNAL);
}

static ssize_t put_uring(struct writer *w, const char *data, size_t len)
{
	long n;

	if (!w->uring)
		w->uring = uring_new();
	if (!w->uring)
		return -1;
	n = uring_send(w->uring, w->fd, data, len);
	if (n < 0)
		errno = (int)-n;
	return n < 0 ? -1 : n;
}

/* The socket keeps references to the file's pages: what was sent is never written over. */
static ssize_t put_sendfile(struct writer *w, const char *data, size_t len)
{
	off_t start = w->memfd_len;

	if (w->memfd < 0)
		w->memfd = memfd_create("stream_server", MFD_CLOEXEC);
	if (w->memfd < 0 || pwrite(w->memfd, data, len, start) != (ssize_t)len)
		return -1;
	w->memfd_len += (off_t)len;
	return sendfile(w->fd, w->memfd, &start, len);
}

const struct io_mode *io_mode_find(const char *name, const char **names)
{
	static const struct io_mode modes[] = {
		{ "send", put_send },	      { "write", put_write },	 { "writev", put_writev },
		{ "sendmsg", put_sendmsg },   { "send1", put_one_byte }, { "iouring", put_uring },
		{ "sendfile", put_sendfile },
	};

	*names = "send, write, writev, sendmsg, send1, iouring, sendfile";
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
		if (!strcmp(modes[i].name, name))
			return &modes[i];
	return NULL;
}

int writer_put(struct writer *w, const char *data, size_t len)
{
	while (len) {
		ssize_t n = w->mode->put(w, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

void writer_close(struct writer *w)
{
	uring_free(w->uring);
	if (w->memfd >= 0)
		close(w->memfd);
	close(w->fd);
}
