/* SPDX-License-Identifier: BSD-3-Clause
 * conn.*: connections. Live, the dataplane's events open, feed and close them, and these methods tell and
 * ask; simulate has no dataplane, so there the trace says what the rings would have said. Event loop only.
 */
#include <errno.h>
#include <string.h>

#include "control/rpc_private.h"

static const char *const outcomes[] = {"neutral", "success", "failure"};

static json_t *evicted_json(const struct roster_opened *opened)
{
	json_t *evicted = json_array();
	for (uint32_t i = 0; i < opened->n_evicted; i++)
		json_array_append_new(evicted, json_integer((json_int_t)opened->evicted[i]));
	return evicted;
}

void rpc_conn_open(struct rpc_request *request)
{
	struct roster_opened opened = {0};
	struct book_endpoint endpoint;
	json_t *proven = json_object_get(request->params, "proven");
	double rtt_ms = -1;
	if (!rpc_endpoint(request, request->params, "", true, &endpoint))
		return;
	(void)rpc_seconds(request, "rtt_ms", &rtt_ms);
	struct roster_open open = {.address = endpoint.address,
		.port = endpoint.port,
		.inbound = rpc_choice(request, "direction") == 0,
		.proven = proven == NULL || json_is_true(proven),
		.rtt_ms = rtt_ms,
		.id_or_null = rpc_text(request, "id")};
	int error = roster_connection_open(
		request->control->roster, &open, request->control->clock.wall_ms, &opened);
	if (error != 0) {
		rpc_fail(request, PROTOCOL_ERROR_BUSY, "limit", "the connection cannot be kept: %s",
			strerror(-error));
		return;
	}
	request->result = json_pack("{s:o, s:s, s:o, s:f, s:o}", "conn",
		opened.connection == 0 ? json_null() : json_integer((json_int_t)opened.connection), "verdict",
		roster_verdict_name(opened.verdict), "reason", rpc_string(opened.reason), "delay_ms",
		opened.delay_ms, "evicted", evicted_json(&opened));
}

void rpc_conn_attempt(struct rpc_request *request)
{
	struct roster_attempts attempts = {0};
	struct address address;
	int64_t count = 1;
	if (!rpc_address(request, "ip", &address))
		return;
	rpc_integer(request, "count", &count);
	roster_connection_attempt(request->control->roster, &address, (uint32_t)count,
		rpc_flag(request, "proven"), request->control->clock.wall_ms, &attempts);
	json_t *reasons = json_object();
	if (attempts.reason[0] != '\0')
		json_object_set_new(reasons, attempts.reason,
			json_integer((json_int_t)(attempts.challenge + attempts.refuse + attempts.drop)));
	request->result = json_pack("{s:I, s:I, s:I, s:I, s:o}", "forward", (json_int_t)attempts.forward,
		"challenge", (json_int_t)attempts.challenge, "refuse", (json_int_t)attempts.refuse, "drop",
		(json_int_t)attempts.drop, "reasons", reasons);
}

static void unknown(struct rpc_request *request)
{
	rpc_fail(request, PROTOCOL_ERROR_UNKNOWN, "conn", "there is no such connection");
}

void rpc_conn_data(struct rpc_request *request)
{
	int64_t number = 0, in = 0, out = 0;
	double rtt_ms = -1;
	rpc_integer(request, "conn", &number);
	rpc_integer(request, "bytes_in", &in);
	rpc_integer(request, "bytes_out", &out);
	(void)rpc_seconds(request, "rtt_ms", &rtt_ms);
	if (roster_connection_data(request->control->roster, (uint64_t)number, (uint64_t)in, (uint64_t)out,
		    rtt_ms, request->control->clock.wall_ms) != 0)
		unknown(request);
	else
		request->result = json_object();
}

/* conn, or ip and port. False after rpc_fail. */
static bool connection_name(
	struct rpc_request *request, uint64_t *ret_number, struct book_endpoint *ret_endpoint)
{
	int64_t number = 0;
	if (rpc_integer(request, "conn", &number)) {
		*ret_number = (uint64_t)number;
		return true;
	}
	*ret_number = 0;
	if (rpc_text(request, "ip") == NULL) {
		rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL,
			"conn: must be given (allowed: conn, or ip and port)");
		return false;
	}
	return rpc_endpoint(request, request->params, "", true, ret_endpoint);
}

