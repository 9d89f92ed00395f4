/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATUS_H
#define STATUS_H

struct keeper;

/* All of struct tks_cupti_status, to whoever is attached. */
void status_tell(struct keeper *k);

#endif
