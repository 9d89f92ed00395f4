/* SPDX-License-Identifier: Apache-2.0 */
/* The listening socket behind --web.listen-address. */
#ifndef EXPORT_LISTEN_H
#define EXPORT_LISTEN_H

#include <stdint.h>

/*
 * Opens a listening TCP socket (close-on-exec, non-blocking) on "127.0.0.1:9464", "[::1]:9464" or ":9464" (all
 * addresses of both families); port 0 lets the kernel choose. Literals only: no name is looked up. Returns the
 * descriptor, or a negative errno after logging what is wrong and which option changes it.
 */
int listen_open(const char *address);
/* Whether it is such an address: 0 or -EINVAL. */
int listen_check(const char *address);
/* The bound port, host byte order; 0 when the socket is not an internet socket. */
uint16_t listen_port(int fd);

#endif
