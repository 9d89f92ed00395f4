/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells the service manager how things stand (sd_notify(3), the protocol only). Nothing is sent, and 0 returned, where no manager
 * listens (NOTIFY_SOCKET is not set); else 0 or negative errno.
 */
#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

int notify_ready(void);	    /* started, or a reload is done */
int notify_reloading(void); /* to be followed by notify_ready() */
int notify_stopping(void);
/* The main loop runs. To be called at least twice within WatchdogSec=; nothing is sent where that is not set. */
int notify_alive(void);

#endif
