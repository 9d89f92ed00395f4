/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets and bytes for scenes. What fails ends the scene with a message. */
#ifndef TESTS_NATIVE_SCENE_H
#define TESTS_NATIVE_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define must(cond) ((cond) ? (void)0 : scene_failed(#cond, __FILE__, __LINE__))
_Noreturn void scene_failed(const char *what, const char *file, int line);
/* Ends the scene: this machine cannot play it. */
_Noreturn void scene_skip(const char *why);

/* tks_sock.laddr of a loopback socket: 16 bytes, zero for AF_UNIX. */
const uint8_t *loopback_address(int family);
/* A listening TCP socket of 127.0.0.1 or ::1, on any port. */
int listen_on(int family, uint16_t *port);
/* Two ends that are connected, over TCP (AF_INET, AF_INET6) or AF_UNIX. */
void connected_pair(int family, int fd[2]);
/* Bytes [at, at + len) of the pattern. Each scene's buffer lives until it ends. */
uint8_t *bytes(size_t at, size_t len);
/* Waits until `len` bytes have arrived at fd. */
void arrived(int fd, int len);
/* Waits for the peer's end or its error. */
void ended(int fd);

void write_all(int fd, size_t at, size_t len);
void read_all(int fd, size_t len);

/*
 * A process of its own for fd[1], not selected when made before the first cue: reads until the end; the
 * second writes `len` bytes before. Leaves fd[0] to the caller.
 */
void spawn_sink(const int fd[2]);
void spawn_source(const int fd[2], size_t len);

#endif
