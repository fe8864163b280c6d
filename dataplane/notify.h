/* SPDX-License-Identifier: BSD-3-Clause
 * Tells a service manager how we are, by the datagram protocol of sd_notify(3), without its library. Any thread but lcores.
 */
#ifndef WEIR_DATAPLANE_NOTIFY_H
#define WEIR_DATAPLANE_NOTIFY_H

/** "READY=1", "STATUS=...", lines parted by \n. Does nothing unless $NOTIFY_SOCKET is set; never blocks. */
void notify_send(const char *state);

#endif
