/* SPDX-License-Identifier: BSD-3-Clause
 * What the RPC files share: requests, the shape of the method table, helpers for parameters and results.
 */
#ifndef WEIR_CONTROL_RPC_PRIVATE_H
#define WEIR_CONTROL_RPC_PRIVATE_H

#include <jansson.h>

#include "control/rpc.h"

enum {
	RPC_PENDING_MAX = 1024, /* requests that wait, over all clients; 1 KiB each */
	RPC_EVENT_NAMES = 28,
	RPC_ITEMS_MAX = 1000, /* SP-13: an exchange has at most so many peers */
};

enum rpc_type {
	RPC_TYPE_TEXT,    /* min..max bytes */
	RPC_TYPE_INTEGER, /* min..max */
	RPC_TYPE_SECONDS, /* a number, 0 or more; fractions allowed; min..max */
	RPC_TYPE_NUMBER,  /* a finite number; min..max */
	RPC_TYPE_FLAG,
	RPC_TYPE_TEXTS,    /* array of texts, at most max */
	RPC_TYPE_CHOICE,   /* a word of `words`, separated by '|' */
	RPC_TYPE_INTEGERS, /* array of integers min..max, at most RPC_ITEMS_MAX */
	RPC_TYPE_OBJECTS,  /* array of objects, at most max; what is in them the method checks */
	RPC_TYPE_OBJECT,
	RPC_TYPE_ANY, /* taken as it is; for fields of the node that Weir only keeps */
};

struct rpc_parameter {
	const char *name;
	enum rpc_type type;
	bool required;
	int64_t min, max;
	const char *words;
};

struct rpc_request;

enum rpc_where {
	RPC_EVERYWHERE,
	RPC_SIMULATE, /* live, the dataplane says it */
	RPC_LIVE,     /* about the dataplane, or files that simulate has not */
};

struct rpc_method {
	const char *name;
	bool writes;
	const struct rpc_parameter *parameters; /* ends with name NULL; NULL: none */
	const char *results, *help;
	void (*handle)(struct rpc_request *request);
	enum rpc_where where;
};
extern const struct rpc_method rpc_methods[];
extern const size_t rpc_n_methods;

struct rpc_client {
	struct rpc_client *next;
	struct rpc_sink sink;
	bool may_write;
	unsigned n_pending;
	bool wants[RPC_EVENT_NAMES];
};

struct rpc {
	struct control *control;
	struct rpc_host host;
	struct rpc_client *clients;
	struct rpc_request *pending;
	unsigned n_pending;
	uint64_t next_cookie;
	unsigned wanted[RPC_EVENT_NAMES]; /* subscribers per name */
	json_t *captured; /* an array that takes every event while it is not NULL (governor.tick) */
};

/** One request, on the heap: it may outlive its line. */
struct rpc_request {
	struct rpc_request *next;
	struct rpc *rpc;
	struct control *control; /* the same as rpc->control */
	struct rpc_client *client;
	const struct rpc_method *method;
	json_t *id;     /* NULL: a notification */
	json_t *params; /* checked against the table; never NULL in a handler */
	json_t *result;
	int error_code; /* 0: none */
	char error_text[512];
	const char *error_reason; /* for data.reason, or NULL */
	/* set by rpc_wait */
	bool (*poll)(struct rpc_request *request, bool timed_out); /* true: result or error is set */
	uint64_t deadline_ns, cookie, number;
	struct address address;
	bool probe_answered;
	struct link_probe_answer probe;
};

/** Set the error; the first one stays. */
void rpc_fail(struct rpc_request *request, enum protocol_error code, const char *reason, const char *format,
	...) __attribute__((format(printf, 4, 5)));
/** Answer later: `poll` is called at each tick until it returns true, the last time with timed_out. Fails as
 * busy when too many wait. */
void rpc_wait(struct rpc_request *request, bool (*poll)(struct rpc_request *request, bool timed_out),
	uint64_t timeout_ms);

