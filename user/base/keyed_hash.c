// SPDX-License-Identifier: Apache-2.0
#include "base/keyed_hash.h"

#include <endian.h>
#include <string.h>
#include <sys/auxv.h>

/* Aumasson, Bernstein: SipHash: a fast short-input PRF (2012), with one round a word and three at the end. */
struct sip {
	uint64_t v[4];
};

static uint64_t rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_round(struct sip *s)
{
	uint64_t *v = s->v;

	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static void sip_word(struct sip *s, uint64_t word)
{
	s->v[3] ^= word;
	sip_round(s);
	s->v[0] ^= word;
}

uint64_t siphash13(const uint64_t key[2], const void *data, size_t len)
{
	struct sip s = { { key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
			   key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573 } };
	const unsigned char *p = data;
	uint64_t word, last = (uint64_t)len << 56;

	for (; len >= sizeof(word); p += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		sip_word(&s, le64toh(word));
	}
	for (size_t i = 0; i < len; i++)
		last |= (uint64_t)p[i] << 8 * i;
	sip_word(&s, last);
	s.v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(&s);
	return s.v[0] ^ s.v[1] ^ s.v[2] ^ s.v[3];
}

static uint64_t secret[2];

/* The kernel gives each program that starts 16 random bytes (getauxval(3)): unlike getrandom(2), that cannot fail. */
__attribute__((constructor)) static void take_secret(void)
{
	memcpy(secret, (const void *)getauxval(AT_RANDOM), sizeof(secret));
}

unsigned int keyed_hash(const void *data, size_t len)
{
	return siphash13(secret, data, len);
}
