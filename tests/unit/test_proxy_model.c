// SPDX-License-Identifier: BSD-3-Clause
/* The SYN proxy as a state machine against a model: a real stage between two independent TCP endpoints
 * (tests/proxy_end.h), with a network that loses, copies and reorders, and strangers who send what they like
 * in everybody's name. The endpoints hold every segment against what the other end really did; this file
 * holds Weir against what it must not do: answer with more than came, remember who has not proven itself,
 * keep what is over. Everything follows from the seed, which every failure names.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/check.h"
#include "tests/proxy_end.h"
#include "tests/proxy_path.h"
#include "tests/unit/table_support.h"

enum {
	FLIGHTS_MAX = 512,
	FRAME_MAX = 2048,
	STRANGER = 1,
	HONEST = 2,
	RUN_MS = 90000,
	TICK_MS = 10,
	SEEDS = 2000
};

/* A frame on its way to Weir or to an end. */
struct flight {
	uint64_t due_ms; /* 0: free */
	enum side side;
	bool to_weir;
	unsigned mark;
	uint32_t bytes;
	uint8_t frame[FRAME_MAX];
};

struct network {
	unsigned loss, copies, delay_ms, jitter_ms; /* loss and copies in 1/1000 */
};

struct run {
	struct path path;
	struct end client, node;
	struct network network[2]; /* by side */
	struct flight flights[FLIGHTS_MAX];
	uint64_t random, seed, now_ms, start_ms;
	unsigned strangers_per_1000, routers_per_1000; /* chance a tick */
	unsigned abort_per_100000;
	uint64_t restart_ms;
	const char *wrong;
	unsigned frames_in, answers_out, lost;
	bool proven_possible;
};

static bool chance(struct run *run, unsigned n, unsigned of)
{
	return random_next(&run->random) % of < n;
}

static void blame(struct run *run, const char *what)
{
	if (!run->wrong)
		run->wrong = what;
}

static void take_off(
	struct run *run, enum side side, bool to_weir, const uint8_t *frame, uint32_t bytes, unsigned mark)
{
	const struct network *network = &run->network[side];
	unsigned copies = 1 + chance(run, network->copies, 1000);

	if (bytes > FRAME_MAX || chance(run, network->loss, 1000)) {
		run->lost++;
		return;
	}
	for (unsigned i = 0; i < FLIGHTS_MAX && copies != 0; i++) {
		struct flight *flight = &run->flights[i];

		if (flight->due_ms != 0)
			continue;
		*flight = (struct flight){.due_ms = run->now_ms + network->delay_ms +
						    random_next(&run->random) % (network->jitter_ms + 1),
			.side = side,
			.to_weir = to_weir,
			.mark = mark,
			.bytes = bytes};
		memcpy(flight->frame, frame, bytes);
		copies--;
	}
}

static void from_end(void *context, struct end *end, const struct frame *frame)
{
	struct run *run = context;

	take_off(run, end->is_client ? SIDE_OUTSIDE : SIDE_INSIDE, true, frame->bytes, frame->n, HONEST);
}

static void from_weir(void *context, enum side side, const uint8_t *frame, uint32_t bytes,
	enum path_origin origin, unsigned cause)
{
	struct run *run = context;

	if (side == SIDE_OUTSIDE && origin == PATH_ANSWER)
		run->answers_out++;
	if (side == SIDE_OUTSIDE && origin == PATH_ORIGINATED && !run->proven_possible)
		blame(run, "Weir speaks to somebody who has proven nothing");
	take_off(run, side, false, frame, bytes, cause == STRANGER ? STRANGER : HONEST);
}

/* An ICMP error reaches an end: what it quotes must be its own. */
static void receive_error(struct run *run, struct end *end, const struct packet *packet)
{
	uint32_t rel = packet->quoted_tcp_sequence - end->iss;

	if (packet->quoted_valid && packet->quoted_protocol == 6 && rel > end->max)
		blame(run, "an ICMP error that quotes a number which the end never used");
}

static void land(struct run *run, struct flight *flight)
{
	struct end *end = flight->side == SIDE_OUTSIDE ? &run->client : &run->node;
	struct flight copy = *flight;
	struct packet packet;
	enum reason reason;

	flight->due_ms = 0;
	if (copy.to_weir) {
		if (copy.side == SIDE_OUTSIDE)
			run->frames_in++;
		reason = path_send(&run->path, copy.side, copy.frame, copy.bytes, copy.mark);
		/* Once the client is proven, its name passes SYNs within its budget; before, nobody's does.
		 */
		if (copy.mark == STRANGER && reason == REASON_PROXY_ACCEPTED)
			blame(run, "a stranger guessed a cookie");
		if (!run->proven_possible && flow_table_count(run->path.world->flows) != 0)
			blame(run, "a flow before a cookie");
		return;
	}
	if (packet_parse(copy.frame, copy.bytes, NULL, 0, copy.bytes,
		    PACKET_CHECK_IP | PACKET_CHECK_TRANSPORT, &packet) == REASON_COUNT &&
		packet.kind == PACKET_KIND_ICMP_ERROR) {
		if (copy.mark != STRANGER)
			receive_error(run, end, &packet);
		return;
	}
	if (copy.mark == STRANGER && (packet.tcp_flags & TCP_FLAG_RST) && end->state == END_OPEN &&
		copy.side == SIDE_INSIDE)
		blame(run, "a stranger's RST reached the node");
	end_receive(end, copy.frame, copy.bytes, copy.mark == STRANGER, run->now_ms);
	if (end->is_client && end->syn_ack_seen)
		run->proven_possible = true;
}

