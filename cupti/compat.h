/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions that moved from libdl and libpthread into libc with glibc 2.32 and 2.34, by the version that they had before and
 * that newer ones keep: the library loads from glibc 2.17 on (CentOS 7, manylinux2014), wherever it was built.
 */
#ifndef COMPAT_H
#define COMPAT_H

#if defined(__x86_64__)
#define OLD_GLIBC "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define OLD_GLIBC "GLIBC_2.17"
#endif

#define FROM_OLD_GLIBC(name) __asm__(".symver " #name "," #name "@" OLD_GLIBC)

FROM_OLD_GLIBC(dlopen);
FROM_OLD_GLIBC(dlsym);
FROM_OLD_GLIBC(pthread_create);
FROM_OLD_GLIBC(pthread_detach);
FROM_OLD_GLIBC(pthread_sigmask);

#endif
