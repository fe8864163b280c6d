/* SPDX-License-Identifier: BSD-3-Clause
 * The method table: what dispatches, checks parameters and is printed as the reference. Constant data.
 */
#include <stddef.h>
#include <string.h>

#include "control/rpc_private.h"

/* 100 years of seconds; a time beyond is a mistake. */
#define SECONDS_MAX INT64_C(3153600000)
#define KNOWN_MAX   10000                 /* policy.md 5.3 K */
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
#define ID \
	{ \
		"id", RPC_TYPE_TEXT, true, 1, GOVERNOR_ID_MAX - 1, NULL \
	}
#define COUNTED(name, least, most) \
	{ \
		name, RPC_TYPE_INTEGER, false, least, most, NULL \
	}
#define NUMBER(name, least, most) \
	{ \
		name, RPC_TYPE_NUMBER, false, least, most, NULL \
	}
#define RATIO(name) NUMBER(name, 0, 1)
#define WORD(name, words) \
	{ \
		name, RPC_TYPE_CHOICE, false, 0, 0, words \
	}
#define MOMENT(name) \
	{ \
		name, RPC_TYPE_SECONDS, false, 0, TIME_MAX, NULL \
	}
#define CONN \
	{ \
		"conn", RPC_TYPE_INTEGER, false, 1, INT64_MAX, NULL \
	}
#define MS_MAX INT64_C(3600000) /* an hour; a longer round trip is a mistake */
#define BYTES(name) \
	{ \
		name, RPC_TYPE_INTEGER, false, 0, INT64_MAX, NULL \
	}
#define ENDPOINT \
	{"ip", RPC_TYPE_TEXT, true, 1, PREFIX_TEXT_MAX, NULL}, \
	{ \
		"port", RPC_TYPE_INTEGER, true, 1, 65535, NULL \
	}
#define ENDPOINTS(name) \
	{ \
		name, RPC_TYPE_OBJECTS, false, 0, BOOK_ANSWER_MAX, NULL \
	}
#define ANSWER(required) \
	{ \
		"n", RPC_TYPE_INTEGER, required, 1, BOOK_ANSWER_MAX, NULL \
	}
#define FAILURES \
	{ \
		"max_failures", RPC_TYPE_ANY, false, 0, 0, NULL \
	}

static const struct rpc_parameter conn_open[] = {ENDPOINT,
	{"direction", RPC_TYPE_CHOICE, true, 0, 0, "in|out"}, FLAG("proven"), NUMBER("rtt_ms", 0, MS_MAX),
	TEXT("id", 1, GOVERNOR_ID_MAX - 1), END};
static const struct rpc_parameter conn_attempt[] = {{"ip", RPC_TYPE_TEXT, true, 1, PREFIX_TEXT_MAX, NULL},
	COUNTED("count", 1, 1000000000), FLAG("proven"), END};
static const struct rpc_parameter conn_data[] = {{"conn", RPC_TYPE_INTEGER, true, 1, INT64_MAX, NULL},
	BYTES("bytes_in"), BYTES("bytes_out"), NUMBER("rtt_ms", 0, MS_MAX), END};
static const struct rpc_parameter conn_close[] = {CONN, TEXT("ip", 1, PREFIX_TEXT_MAX),
	COUNTED("port", 1, 65535), {"by", RPC_TYPE_CHOICE, true, 0, 0, "client|node|weir"},
	{"how", RPC_TYPE_CHOICE, true, 0, 0, "fin|rst|timeout|backend_refused"}, BYTES("bytes_in"),
	BYTES("bytes_out"), TEXT("reason", 0, GOVERNOR_TEXT_MAX - 1), END};
static const struct rpc_parameter conn_auth[] = {CONN, TEXT("ip", 1, PREFIX_TEXT_MAX),
	COUNTED("port", 1, 65535), {"ok", RPC_TYPE_FLAG, true, 0, 0, NULL},
	TEXT("reason", 0, GOVERNOR_TEXT_MAX - 1), END};
static const struct rpc_parameter conn_list[] = {TEXT("ip", 1, PREFIX_TEXT_MAX),
	TEXT("id", 1, GOVERNOR_ID_MAX - 1), COUNTED("n", 1, PROTOCOL_PAGE_MAX),
	COUNTED("after", 0, INT64_MAX), END};