/* So far from the truth that it is luck which nobody has; nearer, TCP itself could not tell. */
static uint32_t blind_number(struct run *run, uint32_t truth)
{
	uint32_t number;

	do {
		number = (uint32_t)random_next(&run->random);
	} while (number - truth + (1u << 20) < 1u << 21);
	return number;
}

static void stranger(struct run *run)
{
	static const uint8_t flags[] = {TCP_FLAG_SYN, TCP_FLAG_ACK, TCP_FLAG_RST, TCP_FLAG_RST | TCP_FLAG_ACK,
		TCP_FLAG_ACK | TCP_FLAG_FIN, TCP_FLAG_SYN | TCP_FLAG_ACK, TCP_FLAG_ACK | TCP_FLAG_PSH,
		TCP_FLAG_ACK};
	struct frame_spec spec = {.source = run->client.address,
		.destination = run->node.address,
		.protocol = 6,
		.source_port = chance(run, 1, 4) ? (uint16_t)(1024 + random_next(&run->random) % 60000)
						 : run->client.port,
		.destination_port = run->node.port,
		.tcp_flags = flags[random_next(&run->random) % 8],
		.sequence = blind_number(run, run->client.iss + run->client.next),
		.acknowledgement = blind_number(run, run->client.irs + run->client.rx_next),
		.payload_bytes = chance(run, 1, 2) ? (uint16_t)(random_next(&run->random) % 600) : 0};
	struct frame frame;

	frame_make(&spec, &frame);
	take_off(run, SIDE_OUTSIDE, true, frame.bytes, frame.n, STRANGER);
}

/* A router outside or inside complains of a segment that is on its way, or a stranger invents one. */
static void router(struct run *run)
{
	const struct flight *flight = &run->flights[random_next(&run->random) % FLIGHTS_MAX];
	bool v6 = strchr(run->client.address, ':') != NULL;
	struct frame_spec spec = {
		.protocol = 1, .icmp_type = v6 ? 2 : 3, .icmp_code = v6 ? 0 : 4, .icmp_word = 1300};
	struct packet packet;
	struct frame frame;

	/* What left Weir towards the client, or came from it and was passed on to the node. */
	if (flight->due_ms == 0 || flight->to_weir || flight->mark == STRANGER ||
		packet_parse(flight->frame, flight->bytes, NULL, 0, flight->bytes, 0, &packet) !=
			REASON_COUNT ||
		packet.kind != PACKET_KIND_TCP)
		return;
	spec.source = v6 ? "2001:db8:7::7" : "203.0.113.77";
	spec.destination = flight->side == SIDE_OUTSIDE ? run->node.address : run->client.address;
	spec.payload = flight->frame + packet.l3_offset;
	spec.payload_bytes =
		(uint16_t)(packet.l4_offset - packet.l3_offset + 8 + random_next(&run->random) % 13);
	frame_make(&spec, &frame);
	/* An error from inside comes from the node's own address: only that one's are looked at. */
	if (flight->side == SIDE_INSIDE)
		return;
	take_off(run, SIDE_OUTSIDE, true, frame.bytes, frame.n, HONEST);
}