void rpc_conn_close(struct rpc_request *request)
{
	static const enum closed_by by[] = {CLOSED_BY_CLIENT, CLOSED_BY_NODE, CLOSED_BY_WEIR};
	static const enum closed_how how[] = {
		CLOSED_HOW_FIN, CLOSED_HOW_RST, CLOSED_HOW_TIMEOUT, CLOSED_HOW_BACKEND_REFUSED};
	struct book_endpoint endpoint = {0};
	struct roster_close close = {0};
	enum outcome outcome;
	const char *why = "", *reason = rpc_text(request, "reason");
	int64_t in = 0, out = 0;
	if (!connection_name(request, &close.connection, &endpoint))
		return;
	close.address = endpoint.address;
	close.port = endpoint.port;
	close.by = by[rpc_choice(request, "by")];
	close.how = how[rpc_choice(request, "how")];
	close.has_bytes = rpc_integer(request, "bytes_in", &in);
	close.has_bytes |= rpc_integer(request, "bytes_out", &out);
	close.bytes_in = (uint64_t)in;
	close.bytes_out = (uint64_t)out;
	close.reason = reason != NULL ? reason : "";
	if (roster_connection_close(
		    request->control->roster, &close, request->control->clock.wall_ms, &outcome, &why) != 0)
		unknown(request);
	else
		request->result = json_pack("{s:s, s:s}", "outcome", outcomes[outcome], "why", why);
}

void rpc_conn_auth(struct rpc_request *request)
{
	struct roster_opened opened = {0};
	struct book_endpoint endpoint = {0};
	const char *reason = rpc_text(request, "reason");
	enum outcome outcome;
	uint64_t number;
	if (!connection_name(request, &number, &endpoint))
		return;
	if (number == 0)
		number = roster_connection_at_endpoint(request->control->roster, &endpoint);
	if (number == 0 || roster_connection_auth(request->control->roster, number, rpc_flag(request, "ok"),
				   reason != NULL ? reason : "", request->control->clock.wall_ms, &outcome,
				   &opened) != 0)
		unknown(request);
	else
		request->result = json_pack(
			"{s:s, s:o}", "outcome", outcomes[outcome], "evicted", evicted_json(&opened));
}

struct page {
	json_t *rows;
	int64_t wanted;
	uint64_t last;
	bool more;
};

static bool visit(void *context, const struct roster_connection_info *info)
{
	struct page *page = context;
	char ip[PREFIX_TEXT_MAX];
	page->more = (int64_t)json_array_size(page->rows) == page->wanted;
	if (page->more)
		return false;
	page->last = info->connection;
	json_array_append_new(page->rows,
		json_pack("{s:I, s:s, s:i, s:s, s:o, s:b, s:o, s:o, s:I, s:I, s:o}", "conn",
			(json_int_t)info->connection, "ip", address_format(&info->address, ip), "port",
			(int)info->port, "direction", info->inbound ? "in" : "out", "id",
			info->id[0] != '\0' ? rpc_string(info->id) : json_null(), "authenticated",
			(int)info->authenticated, "since", rpc_time(info->since_ms), "last_in",
			info->last_in_ms == 0 ? json_null() : rpc_time(info->last_in_ms), "bytes_in",
			(json_int_t)info->bytes_in, "bytes_out", (json_int_t)info->bytes_out, "min_rtt_ms",
			info->rtt_min_ms < 0 ? json_null() : json_real(info->rtt_min_ms)));
	return true;
}

void rpc_conn_list(struct rpc_request *request)
{
	struct page page = {.rows = json_array(), .wanted = PROTOCOL_PAGE_MAX};
	struct address address;
	int64_t after = 0;
	bool by_address = rpc_text(request, "ip") != NULL;
	if (by_address && !rpc_address(request, "ip", &address)) {
		json_decref(page.rows);
		return;
	}
	rpc_integer(request, "n", &page.wanted);
	rpc_integer(request, "after", &after);
	roster_connection_each(request->control->roster, by_address ? &address : NULL,
		rpc_text(request, "id"), (uint64_t)after, visit, &page);
	request->result = json_pack("{s:o, s:o}", "conns", page.rows, "next",
		page.more ? json_integer((json_int_t)page.last) : json_null());
}

void rpc_conn_dial(struct rpc_request *request)
{
	static const char *const circuits[] = {"closed", "open", "half_open"};
	struct book_endpoint endpoint;
	struct book_dial dial;
	if (!rpc_endpoint(request, request->params, "", true, &endpoint))
		return;
	roster_connection_dial(request->control->roster, &endpoint.address, endpoint.port,
		request->control->clock.wall_ms, &dial);
	request->result = json_pack("{s:b, s:s, s:o, s:s}", "allow", (int)dial.allow, "reason", dial.reason,
		"wait_s", dial.wait_ms == INT64_MAX ? json_null() : json_real((double)dial.wait_ms / 1000.0),
		"circuit", circuits[dial.circuit]);
}