static const struct rpc_parameter endpoint[] = {ENDPOINT, END};

static const struct rpc_parameter peer_bind[] = {ID, CONN, TEXT("ip", 1, PREFIX_TEXT_MAX),
	COUNTED("port", 1, 65535), TEXT("agent", 0, 256), TEXT("version", 0, 64),
	COUNTED("listen_port", 1, 65535), ANY("enr"), ANY("metadata"), END};
static const struct rpc_parameter peer_state[] = {
	ID, {"to", RPC_TYPE_CHOICE, true, 0, 0, "cold|warm|hot|cooling"}, END};
static const struct rpc_parameter peer_report[] = {PEER,
	{"action", RPC_TYPE_CHOICE, true, 0, 0,
		"fatal|low|mid|high|invalid_message|connection_failure|spam|protocol_violation|malicious_"
		"content"},
	{"reason", RPC_TYPE_TEXT, true, 0, GOVERNOR_TEXT_MAX - 1, NULL},
	TEXT("evidence", 0, GOVERNOR_TEXT_MAX - 1), FLAG("proven"), END};
static const struct rpc_parameter peer_record[] = {ID, {"ok", RPC_TYPE_FLAG, true, 0, 0, NULL}, END};
static const struct rpc_parameter peer_rpc_error[] = {ID, {"error", RPC_TYPE_TEXT, true, 1, 64, NULL},
	{"protocol", RPC_TYPE_TEXT, true, 1, 64, NULL}, {"by", RPC_TYPE_CHOICE, true, 0, 0, "us|them"}, END};
/* gossip scores have no range of their own; beyond a billion they are a mistake */
static const struct rpc_parameter peer_gossip[] = {{"scores", RPC_TYPE_OBJECT, false, 0, 0, NULL},
	TEXT("id", 1, GOVERNOR_ID_MAX - 1), NUMBER("score", -1000000000, 1000000000), FLAG("ignore"), END};
static const struct rpc_parameter peer_metrics[] = {ID, NUMBER("rtt_ms", 0, MS_MAX),
	NUMBER("fetch_ms", 0, MS_MAX), COUNTED("blocks", 0, UINT32_MAX), RATIO("uptime"),
	RATIO("conn_success"), RATIO("delivery"), RATIO("throughput"), NUMBER("signal_dbm", -200, 100),
	BYTES("msgs"), BYTES("invalid"), BYTES("relayed"), RATIO("compliance"), FLAG("tip_known"),
	MOMENT("tx_at"), MOMENT("block_at"), END};
static const struct rpc_parameter peer_seen[] = {ID,
	{"what", RPC_TYPE_CHOICE, true, 0, 0, "ping|status|metadata"}, BYTES("seq"),
	TEXT("sync_status", 0, 32), END};
static const struct rpc_parameter peer_request[] = {
	ID, {"protocol", RPC_TYPE_TEXT, true, 1, 64, NULL}, COUNTED("count", 1, 1000000), END};
static const struct rpc_parameter peer_tag[] = {PEER, FLAG("trusted"), FLAG("protected"), FLAG("preferred"),
	FLAG("discouraged"), RATIO("useful"),
	WORD("category", PEER_CATEGORY_WORDS),
	WORD("source", PEER_SOURCE_WORDS), WORD("class", "full|light"),
	FLAG("relay_txs"), {"subnets", RPC_TYPE_INTEGERS, false, 0, EVICTION_SUBNETS - 1, NULL},
	{"sync_committees", RPC_TYPE_INTEGERS, false, 0, EVICTION_COMMITTEES - 1, NULL},
	{"duty_until", RPC_TYPE_OBJECT, false, 0, 0, NULL}, {"group", RPC_TYPE_OBJECT, false, 0, 0, NULL},
	END};
static const struct rpc_parameter peer_get[] = {PEER, END};
static const struct rpc_parameter peer_list[] = {
	WORD("status", "unknown|dialing|connected|disconnecting|disconnected|banned"),
	WORD("temperature", "cold|warm|hot|cooling"),
	WORD("category", PEER_CATEGORY_WORDS), FLAG("banned"),
	COUNTED("n", 1, PROTOCOL_PAGE_MAX), TEXT("after", 1, GOVERNOR_ID_MAX - 1), END};