static void end_setup(struct run *run, struct end *end, struct end *peer, bool is_client, bool v6)
{
	static const uint16_t msses[] = {536, 1000, 1220, 1380, 1400, 1460, 0};
	static const uint32_t buffers[] = {2000, 16000, 65535, 200000};
	uint64_t pick = random_next(&run->random);

	*end = (struct end){.is_client = is_client,
		.peer = peer,
		.port = is_client ? 40000 : 30304,
		.peer_port = is_client ? 30304 : 40000,
		.random = &run->random,
		.data_seed = pick,
		.tx_bytes = (uint32_t)(1 + (pick >> 3) % (pick & 4 ? 20000 : 300)),
		.buffer_bytes = buffers[pick >> 20 & 3],
		.mss = msses[(pick >> 24) % 7],
		.scale = pick >> 28 & 1 ? (uint8_t)((pick >> 32) % 10) : END_SCALE_NONE,
		.offers_sack = pick >> 29 & 1,
		.offers_timestamps = pick >> 30 & 1,
		.ecn = pick >> 31 & 1,
		.syn_data_bytes = is_client && (pick >> 40 & 3) == 0 ? (uint32_t)(pick >> 42) % 200 : 0,
		.probes_with_byte = pick >> 50 & 1,
		.iss = (uint32_t)random_next(&run->random),
		.state = is_client ? END_CLOSED : END_LISTEN,
		.context = run,
		.send = from_end};
	/* Every IPv6 link carries it. */
	if (v6 && end->mss != 0 && end->mss < 1220)
		end->mss = 1220;
	if (end->syn_data_bytes > end->tx_bytes)
		end->syn_data_bytes = end->tx_bytes;
	end->address =
		is_client ? (v6 ? "2001:db8:9::9" : "203.0.113.9") : (v6 ? "2001:db8:1::1" : "198.51.100.1");
	end->peer_address =
		is_client ? (v6 ? "2001:db8:1::1" : "198.51.100.1") : (v6 ? "2001:db8:9::9" : "203.0.113.9");
}

static void network_setup(struct run *run, struct network *network, bool bad)
{
	uint64_t pick = random_next(&run->random);

	*network = (struct network){.loss = bad ? (unsigned)(pick % 100) : 0,
		.copies = bad ? (unsigned)(pick >> 8) % 100 : 0,
		.delay_ms = (unsigned)(pick >> 16) % 60 + 1,
		.jitter_ms = bad ? (unsigned)(pick >> 24) % 80 : 0};
}

static void tick(struct run *run)
{
	run->now_ms += TICK_MS;
	run->path.world->now_ns = run->now_ms * 1000000;
	if (run->restart_ms != 0 && run->now_ms >= run->restart_ms) {
		run->restart_ms = 0;
		path_restart(&run->path);
	}
	path_step(&run->path);
	for (unsigned i = 0; i < FLIGHTS_MAX; i++)
		if (run->flights[i].due_ms != 0 && run->flights[i].due_ms <= run->now_ms)
			land(run, &run->flights[i]);
	if (chance(run, run->strangers_per_1000, 1000))
		stranger(run);
	if (chance(run, run->routers_per_1000, 1000))
		router(run);
	end_tick(&run->client, run->now_ms);
	end_tick(&run->node, run->now_ms);
	if (run->abort_per_100000 != 0 && run->client.state == END_OPEN &&
		chance(run, run->abort_per_100000, 100000))
		end_abort(chance(run, 1, 2) || run->node.state != END_OPEN ? &run->client : &run->node);
	if (run->client.wrong || run->node.wrong)
		blame(run, run->client.wrong ? run->client.wrong : run->node.wrong);
}

/* One connection that Weir knows the node's options from, or not. */
static struct run *run_start(uint64_t seed)
{
	struct run *run = calloc(1, sizeof(*run));
	struct world *world = world_create();
	bool v6 = seed % 3 == 0, bad = seed % 2;

	if (!run)
		abort();
	run->seed = seed;
	run->random = seed * 7919;
	world->policy.adopt_window_ms = 0;
	world->policy.tcp_idle_timeout_ms = 60000;
	world->services[WORLD_SERVICE_ALWAYS].challenge_method = IMAGE_METHOD_PROXY;
	world_start(world);
	run->path = (struct path){.world = world, .context = run, .leave = from_weir};
	run->now_ms = run->start_ms = world->now_ns / 1000000;
	end_setup(run, &run->client, &run->node, true, v6);
	end_setup(run, &run->node, &run->client, false, v6);
	network_setup(run, &run->network[SIDE_OUTSIDE], bad);
	network_setup(run, &run->network[SIDE_INSIDE], bad && seed % 4 == 1);
	run->network[SIDE_INSIDE].delay_ms = 1;
	run->strangers_per_1000 = seed % 5 == 0 ? 200 : 0;
	run->routers_per_1000 = seed % 7 == 0 ? 50 : 0;
	run->abort_per_100000 = seed % 11 == 0 ? 2000 : 0;
	return run;
}