/* rpc_parameters.c */
/** Check types, ranges, required and unknown ones. False after rpc_fail. */
bool rpc_parameters_check(struct rpc_request *request);
void rpc_parameter_range(const struct rpc_parameter *parameter, char *text, size_t bytes);
const char *rpc_text(const struct rpc_request *request, const char *name); /* NULL: not given */
bool rpc_integer(const struct rpc_request *request, const char *name, int64_t *ret_value);
bool rpc_seconds(const struct rpc_request *request, const char *name, double *ret_value);
bool rpc_flag(const struct rpc_request *request, const char *name);
/** A finite number; NAN when it is not given. */
double rpc_number(const struct rpc_request *request, const char *name);
/** Wall seconds, fractions allowed, as milliseconds (moment.h). */
int64_t rpc_moment_of(double seconds);
bool rpc_moment(const struct rpc_request *request, const char *name, int64_t *ret_ms);
/** The index of a choice among its words, or -1 when it is not given. */
int rpc_choice(const struct rpc_request *request, const char *name);
/** The parameters category and source, by all their words; -1: not given. */
int rpc_category(const struct rpc_request *request);
int rpc_source(const struct rpc_request *request);
/** The same of a member of an object. False: it is none of the words; absent leaves *ret_index. */
bool rpc_member_word(const json_t *object, const char *name, const char *words, int *ret_index);
/** ip and port of an object: a parameter's element, or the parameters themselves. `where` names it in the
 * error. */
bool rpc_endpoint(struct rpc_request *request, const json_t *object, const char *where, bool port_required,
	struct book_endpoint *ret_endpoint);
/** An array of {ip, port} into memory that the caller frees; *ret_n 0 and NULL when it is not given. */
bool rpc_endpoints(
	struct rpc_request *request, const char *name, struct book_endpoint **ret_endpoints, size_t *ret_n);
/** Fields of an object inside a parameter: absent leaves *ret_value and returns true; a wrong one fails. */
bool rpc_field_number(struct rpc_request *request, const json_t *object, const char *where, const char *name,
	double min, double max, double *ret_value);
/** id, or ip (+ port), into a name. False after rpc_fail: none or both given, not an address. */
bool rpc_peer(struct rpc_request *request, struct peer_name *ret_name);
/** As above, or `prefix`, into the key of a ban. */
bool rpc_ban_key(struct rpc_request *request, struct ban *ret_ban);
/** `for` or `until` into an end; neither: fallback_ms. */
bool rpc_end(struct rpc_request *request, int64_t fallback_ms, int64_t *ret_end_ms);
bool rpc_address(struct rpc_request *request, const char *name, struct address *ret_address);
bool rpc_prefix(struct rpc_request *request, const char *name, const char *text, struct prefix *ret_prefix);
/** Wall milliseconds as seconds (moment.h); never is null. */
json_t *rpc_time(int64_t ms);
/** "ban T5 until ...": a ban as rpc.md lists it. */
json_t *rpc_ban_json(const struct ban *ban);
/** ban.list with ended: at most `n` that match the key (NULL: any) and the request's tier and after. Answers or fails. */
void rpc_ban_list_ended(struct rpc_request *request, const struct ban *key_or_null, int64_t n);
/** A text that is not UTF-8 is never put into an answer as it is. */
json_t *rpc_string(const char *text);

/** The number of the last command that the dataplane was given; 0 in simulate. */
uint64_t rpc_log_sequence(const struct rpc_request *request);

/* rpc_methods_peer.c, rpc_peer_tell.c */
void rpc_peer_unknown(struct rpc_request *request);
/** `agent` is what the client said, or NULL: an unknown kind is told by it (LH-11). */
json_t *rpc_client_json(const struct client *client, const char *agent);
json_t *rpc_tags_json(const struct root_groups *groups, const struct peer_tags *tags, bool discouraged);

json_t *rpc_endpoint_json(const struct book_endpoint *endpoint);
/** NAN and negative infinity stand for nothing: null. */
json_t *rpc_real(double value);