static const struct rpc_parameter peer_best[] = {
	ANSWER(true), {"exclude", RPC_TYPE_TEXTS, false, 0, RPC_ITEMS_MAX, NULL}, END};
static const struct rpc_parameter peer_disconnect[] = {
	PEER, TEXT("reason", 0, GOVERNOR_TEXT_MAX - 1), COUNTED("code", 0, UINT32_MAX), END};
static const struct rpc_parameter peer_remove[] = {ID, END};

static const struct rpc_parameter book_add[] = {
	{"entries", RPC_TYPE_OBJECTS, true, 0, RPC_ITEMS_MAX, NULL}, END};
static const struct rpc_parameter book_put[] = {ENDPOINT, MOMENT("next_attempt"),
	COUNTED("failures", 0, UINT32_MAX), WORD("type", "inbound|outbound|preferred"),
	COUNTED("ok", 0, UINT32_MAX), COUNTED("fail", 0, UINT32_MAX), MOMENT("first_seen"),
	MOMENT("last_seen"), RATIO("reputation"), FLAG("tip_known"),
	WORD("category", PEER_CATEGORY_WORDS),
	WORD("source", PEER_SOURCE_WORDS), END};
static const struct rpc_parameter book_update[] = {ENDPOINT, WORD("observed", "inbound|outbound|preferred"),
	FLAG("preferred_known"), WORD("backoff", "hard_reset|reset|increase"), END};
static const struct rpc_parameter book_record[] = {ENDPOINT, {"ok", RPC_TYPE_FLAG, true, 0, 0, NULL}, END};
static const struct rpc_parameter book_list[] = {
	COUNTED("n", 1, BOOK_ANSWER_MAX), {"after", RPC_TYPE_OBJECT, false, 0, 0, NULL}, END};
static const struct rpc_parameter book_best[] = {ANSWER(false), ENDPOINTS("exclude"), END};
static const struct rpc_parameter book_random[] = {ANSWER(true), FLAG("ready"), FAILURES,
	WORD("filter", "any_outbound|inbound|outbound|preferred|any"), END};
static const struct rpc_parameter book_to_send[] = {
	ANSWER(true), ENDPOINTS("exclude"), TEXT("asker", 1, PREFIX_TEXT_MAX), FAILURES, END};
static const struct rpc_parameter book_to_connect[] = {ANSWER(true), END};
static const struct rpc_parameter book_remove_failed[] = {
	{"min", RPC_TYPE_INTEGER, true, 0, UINT32_MAX, NULL}, END};

static const struct rpc_parameter node_sync_state[] = {
	{"state", RPC_TYPE_CHOICE, true, 0, 0, "caught_up|syncing|pre_syncing"}, END};
static const struct rpc_parameter node_ledger_peers[] = {
	{"peers", RPC_TYPE_OBJECTS, true, 0, KNOWN_MAX, NULL}, END};
static const struct rpc_parameter node_subnets[] = {
	{"needed", RPC_TYPE_OBJECTS, true, 0, EVICTION_SUBNETS, NULL}, END};
static const struct rpc_parameter node_up[] = {{"up", RPC_TYPE_FLAG, true, 0, 0, NULL}, END};
static const struct rpc_parameter governor_targets[] = {COUNTED("target", 0, 1000000),
	COUNTED("root", 0, KNOWN_MAX), COUNTED("known", 0, KNOWN_MAX), COUNTED("established", 0, 1000),
	COUNTED("active", 0, 100), {"blp", RPC_TYPE_OBJECT, false, 0, 0, NULL}, END};
static const struct rpc_parameter sim_eval[] = {{"what", RPC_TYPE_CHOICE, true, 0, 0,
							"combine|limits|agent|lorachain|replace|quality|ewma|"
							"dugite|selection|rank|subnet_penalty|halving|"
							"soft_delay|churn|backoff|type_update|evict|slots"},
	{"in", RPC_TYPE_ANY, true, 0, 0, NULL}, END};
static const struct rpc_parameter subscribe[] = {
	{"names", RPC_TYPE_TEXTS, false, 0, RPC_EVENT_NAMES, NULL}, END};

