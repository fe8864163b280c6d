/* SPDX-License-Identifier: BSD-3-Clause
 * The method table: what dispatches, checks parameters and prints the reference. Constant data.
 */
#include <stddef.h>
#include <string.h>

#include "control/rpc_private.h"

/* 100 years of seconds; a time beyond is a mistake. */
#define SECONDS_MAX INT64_C(3153600000)
#define TIME_MAX    INT64_C(253402300799) /* the end of year 9999 */

#define END \
	{ \
		NULL, RPC_TYPE_ANY, false, 0, 0, NULL \
	}
#define TEXT(name, least, most) \
	{ \
		name, RPC_TYPE_TEXT, false, least, most, NULL \
	}
#define ANY(name) \
	{ \
		name, RPC_TYPE_ANY, false, 0, 0, NULL \
	}
#define FLAG(name) \
	{ \
		name, RPC_TYPE_FLAG, false, 0, 0, NULL \
	}
#define PEER \
	TEXT("id", 1, GOVERNOR_ID_MAX - 1), TEXT("ip", 1, PREFIX_TEXT_MAX), \
	{ \
		"port", RPC_TYPE_INTEGER, false, 1, 65535, NULL \
	}
#define PREFIX TEXT("prefix", 1, PREFIX_TEXT_MAX)
#define TIER \
	{ \
		"tier", RPC_TYPE_INTEGER, false, 1, 5, NULL \
	}
#define WHEN \
	{"for", RPC_TYPE_SECONDS, false, 0, SECONDS_MAX, NULL}, \
	{ \
		"until", RPC_TYPE_SECONDS, false, 0, TIME_MAX, NULL \
	}
#define WHY  TEXT("reason", 0, GOVERNOR_TEXT_MAX - 1), TEXT("evidence", 0, GOVERNOR_TEXT_MAX - 1)
#define PAGE {"n", RPC_TYPE_INTEGER, false, 1, PROTOCOL_PAGE_MAX, NULL}, TEXT("after", 1, GOVERNOR_ID_MAX + 2)
#define LIST \
	{ \
		"list", RPC_TYPE_CHOICE, true, 0, 0, "allow|deny" \
	}

static const struct rpc_parameter ban_add[] = {
	PEER, PREFIX, TIER, WHEN, WHY, FLAG("force"), FLAG("sync"), END};
static const struct rpc_parameter ban_remove[] = {PEER, PREFIX, TIER, FLAG("sync"), END};
static const struct rpc_parameter ban_list[] = {PEER, PREFIX, TIER, PAGE, FLAG("ended"), END};
static const struct rpc_parameter ban_import[] = {
	{"prefixes", RPC_TYPE_TEXTS, true, 0, PROTOCOL_IMPORT_MAX, NULL}, TIER, WHEN, WHY, FLAG("force"),
	FLAG("sync"), END};
static const struct rpc_parameter list_add[] = {LIST,
	{"prefix", RPC_TYPE_TEXT, true, 1, PREFIX_TEXT_MAX, NULL}, TEXT("reason", 0, GOVERNOR_TEXT_MAX - 1),
	FLAG("sync"), END};
static const struct rpc_parameter list_remove[] = {
	LIST, {"prefix", RPC_TYPE_TEXT, true, 1, PREFIX_TEXT_MAX, NULL}, FLAG("sync"), END};
static const struct rpc_parameter list_show[] = {
	{"list", RPC_TYPE_CHOICE, true, 0, 0, "allow|deny|own"}, PAGE, END};
static const struct rpc_parameter why[] = {{"ip", RPC_TYPE_TEXT, true, 1, PREFIX_TEXT_MAX, NULL},
	{"port", RPC_TYPE_INTEGER, false, 1, 65535, NULL},
	{"protocol", RPC_TYPE_CHOICE, false, 0, 0, "tcp|udp"}, TEXT("id", 1, GOVERNOR_ID_MAX - 1), END};
static const struct rpc_parameter peer_bind[] = {{"id", RPC_TYPE_TEXT, true, 1, GOVERNOR_ID_MAX - 1, NULL},
	{"ip", RPC_TYPE_TEXT, true, 1, PREFIX_TEXT_MAX, NULL},
	{"port", RPC_TYPE_INTEGER, true, 1, 65535, NULL}, TEXT("agent", 0, 256), TEXT("version", 0, 64),
	{"listen_port", RPC_TYPE_INTEGER, false, 1, 65535, NULL}, ANY("enr"), ANY("metadata"), END};
static const struct rpc_parameter peer_report[] = {PEER,
	{"action", RPC_TYPE_CHOICE, true, 0, 0,
		"fatal|low|mid|high|invalid_message|connection_failure|spam|protocol_violation|malicious_"
		"content"},
	{"reason", RPC_TYPE_TEXT, true, 0, GOVERNOR_TEXT_MAX - 1, NULL},
	TEXT("evidence", 0, GOVERNOR_TEXT_MAX - 1), FLAG("proven"), END};
static const struct rpc_parameter peer_get[] = {PEER, END};
static const struct rpc_parameter peer_disconnect[] = {PEER, TEXT("reason", 0, GOVERNOR_TEXT_MAX - 1),
	{"code", RPC_TYPE_INTEGER, false, 0, UINT32_MAX, NULL}, END};
