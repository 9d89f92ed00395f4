// SPDX-License-Identifier: Apache-2.0
#include "track/stream.h"

/* How far pos is ahead of the stream. Sequence numbers wrap at 2^32 (RFC 9293, section 3.4). */
static int64_t ahead(const struct stream *s, const struct tks_data *d)
{
	if (!s->known)
		return 0;
	if (d->h.flags & TKS_DATA_UNIX)
		return (int64_t)(d->pos - s->next);
	return (int32_t)((uint32_t)d->pos - (uint32_t)s->next);
}

void stream_take(struct stream *s, const struct tks_data *d, struct stream_piece *out)
{
	int64_t distance = ahead(s, d);
	uint64_t seen = distance < 0 ? -(uint64_t)distance : 0;
	uint64_t drop = seen < d->len ? seen : d->len;

	*out = (struct stream_piece){ .data = d->data + drop, .len = d->len - drop };
	seen -= drop;
	if (distance > 0)
		out->gap = distance;
	if (seen < d->skip)
		out->skip = d->skip - seen;
	else if (!out->len)
		return; /* nothing new: the stream stays where it is */
	s->known = true;
	s->next = d->pos + d->len + d->skip;
}