const struct rpc_method rpc_methods[] = {
	{"ban.add", true, ban_add, "tier,until,seq",
		"Ban a peer or a prefix: tier 2 (temporary) or 5 (manual, for ever unless for or until). "
		"force also covers allowlisted "
		"and own addresses. sync waits until it is on disk. seq is the command that the dataplane "
		"applies.",
		rpc_ban_add, RPC_EVERYWHERE},
	{"ban.remove", true, ban_remove, "removed[]",
		"Lift the ban of one tier, or of all. removed lists the tiers, and \"blacklist\" where "
		"Spacetime's was lifted.",
		rpc_ban_remove, RPC_EVERYWHERE},
	{"ban.list", false, ban_list, "bans[{key,scope,tier,start,until,reason,evidence,source}],next",
		"Bans in force, in order of prefix: of a peer or address those that cover it, of a prefix "
		"those inside it. Pass next as "
		"after for the next page. With ended, the last 1000 that ended instead (no throttles, none from before "
		"a restart), the latest first, each with ended and why.",
		rpc_ban_list, RPC_EVERYWHERE},
	{"ban.import", true, ban_import, "added,refused_n,refused[{prefix,reason}],seq",
		"Ban many prefixes with the same end and reason. Those that cannot be banned are counted, "
		"the first 100 named.",
		rpc_ban_import, RPC_EVERYWHERE},
	{"why", false, why,
		"verdict,reason,rule,until,tiers[],help,dataplane{reason,verdict,proven,under_pressure,"
		"concurrency[]}",
		"What would happen to a connection attempt of this address now, and which rule says so. "
		"dataplane is null when it "
		"does not answer within 50 ms. With id, tiers are those of the address and of the id. In simulate it is what conn.open "
		"(in) would say; nothing is changed by asking.",
		rpc_why, RPC_EVERYWHERE},
	{"list.add", true, list_add, "seq", "Put a prefix on the allow or the deny list.", rpc_list_add,
		RPC_EVERYWHERE},
	{"list.remove", true, list_remove, "seq", "Take an operator's prefix off a list.", rpc_list_remove,
		RPC_EVERYWHERE},
	{"list.show", false, list_show, "entries[{prefix,reason,origin}],next", "A list in order of prefix.",
		rpc_list_show, RPC_EVERYWHERE},
	{"conn.open", true, conn_open, "conn,verdict,reason,delay_ms,evicted[]",
		"A connection begins; live the dataplane says so.", rpc_conn_open, RPC_SIMULATE},
	{"conn.attempt", true, conn_attempt, "forward,challenge,refuse,drop,reasons{}",
		"So many attempts without proof: they change no score, count, ban or circuit.",
		rpc_conn_attempt, RPC_SIMULATE},
	{"conn.data", true, conn_data, "", "Bytes were carried.", rpc_conn_data, RPC_SIMULATE},
	{"conn.close", true, conn_close, "outcome,why", "A connection ended: what that says of its peer.",
		rpc_conn_close, RPC_SIMULATE},
	{"conn.auth", true, conn_auth, "outcome,evicted[]",
		"The node's word about the login of a connection, named by conn, or by ip and port.",
		rpc_conn_auth, RPC_EVERYWHERE},
	{"conn.list", false, conn_list,
		"conns[{conn,ip,port,direction,id,since,last_in,bytes_in,bytes_out,min_rtt_ms}],next",
		"Open connections in order of their number; next is the after of the next page.",
		rpc_conn_list, RPC_EVERYWHERE},
	{"conn.dial", true, endpoint, "allow,reason,wait_s,circuit",
		"The node is about to dial: may it? Marks the peer as dialing.", rpc_conn_dial,
		RPC_EVERYWHERE},
	{"peer.bind", true, peer_bind, "accepted,reason,code,until,client{kind,version,os,agent}",
		"Tell who is behind a connection (conn, or ip and port): its bans then hold for it too. Not "
		"accepted: Weir closes "
		"it, code is the goodbye.",
		rpc_peer_bind, RPC_EVERYWHERE},
	{"peer.state", true, peer_state, "from,to", "The node has changed a peer's temperature.",
		rpc_peer_state, RPC_EVERYWHERE},
	{"peer.report", true, peer_report, "score,state,ban{tier,until,strikes}",
		"Report what a peer did. proven (default true) false changes nothing: the source may be "
		"spoofed.",
		rpc_peer_report, RPC_EVERYWHERE},
	{"peer.record", true, peer_record, "reputation,ok,fail,streak,blacklisted",
		"The outcome of something that the node did with a peer.", rpc_peer_record, RPC_EVERYWHERE},
	{"peer.rpc_error", true, peer_rpc_error, "action,score,state",
		"An error in a request costs the peer an action (LH-20), or nothing: null.",
		rpc_peer_rpc_error, RPC_EVERYWHERE},
	{"peer.gossip", true, peer_gossip, "updated",
		"Gossip scores: one refresh of many ({id: number}), or one of id.", rpc_peer_gossip,
		RPC_EVERYWHERE},
	{"peer.metrics", true, peer_metrics, "value", "What the node measured of a peer.", rpc_peer_metrics,
		RPC_EVERYWHERE},
	{"peer.seen", true, peer_seen, "due[]", "A ping, status or metadata came; due is what to ask now.",
		rpc_peer_seen, RPC_EVERYWHERE},
	{"peer.request", true, peer_request, "allow,wait_s", "A peer asks: is it within its quota (LH-27)?",
		rpc_peer_request, RPC_EVERYWHERE},
	{"peer.tag", true, peer_tag, "tags{}",
		"Say what a peer is to the node. subnets and sync_committees replace those before; "
		"duty_until {subnet: time} only "
		"extends; group {name, hot, warm} makes it a local root.",
		rpc_peer_tag, RPC_EVERYWHERE},
	{"peer.get", false, peer_get,
		"id,ip,port,known,status,n_in,n_out,direction,since,temperature,client{},enr,metadata,sync_"
		"status,tags{},score{app,"
		"gossip,combined,state,freeze_until,unban_at,healthy_at},values{dugite,rank,lorachain{rel,"
		"perf,beh,overall},"
		"selection,inbound},reputation,counters{ok,fail,streak,decayed_fail,unproven},rtt_ms,fetch_"
		"ms,blocks,circuit{state,"
		"until},subnet{count,penalty},bans[],strikes,trusted,history[]",
		"What is known of a peer. reputation is the profile's, as in peer.record. history has the last 32 changes: of "
		"the score by why, and of the value where why begins with value.",
		rpc_peer_get, RPC_EVERYWHERE},
	{"peer.list", false, peer_list, "peers[],next",
		"Peers in order of id, each as in peer.get without bans and history.", rpc_peer_list,
		RPC_EVERYWHERE},
	{"peer.best", false, peer_best, "ids[]", "The best peers, best first.", rpc_peer_best,
		RPC_EVERYWHERE},
	{"peer.disconnect", true, peer_disconnect, "closed",
		"Close a peer's connections with a RST to both sides: of an id those of its address and "
		"port, of an address with port "
		"that one, of an address all. closed is how many are known to be open. At most "
		"limits.disconnects_per_s: busy beyond.",
		rpc_peer_disconnect, RPC_EVERYWHERE},
	{"peer.remove", true, peer_remove, "removed", "Forget a peer; its bans and strikes stay.",
		rpc_peer_remove, RPC_EVERYWHERE},
	{"book.add", true, book_add, "results[{added,why}]",
		"Addresses to keep: {ip, port, source, from?, seen?, type?, category?, verified?} each, with the words of "
		"book.put; source may be gossip:ID besides, of whoever told it. One that is wrong is not added, and why "
		"names what is wrong; the others are.",
		rpc_book_add, RPC_EVERYWHERE},
	{"book.put", true, book_put, "record", "Set fields of an address, which is made if it is new.",
		rpc_book_put, RPC_EVERYWHERE},
	{"book.update", true, book_update, "record", "Change type and backoff of an address.",
		rpc_book_update, RPC_EVERYWHERE},
	{"book.record", true, book_record, "record", "The outcome of an attempt to dial.", rpc_book_record,
		RPC_EVERYWHERE},
	{"book.get", false, endpoint,
		"ip,port,type,category,source,next_attempt,ready,failures,decayed_fail,ok,fail,attempts,"
		"quality,first_seen,last_seen,"
		"last_attempt,circuit | null",
		"An address, or null.", rpc_book_get, RPC_EVERYWHERE},
	{"book.list", false, book_list, "records[],next",
		"All addresses in order; next {ip, port} is the after of the next page.", rpc_book_list,
		RPC_EVERYWHERE},
	{"book.best", false, book_best, "addrs[]", "Best quality first, then seen last.", rpc_book_best,
		RPC_EVERYWHERE},
	{"book.random", false, book_random, "addrs[]", "Any that match, every set equally likely.",
		rpc_book_random, RPC_EVERYWHERE},
	{"book.to_send", false, book_to_send, "addrs[],limited",
		"What to send to a peer. asker bounds the answer and makes it stick; limited: it has asked "
		"too often.",
		rpc_book_to_send, RPC_EVERYWHERE},
	{"book.to_connect", false, book_to_connect, "addrs[{ip,port,tier,score}]",
		"Whom to dial next, best first.", rpc_book_to_connect, RPC_EVERYWHERE},
	{"book.remove_failed", true, book_remove_failed, "removed",
		"Forget addresses with so many failures or more.", rpc_book_remove_failed, RPC_EVERYWHERE},
	{"book.clear", true, NULL, "removed", "Forget all addresses.", rpc_book_clear, RPC_EVERYWHERE},
	{"book.count", false, NULL, "count", "How many addresses there are.", rpc_book_count, RPC_EVERYWHERE},
	{"node.sync_state", true, node_sync_state, "targets{}",
		"How far the node has come; the targets follow.", rpc_node_sync_state, RPC_EVERYWHERE},
	{"node.ledger_peers", true, node_ledger_peers, "added,big",
		"Peers of the ledger: {ip, port, stake?, big?}. Big ones are those that hold 90 % of the "
		"stake.",
		rpc_node_ledger_peers, RPC_EVERYWHERE},
	{"node.subnets", true, node_subnets, "discover[]",
		"Subnets that the node needs: {subnet, min_ttl} each; discover are those with too few peers.",
		rpc_node_subnets, RPC_EVERYWHERE},
	{"node.up", true, node_up, "", "The node is up, or down: then refusals count against nobody.",
		rpc_node_up, RPC_EVERYWHERE},
	{"governor.targets", true, governor_targets,
		"target,root,known,established,active,blp{known,established,active},base{},limits{max,"
		"priority,dial_out,min_out,"
		"target_out,max_in,ignore_neg}",
		"Set the targets that are given; answers with all that are in force.", rpc_governor_targets,
		RPC_EVERYWHERE},
	{"governor.tick", true, NULL, "actions[{event,...}]", "One tick now; actions are its events.",
		rpc_governor_tick, RPC_EVERYWHERE},
	{"sim.restart", true, NULL, "loaded{}", "Drop what is runtime and read the store again.",
		rpc_sim_restart, RPC_SIMULATE},
	{"sim.eval", false, sim_eval, "out", "One formula of the policy; in has the names of the policy's vectors, and no others.", rpc_sim_eval, RPC_SIMULATE},
	{"governor.status", false, NULL,
		"profile,mode,sync_state,connected,in,out,pending,hot,warm,cold,known,bans{},churn{phase,"
		"next},short{},flood{lcores,floods,flood_s,services,pressures,"
		"pressure_s}",
		"The governor in short.", rpc_governor_status, RPC_EVERYWHERE},
	{"status", false, NULL, "version,control{},dataplane{},counters{},reasons{},bans{},image{},store{}",
		"Everything that weirctl status shows.", rpc_status, RPC_LIVE},
	{"events.subscribe", false, subscribe, "ok",
		"Get these events from now on, all without names; they come as notifications of the method "
		"\"event\". Replaces an "
		"earlier subscription.",
		rpc_events_subscribe, RPC_EVERYWHERE},
	{"snapshot.make", true, NULL, "generation,bytes,enforced,build_ms",
		"Publish an image that holds everything up to now, and wait for it.", rpc_snapshot_make,
		RPC_LIVE},
	{"config.reload", true, NULL, "ok,restart",
		"Read the configuration file again; a wrong one changes nothing.", rpc_config_reload,
		RPC_LIVE},
	{"config.show", false, NULL, "entries[{key,value,origin}]",
		"The configuration in force. In simulate state_dir is empty: its directory is temporary.",
		rpc_config_show, RPC_EVERYWHERE},
	{"sync", true, NULL, "durable", "Wait until everything accepted so far is on disk.", rpc_sync,
		RPC_EVERYWHERE},
};
const size_t rpc_n_methods = sizeof(rpc_methods) / sizeof(rpc_methods[0]);