static const struct rpc_parameter peer_tag[] = {PEER, {"trusted", RPC_TYPE_FLAG, true, 0, 0, NULL}, END};
static const struct rpc_parameter subscribe[] = {
	{"names", RPC_TYPE_TEXTS, false, 0, RPC_EVENT_NAMES, NULL}, END};

const struct rpc_method rpc_methods[] = {
	{"ban.add", true, ban_add, "tier,until,seq",
		"Ban a peer or a prefix: tier 2 (temporary) or 5 (manual, for ever unless for or until). "
		"force also covers allowlisted "
		"and own addresses. sync waits until it is on disk. seq is the command that the dataplane "
		"applies.",
		rpc_ban_add},
	{"ban.remove", true, ban_remove, "removed[]",
		"Lift the ban of one tier, or of all. removed lists the tiers.", rpc_ban_remove},
	{"ban.list", false, ban_list, "bans[{key,scope,tier,start,until,reason,evidence,source}],next",
		"Bans in force, in order of prefix: of a peer or address those that cover it, of a prefix "
		"those inside it. Pass next as "
		"after for the next page. Ended bans are not kept.",
		rpc_ban_list},
	{"ban.import", true, ban_import, "added,refused_n,refused[{prefix,reason}],seq",
		"Ban many prefixes with the same end and reason. Those that cannot be banned are counted, "
		"the first 100 named.",
		rpc_ban_import},
	{"why", false, why,
		"verdict,reason,rule,until,tiers[],help,dataplane{reason,verdict,proven,under_pressure,"
		"concurrency[]}",
		"What would happen to a connection attempt of this address now, and which rule says so. "
		"dataplane is null when it "
		"does not answer within 50 ms.",
		rpc_why},
	{"list.add", true, list_add, "seq", "Put a prefix on the allow or the deny list.", rpc_list_add},
	{"list.remove", true, list_remove, "seq", "Take an operator's prefix off a list.", rpc_list_remove},
	{"list.show", false, list_show, "entries[{prefix,reason,origin}],next", "A list in order of prefix.",
		rpc_list_show},
	{"peer.bind", true, peer_bind, "accepted,reason,code,until,client{kind,version,os}",
		"Tell who is behind an address: its bans then hold for it too. Not accepted: the node closes "
		"the connection with code.",
		rpc_peer_bind},
	{"peer.report", true, peer_report, "score,state,ban{tier,until,strikes}",
		"Report what a peer did. proven (default true) false changes nothing: the source may be "
		"spoofed.",
		rpc_peer_report},
	{"peer.get", false, peer_get,
		"id,ip,known,score{app,state,freeze_until,unban_at,healthy_at},trusted,strikes,counters{},n_"
		"in,"
		"rtt_ms,bans[],history[],client{kind,version,os}?,port?",
		"What is known of a peer.", rpc_peer_get},
	{"peer.disconnect", true, peer_disconnect, "closed",
		"Close a peer's connections with a RST to both sides: of an id those of its address and "
		"port, of an address with port "
		"that one, of an address all. closed is how many are known to be open. At most "
		"limits.disconnects_per_s: busy beyond.",
		rpc_peer_disconnect},
	{"peer.tag", true, peer_tag, "tags{trusted}", "A trusted peer is never penalised.", rpc_peer_tag},
	{"governor.status", false, NULL,
		"profile,mode,connected,pending,known,bans{},flood{lcores,floods,flood_s,services,pressures,"
		"pressure_s}",
		"The governor in short.", rpc_governor_status},
	{"status", false, NULL, "version,control{},dataplane{},counters{},reasons{},bans{},image{},store{}",
		"Everything that weirctl status shows.", rpc_status},
	{"events.subscribe", false, subscribe, "ok",
		"Get these events from now on, all without names; they come as notifications of the method "
		"\"event\". Replaces an "
		"earlier subscription.",
		rpc_events_subscribe},
	{"snapshot.make", true, NULL, "generation,bytes,enforced,build_ms",
		"Publish an image that holds everything up to now, and wait for it.", rpc_snapshot_make},
	{"config.reload", true, NULL, "ok,restart",
		"Read the configuration file again; a wrong one changes nothing.", rpc_config_reload},
	{"config.show", false, NULL, "entries[{key,value,origin}]", "The configuration in force.",
		rpc_config_show},
	{"sync", true, NULL, "durable", "Wait until everything accepted so far is on disk.", rpc_sync},
};
const size_t rpc_n_methods = sizeof(rpc_methods) / sizeof(rpc_methods[0]);

void rpc_reference(FILE *file)
{
	char range[512];
	fprintf(file,
		"JSON-RPC 2.0, one object a line, at most %d bytes. Fields without \"required\" may be left "
		"out.\n"
		"Errors: -32600 request, -32601 method, -32602 parameter, 1 refused, 2 unknown, 3 busy.\n",
		PROTOCOL_LINE_BYTES_MAX);
	for (size_t i = 0; i < rpc_n_methods; i++) {
		const struct rpc_method *method = &rpc_methods[i];
		fprintf(file, "\n%s%s\n    %s\n", method->name,
			method->writes ? "  (needs write permission)" : "", method->help);
		for (const struct rpc_parameter *parameter = method->parameters;
			parameter != NULL && parameter->name != NULL; parameter++) {
			rpc_parameter_range(parameter, range, sizeof(range));
			fprintf(file, "    %-12s %s%s\n", parameter->name, range,
				parameter->required ? ", required" : "");
		}
		fprintf(file, "    -> %s\n", method->results);
	}
}