/* rpc_events.c */
void rpc_event(void *context, const char *name, const char *json);
bool rpc_event_wanted(void *context, const char *name);
/** Index of an event's name, or -1. */
int rpc_event_index(const char *name);
/** `index` below RPC_EVENT_NAMES. */
const char *rpc_event_name(int index);
void rpc_client_forget_events(struct rpc *rpc, struct rpc_client *client);

/* rpc_sim_members.c */
/** Check an object's members by `members`, "name:type|other word|... name ...", with the types n(umber), the one without a
 * word, f(lag), t(ext), a(rray) and o(bject); null is always allowed. Other words become the name. False after rpc_fail. */
bool rpc_sim_members(struct rpc_request *request, json_t *object, const char *where, const char *members);

/* rpc_why.c */
void rpc_probe_answer(void *context, const struct link_probe_answer *answer);

/* handlers */
void rpc_ban_add(struct rpc_request *request);
void rpc_ban_remove(struct rpc_request *request);
void rpc_ban_list(struct rpc_request *request);
void rpc_ban_import(struct rpc_request *request);
void rpc_list_add(struct rpc_request *request);
void rpc_list_remove(struct rpc_request *request);
void rpc_list_show(struct rpc_request *request);
void rpc_why(struct rpc_request *request);
void rpc_peer_bind(struct rpc_request *request);
void rpc_peer_state(struct rpc_request *request);
void rpc_peer_report(struct rpc_request *request);
void rpc_peer_record(struct rpc_request *request);
void rpc_peer_rpc_error(struct rpc_request *request);
void rpc_peer_gossip(struct rpc_request *request);
void rpc_peer_metrics(struct rpc_request *request);
void rpc_peer_seen(struct rpc_request *request);
void rpc_peer_request(struct rpc_request *request);
void rpc_peer_tag(struct rpc_request *request);
void rpc_peer_get(struct rpc_request *request);
void rpc_peer_list(struct rpc_request *request);
void rpc_peer_best(struct rpc_request *request);
void rpc_peer_disconnect(struct rpc_request *request);
void rpc_peer_remove(struct rpc_request *request);
void rpc_conn_open(struct rpc_request *request);
void rpc_conn_attempt(struct rpc_request *request);
void rpc_conn_data(struct rpc_request *request);
void rpc_conn_close(struct rpc_request *request);
void rpc_conn_auth(struct rpc_request *request);
void rpc_conn_list(struct rpc_request *request);
void rpc_conn_dial(struct rpc_request *request);
void rpc_book_add(struct rpc_request *request);
void rpc_book_put(struct rpc_request *request);
void rpc_book_update(struct rpc_request *request);
void rpc_book_record(struct rpc_request *request);
void rpc_book_get(struct rpc_request *request);
void rpc_book_list(struct rpc_request *request);
void rpc_book_best(struct rpc_request *request);
void rpc_book_random(struct rpc_request *request);
void rpc_book_to_send(struct rpc_request *request);
void rpc_book_to_connect(struct rpc_request *request);
void rpc_book_remove_failed(struct rpc_request *request);
void rpc_book_clear(struct rpc_request *request);
void rpc_book_count(struct rpc_request *request);
void rpc_node_sync_state(struct rpc_request *request);
void rpc_node_ledger_peers(struct rpc_request *request);
void rpc_node_subnets(struct rpc_request *request);
void rpc_node_up(struct rpc_request *request);
void rpc_governor_targets(struct rpc_request *request);
void rpc_governor_tick(struct rpc_request *request);
void rpc_sim_restart(struct rpc_request *request);
void rpc_sim_eval(struct rpc_request *request);
void rpc_governor_status(struct rpc_request *request);
void rpc_status(struct rpc_request *request);
void rpc_events_subscribe(struct rpc_request *request);
void rpc_snapshot_make(struct rpc_request *request);
void rpc_config_reload(struct rpc_request *request);
void rpc_config_show(struct rpc_request *request);
void rpc_sync(struct rpc_request *request);
/** Wait until everything queued in the store is on disk; `request->result` is sent then. */
void rpc_wait_durable(struct rpc_request *request);

#endif
