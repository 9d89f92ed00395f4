/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates that a test makes for itself. */
#ifndef TESTS_UNIT_WEB_CERTIFICATES_H
#define TESTS_UNIT_WEB_CERTIFICATES_H

#include <arpa/inet.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"

struct identity {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
};

static inline void set_san(gnutls_x509_crt_t crt, const char *name)
{
	struct in_addr address;

	if (inet_pton(AF_INET, name, &address) == 1)
		assert_int_equal(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS,
								      &address, sizeof(address),
								      GNUTLS_FSAN_SET),
				 0);
	else
		assert_int_equal(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, name,
								      strlen(name),
								      GNUTLS_FSAN_SET),
				 0);
}

/* issuer NULL: a CA of its own. san: a name or an IPv4 address. The key is an elliptic one: quickly made. */
static inline struct identity *identity_new(const char *name, const struct identity *issuer,
					    const char *san)
{
	struct identity *i = calloc(1, sizeof(*i));
	unsigned char serial[8];

	gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial));
	serial[0] &= 0x7f;
	gnutls_x509_privkey_init(&i->key);
	assert_int_equal(
		gnutls_x509_privkey_generate(i->key, GNUTLS_PK_ECDSA,
					     GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
		0);
	gnutls_x509_crt_init(&i->crt);
	gnutls_x509_crt_set_version(i->crt, 3);
	gnutls_x509_crt_set_serial(i->crt, serial, sizeof(serial));
	gnutls_x509_crt_set_activation_time(i->crt, time(NULL) - 3600);
	gnutls_x509_crt_set_expiration_time(i->crt, time(NULL) + 3600);
	gnutls_x509_crt_set_dn_by_oid(i->crt, GNUTLS_OID_X520_COMMON_NAME, 0, name, strlen(name));
	gnutls_x509_crt_set_key(i->crt, i->key);
	gnutls_x509_crt_set_basic_constraints(i->crt, !issuer, -1);
	gnutls_x509_crt_set_key_usage(i->crt, issuer ? GNUTLS_KEY_DIGITAL_SIGNATURE
						     : GNUTLS_KEY_KEY_CERT_SIGN);
	if (san)
		set_san(i->crt, san);
	assert_int_equal(gnutls_x509_crt_sign2(i->crt, issuer ? issuer->crt : i->crt,
					       issuer ? issuer->key : i->key, GNUTLS_DIG_SHA256, 0),
			 0);
	return i;
}

static inline void write_pem(const char *folder, const char *name, const char *suffix,
			     const gnutls_datum_t *pem)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s.%s", folder, name, suffix);
	_cleanup_fclose_ FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(pem->data, 1, pem->size, f), pem->size);
}

/* FOLDER/NAME.crt and FOLDER/NAME.key. */
static inline void identity_write(const struct identity *i, const char *folder, const char *name)
{
	gnutls_datum_t crt, key;

	assert_int_equal(gnutls_x509_crt_export2(i->crt, GNUTLS_X509_FMT_PEM, &crt), 0);
	assert_int_equal(
		gnutls_x509_privkey_export2_pkcs8(i->key, GNUTLS_X509_FMT_PEM, NULL, 0, &key), 0);
	write_pem(folder, name, "crt", &crt);
	write_pem(folder, name, "key", &key);
	gnutls_free(crt.data);
	gnutls_free(key.data);
}

static inline void identity_free(struct identity *i)
{
	gnutls_x509_crt_deinit(i->crt);
	gnutls_x509_privkey_deinit(i->key);
	free(i);
}

#endif