/* The node's options as an earlier connection would have told them. */
static void teach(struct run *run)
{
	static const uint64_t learnt_from = 3;
	struct world *world = run->path.world;
	bool v6 = strchr(run->node.address, ':') != NULL;
	struct proxy_offer *offer = &world->stage->offers[WORLD_SERVICE_ALWAYS][v6];

	/* Unknown nodes, and all are after a restart, are taken for what carries 1220 (stage_proxy.c). */
	if ((run->seed % learnt_from == 1 || run->seed % 4 == 2) && run->node.mss < 1220)
		run->node.mss = 1220;
	if (run->seed % learnt_from == 1)
		return;
	*offer = (struct proxy_offer){.port = 30304,
		.mss = run->node.mss,
		.slot = cookie_slot_of(world->now_ns),
		.scales = {run->node.scale == END_SCALE_NONE ? COOKIE_SCALE_NONE : run->node.scale,
			run->node.scale == END_SCALE_NONE ? COOKIE_SCALE_NONE : run->node.scale},
		.sack = run->node.offers_sack ? PROXY_YES : PROXY_NO};
	/* Now and then the node has changed its mind since; not where a restart forgets what was promised,
	 * too. */
	if (run->seed % 13 == 0 && run->seed % 4 != 2)
		offer->scales[0] = offer->scales[1] = (uint8_t)(random_next(&run->random) % 15);
	if (run->seed % 17 == 0)
		offer->sack = PROXY_YES;
	offer->scale_seen = offer->scales[0];
	if (offer->mss == 0)
		offer->mss = v6 ? 1220 : 536;
}

static void finish(struct run *run)
{
	static const enum counter gauges[] = {
		COUNTER_FLOWS, COUNTER_FLOWS_PROVEN, COUNTER_FLOWS_HALF_OPEN, COUNTER_FLOWS_TRANSLATED};
	struct world *world = run->path.world;

	/* Nobody speaks any more: everything must be forgotten. */
	memset(run->flights, 0, sizeof(run->flights));
	run->client.state = run->node.state = END_CLOSED;
	run->strangers_per_1000 = run->routers_per_1000 = 0;
	for (unsigned i = 0; i < 90; i++) {
		world->now_ns += SECOND_NS;
		stage_step(world->stage, world->rules, world->now_ns, WORLD_FLOWS);
		world->n_segments = 0;
	}
	for (unsigned i = 0; i < CHECK_COUNT(gauges); i++)
		if (world_counter(world, gauges[i]) != 0)
			blame(run, "a gauge that does not return to 0");
	if (flow_table_count(world->flows) != 0)
		blame(run, "a flow that is never forgotten");
	if (run->path.answers_too_long != 0)
		blame(run, "an answer longer than its question");
	if (run->answers_out > run->frames_in)
		blame(run, "more answers than questions");
	world_destroy(world);
}

static unsigned opened, completed, reset, restarted;

static void run_seed(uint64_t seed)
{
	struct run *run = run_start(seed);
	struct world *world = run->path.world;
	bool must_complete;
	uint64_t restart_ms = seed % 4 == 2 ? run->now_ms + 20 + random_next(&run->random) % 400 : 0;

	teach(run);
	run->restart_ms = restart_ms;
	end_open(&run->client, run->now_ms);
	while (run->now_ms < run->start_ms + RUN_MS && !run->wrong &&
		!(end_done(&run->client) && end_done(&run->node)) && run->client.state != END_RESET)
		tick(run);
	must_complete = run->abort_per_100000 == 0 && world_counter(world, COUNTER_PROXY_SILENT) == 0;
	opened += run->node.state >= END_OPEN;
	reset += run->client.state == END_RESET;
	restarted += restart_ms != 0 && run->restart_ms == 0;
	completed += end_done(&run->client) && end_done(&run->node);
	if (!run->wrong && must_complete && !(end_done(&run->client) && end_done(&run->node)))
		blame(run, "a connection that never completes");
	if (run->wrong)
		fprintf(stderr,
			"at %u ms client: state %d sent %u of %u, received %u, edge %u; node: state %d sent "
			"%u of %u, received "
			"%u, edge %u\n",
			(unsigned)(run->now_ms - run->start_ms), run->client.state, run->client.una,
			run->client.tx_bytes, run->client.rx_next, run->client.edge, run->node.state,
			run->node.una, run->node.tx_bytes, run->node.rx_next, run->node.edge);
	finish(run);
	if (run->wrong)
		CHECK_FAIL("the model", "seed %lu: %s", (unsigned long)seed, run->wrong);
	free(run);
}

static void test_seeds(void)
{
	const char *only = getenv("WEIR_MODEL_SEED");
	uint64_t first = only ? strtoull(only, NULL, 10) : 1, last = only ? first : SEEDS;

	for (uint64_t seed = first; seed <= last; seed++)
		run_seed(seed);
	if (only)
		return;
	printf("%u opened, %u complete, %u reset, %u restarted\n", opened, completed, reset, restarted);
	CHECK_TRUE("nearly all connections opened", opened > SEEDS * 9 / 10);
	CHECK_TRUE("nearly all that nobody reset completed", completed > SEEDS * 8 / 10);
	CHECK_TRUE("some were reset", reset > SEEDS / 50);
	CHECK_TRUE("some lived through a restart", restarted > SEEDS / 10);
}

static const struct check_test tests[] = {
	{"connections through the proxy against a model", test_seeds},
};
CHECK_MAIN("proxy_model", tests)
