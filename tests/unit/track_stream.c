// SPDX-License-Identifier: Apache-2.0
/* Positions: what is missing, what is there twice, where they wrap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "track/stream.h"

static struct stream_piece take(struct stream *s, uint64_t pos, uint32_t len, uint32_t skip,
				uint16_t flags)
{
	static uint8_t bytes[sizeof(struct tks_data) + 64];
	struct tks_data *d = (struct tks_data *)bytes;
	struct stream_piece p;

	*d = (struct tks_data){ .h.flags = flags, .pos = pos, .len = len, .skip = skip };
	stream_take(s, d, &p);
	if (p.len)
		assert_ptr_equal(p.data + p.len, d->data + len);
	return p;
}

#define assert_piece(p, gap_, len_, skip_)         \
	do {                                       \
		struct stream_piece got = p;       \
		assert_int_equal(got.gap, gap_);   \
		assert_int_equal(got.len, len_);   \
		assert_int_equal(got.skip, skip_); \
	} while (0)

static void test_first_record_is_no_gap(void **state)
{
	struct stream s = { 0 };

	(void)state;
	assert_piece(take(&s, 777, 10, 5, 0), 0, 10, 5);
	assert_piece(take(&s, 792, 4, 0, 0), 0, 4, 0);
}

static void test_gap_has_its_size(void **state)
{
	struct stream s = { 0 };

	(void)state;
	take(&s, 100, 10, 0, 0);
	assert_piece(take(&s, 150, 10, 0, 0), 40, 10, 0);
	assert_piece(take(&s, 160, 0, 30, 0), 0, 0, 30);
	assert_piece(take(&s, 190, 1, 0, 0), 0, 1, 0);
}

static void test_sequence_numbers_wrap(void **state)
{
	struct stream s = { 0 };

	(void)state;
	take(&s, 0xfffffff0u, 10, 0, 0);
	assert_piece(take(&s, 0xfffffffau, 10, 0, 0), 0, 10, 0);
	assert_piece(take(&s, 5, 10, 0, 0), 1, 10, 0);
	/* A counted position keeps 64 bits. */
	s = (struct stream){ 0 };
	take(&s, 0xfffffff0u, 10, 0, TKS_DATA_UNIX);
	assert_piece(take(&s, 0x100000005ULL, 10, 0, TKS_DATA_UNIX), 11, 10, 0);
}

static void test_seen_bytes_are_dropped(void **state)
{
	struct stream s = { 0 };

	(void)state;
	take(&s, 100, 50, 0, 0);
	assert_piece(take(&s, 100, 50, 0, 0), 0, 0, 0);
	assert_piece(take(&s, 140, 20, 0, 0), 0, 10, 0);
	assert_piece(take(&s, 150, 5, 20, 0), 0, 0, 15);
	assert_piece(take(&s, 175, 3, 0, 0), 0, 3, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_record_is_no_gap),
		cmocka_unit_test(test_gap_has_its_size),
		cmocka_unit_test(test_sequence_numbers_wrap),
		cmocka_unit_test(test_seen_bytes_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
