// SPDX-License-Identifier: BSD-3-Clause
/* Tests of bench/flood_connect.h and bench/responder_frame.h: whole conversations between a client without
 * state and a node without state, each frame read by the dataplane's own parser; then what either says to
 * segments that come alone.
 */
#include <errno.h>
#include <string.h>

#include "bench/flood_connect.h"
#include "bench/flood_packet.h"
#include "bench/responder_frame.h"
#include "dataplane/packet.h"
#include "tests/check.h"

enum { REQUEST = 64, STEPS_MAX = 8 };

struct talk {
	struct flood_template templates[CONNECT_SEGMENTS + 1]; /* the last: SYN */
	struct connect_plan plan;
	struct connect_memory memory;
	struct address client;
	uint16_t port;
	unsigned events[CONNECT_EVENTS], frames, malformed;
	bool finished;
};

static void talk_prepare(
	struct talk *talk, enum connect_behaviour behaviour, const char *client, const char *node)
{
	static const enum flood_kind kinds[CONNECT_SEGMENTS + 1] = {[CONNECT_SEND_ACK] = FLOOD_ACK,
		[CONNECT_SEND_REQUEST] = FLOOD_DATA,
		[CONNECT_SEND_HALF] = FLOOD_DATA,
		[CONNECT_SEND_FIN] = FLOOD_FIN,
		[CONNECT_SEND_RST] = FLOOD_RST,
		[CONNECT_SEGMENTS] = FLOOD_SYN};
	struct flood_target target = {
		.port = 7777, .source_mac = {2, 0, 0, 0, 0, 1}, .mac = {2, 0, 0, 0, 0, 2}};

	*talk = (struct talk){
		.plan = {.behaviour = behaviour, .seed = 5, .request_bytes = REQUEST}, .port = 4321};
	CHECK_EQ(node, address_parse(node, &target.address), 0);
	CHECK_EQ(client, address_parse(client, &talk->client), 0);
	for (unsigned i = 0; i <= CONNECT_SEGMENTS; i++)
		flood_template_build(&talk->templates[i], kinds[i], &target,
			i == CONNECT_SEND_HALF ? REQUEST / 2 : REQUEST);
}

static void frame_check(struct talk *talk, uint8_t *frame, unsigned bytes)
{
	struct packet packet;

	talk->frames++;
	talk->malformed += packet_parse(frame, bytes, NULL, 0, bytes,
				   PACKET_CHECK_IP | PACKET_CHECK_TRANSPORT, &packet) != REASON_COUNT;
}

/* Client's frame to the node, its answer to the client; `*ret_answer` is what the client does then. */
static bool talk_step(struct talk *talk, uint8_t *frame, unsigned bytes, struct connect_answer *ret_answer)
{
	struct flood_reply reply;

	frame_check(talk, frame, bytes);
	if (!responder_frame_answer(frame, bytes))
		return false;
	frame_check(talk, frame, bytes);
	CHECK_TRUE("a reply is read", flood_reply_parse(frame, bytes, &reply));
	CHECK_EQ("it goes to the client", address_compare(&reply.to, &talk->client), 0);
	connect_answer_find(&talk->plan, &talk->memory, &reply, ret_answer);
	talk->events[ret_answer->event]++;
	talk->finished |= ret_answer->finished;
	return true;
}

/* From the SYN until nobody says anything more. */
static void talk_run(struct talk *talk)
{
	struct connect_answer answer = {.segments = {CONNECT_SEGMENTS, CONNECT_SEND_NONE},
		.sequence = connect_sequence(talk->plan.seed, &talk->client, talk->port)};
	static uint8_t frame[FLOOD_FRAME_MAX];
	bool first = true;

	for (unsigned step = 0; step < STEPS_MAX; step++) {
		struct connect_answer next = {.segments = {CONNECT_SEND_NONE, CONNECT_SEND_NONE}};

		for (unsigned i = 0; i < 2; i++) {
			/* CONNECT_SEND_NONE is the number of the SYN's template, which only the first step
			 * sends */
			if (answer.segments[i] == CONNECT_SEND_NONE && !(first && i == 0))
				continue;
			const struct flood_template *template = &talk->templates[answer.segments[i]];

			flood_segment_write(template, &talk->client, talk->port, answer.sequence,
				answer.acknowledgement, frame);
			if (!talk_step(talk, frame, template->frame_bytes, &next))
				next.segments[0] = next.segments[1] = CONNECT_SEND_NONE;
		}
		first = false;
		answer = next;
	}
}

static void test_conversations(void)
{
	static const struct {
		const char *name;
		enum connect_behaviour behaviour;
		unsigned frames, served, ended;
	} cases[] = {
		/* SYN, SYN-ACK, request, answer, FIN, FIN, ACK */
		{"complete", CONNECT_COMPLETE, 7, 1, 1},
		{"SYN only", CONNECT_SYN_ONLY, 2, 0, 0},
		{"handshake, then silence", CONNECT_SILENT, 3, 0, 0},
		{"handshake, then RST", CONNECT_RESET, 4, 0, 0},
		{"never acknowledge", CONNECT_NEVER_ACK, 4, 1, 0},
		{"never close", CONNECT_NEVER_CLOSE, 5, 1, 0},
		/* the node echoes half a request, which is not what the client waits for */
		{"half a request", CONNECT_HALF, 4, 0, 0},
	};
	static const char *const ends[][2] = {{"10.1.2.3", "198.18.0.1"}, {"fd00:1:2::3", "fd18::1"}};
	static struct talk talk;

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		for (size_t family = 0; family < CHECK_COUNT(ends); family++) {
			talk_prepare(&talk, cases[i].behaviour, ends[family][0], ends[family][1]);
			talk_run(&talk);
			CHECK_EQ(cases[i].name, talk.malformed, 0);
			CHECK_EQ(cases[i].name, talk.frames, cases[i].frames);
			CHECK_EQ(cases[i].name, talk.events[CONNECT_SHAKEN], 1);
			CHECK_EQ(cases[i].name, talk.events[CONNECT_SERVED], cases[i].served);
			CHECK_EQ(cases[i].name, talk.events[CONNECT_ENDED], cases[i].ended);
			CHECK_EQ(cases[i].name, talk.events[CONNECT_STRAY], 0);
			CHECK_TRUE(cases[i].name, talk.finished);
		}
	}
}

static void test_single_segments(void)
{
	enum { SYN = FLOOD_REPLY_SYN, ACK = FLOOD_REPLY_ACK, RST = FLOOD_REPLY_RST, FIN = FLOOD_REPLY_FIN };
	static const struct {
		const char *name;
		enum connect_behaviour behaviour;
		uint8_t flags;
		uint32_t progress;
		uint16_t window, payload_bytes;
		enum connect_event event;
		enum connect_segment segments[2];
		uint32_t acknowledged; /* beyond the reply's sequence number */
		bool finished;
	} cases[] = {
		{"a cookie is acknowledged and nothing said", CONNECT_COMPLETE, SYN | ACK, 1, 0, 0,
			CONNECT_SHAKEN_CLOSED, {CONNECT_SEND_ACK, CONNECT_SEND_NONE}, 1, false},
		{"its window opens", CONNECT_COMPLETE, ACK, 1, 1000, 0, CONNECT_OPENED,
			{CONNECT_SEND_REQUEST, CONNECT_SEND_NONE}, 0, false},
		{"its window stays closed", CONNECT_COMPLETE, ACK, 1, 0, 0, CONNECT_NOTHING,
			{CONNECT_SEND_NONE, CONNECT_SEND_NONE}, 0, false},
		{"a cookie, and no acknowledgement", CONNECT_SYN_ONLY, SYN | ACK, 1, 0, 0,
			CONNECT_SHAKEN_CLOSED, {CONNECT_SEND_NONE, CONNECT_SEND_NONE}, 1, true},
		{"a cookie, then RST", CONNECT_RESET, SYN | ACK, 1, 0, 0, CONNECT_SHAKEN_CLOSED,
			{CONNECT_SEND_ACK, CONNECT_SEND_RST}, 1, true},
		{"a silent client whose window opens", CONNECT_SILENT, ACK, 1, 9, 0, CONNECT_OPENED,
			{CONNECT_SEND_NONE, CONNECT_SEND_NONE}, 0, true},
		{"a SYN-ACK of another SYN", CONNECT_COMPLETE, SYN | ACK, 2, 9, 0, CONNECT_STRAY,
			{CONNECT_SEND_NONE, CONNECT_SEND_NONE}, 0, false},
		{"an answer to nothing that was sent", CONNECT_COMPLETE, ACK, 0, 9, 0, CONNECT_STRAY,
			{CONNECT_SEND_NONE, CONNECT_SEND_NONE}, 0, false},
		{"an answer to more than was sent", CONNECT_COMPLETE, ACK, REQUEST + 3, 9, 1, CONNECT_STRAY,
			{CONNECT_SEND_NONE, CONNECT_SEND_NONE}, 0, false},
		{"a RST", CONNECT_COMPLETE, RST, 0, 0, 0, CONNECT_REFUSED,
			{CONNECT_SEND_NONE, CONNECT_SEND_NONE}, 0, true},
		{"the node closes first", CONNECT_COMPLETE, FIN | ACK, REQUEST + 1, 9, 0, CONNECT_ENDED,
			{CONNECT_SEND_FIN, CONNECT_SEND_NONE}, 1, true},
		{"the request is acknowledged, the answer comes later", CONNECT_COMPLETE, ACK, REQUEST + 1, 9,
			0, CONNECT_NOTHING, {CONNECT_SEND_NONE, CONNECT_SEND_NONE}, 0, false},
		{"the answer", CONNECT_COMPLETE, ACK, REQUEST + 1, 9, 30, CONNECT_SERVED,
			{CONNECT_SEND_FIN, CONNECT_SEND_NONE}, 30, false},
	};
	struct address client = address_from_v4(0x0a010203);
	static struct connect_memory memory;

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		memset(&memory, 0, sizeof(memory));
		struct connect_plan plan = {
			.behaviour = cases[i].behaviour, .seed = 9, .request_bytes = REQUEST};
		struct flood_reply reply = {.to = client,
			.to_port = 99,
			.flags = cases[i].flags,
			.window = cases[i].window,
			.sequence = 0xfffffff0,
			.payload_bytes = cases[i].payload_bytes,
			.acknowledgement = connect_sequence(9, &client, 99) + cases[i].progress};
		struct connect_answer answer;

		connect_answer_find(&plan, &memory, &reply, &answer);
		CHECK_EQ(cases[i].name, answer.event, cases[i].event);
		CHECK_EQ(cases[i].name, answer.segments[0], cases[i].segments[0]);
		CHECK_EQ(cases[i].name, answer.segments[1], cases[i].segments[1]);
		CHECK_EQ(cases[i].name, answer.finished, cases[i].finished);
		if (answer.segments[0] != CONNECT_SEND_NONE) {
			CHECK_EQ(cases[i].name, answer.sequence, reply.acknowledgement);
			CHECK_EQ(cases[i].name, answer.acknowledgement,
				reply.sequence + cases[i].acknowledged);
		}
	}
}

/* A governor's opening: cookie, then in any order a segment from before the window and the window itself. */
static void test_openings(void)
{
	static const struct {
		const char *name;
		enum connect_behaviour behaviour;
		uint32_t ahead[3]; /* sequence numbers of three bare segments, beyond the cookie */
		enum connect_event events[3];
		enum connect_segment segments[3];
	} cases[] = {
		{"probe, window, window again", CONNECT_COMPLETE, {0, 1, 1},
			{CONNECT_PROBED, CONNECT_OPENED, CONNECT_NOTHING},
			{CONNECT_SEND_ACK, CONNECT_SEND_REQUEST, CONNECT_SEND_NONE}},
		{"window, probe, probe", CONNECT_COMPLETE, {1, 0, 0},
			{CONNECT_OPENED, CONNECT_PROBED, CONNECT_PROBED},
			{CONNECT_SEND_REQUEST, CONNECT_SEND_ACK, CONNECT_SEND_ACK}},
		{"who answers nothing answers no probe", CONNECT_SYN_ONLY, {0, 1, 0},
			{CONNECT_PROBED, CONNECT_OPENED, CONNECT_PROBED},
			{CONNECT_SEND_NONE, CONNECT_SEND_NONE, CONNECT_SEND_NONE}},
	};
	struct address client = address_from_v4(0x0a010203);
	static struct connect_memory memory;

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct connect_plan plan = {
			.behaviour = cases[i].behaviour, .seed = 9, .request_bytes = REQUEST};
		struct flood_reply reply = {.to = client,
			.to_port = 99,
			.flags = FLOOD_REPLY_SYN | FLOOD_REPLY_ACK,
			.sequence = 0xffffffff,
			.acknowledgement = connect_sequence(9, &client, 99) + 1};
		struct connect_answer answer;

		connect_answer_find(&plan, &memory, &reply, &answer);
		CHECK_EQ(cases[i].name, answer.event, CONNECT_SHAKEN_CLOSED);
		for (unsigned k = 0; k < 3; k++) {
			reply.flags = FLOOD_REPLY_ACK;
			reply.window = 1000;
			reply.sequence = 0xffffffff + cases[i].ahead[k];
			connect_answer_find(&plan, &memory, &reply, &answer);
			CHECK_EQ(cases[i].name, answer.event, cases[i].events[k]);
			CHECK_EQ(cases[i].name, answer.segments[0], cases[i].segments[k]);
			if (answer.segments[0] != CONNECT_SEND_NONE)
				CHECK_EQ(cases[i].name, answer.acknowledgement, 0);
		}
	}
}

static void test_responder_silence(void)
{
	static const struct {
		const char *name;
		enum flood_kind kind;
		unsigned cut;
		bool answers;
	} cases[] = {
		{"a SYN is answered", FLOOD_SYN, 0, true},
		{"an ACK is not", FLOOD_ACK, 0, false},
		{"a RST is not", FLOOD_RST, 0, false},
		{"a datagram is", FLOOD_UDP, 0, true},
		{"a ping is not", FLOOD_ICMP, 0, false},
		{"a frame that is cut short is not", FLOOD_SYN, 8, false},
	};
	static struct flood_template template;
	static uint8_t frame[FLOOD_FRAME_MAX];

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct flood_target target = {.port = 7777, .address = address_from_v4(0xc6120001)};
		struct address client = address_from_v4(0x0a010203);

		flood_template_build(&template, cases[i].kind, &target, 32);
		flood_frame_write(&template, &client, 1234, 0x1122334455667788, frame);
		CHECK_EQ(cases[i].name, responder_frame_answer(frame, template.frame_bytes - cases[i].cut),
			cases[i].answers);
	}
}

/* What a frame must not be answered for, or answered with. */
static void test_responder_details(void)
{
	static struct flood_template template;
	static uint8_t frame[FLOOD_FRAME_MAX];
	struct flood_target target = {.port = 7777, .address = address_from_v4(0xc6120001)};
	struct address client = address_from_v4(0x0a010203);
	const uint8_t *tcp = frame + 14 + 20;

	flood_template_build(&template, FLOOD_DATA, &target, 32);
	flood_frame_write(&template, &client, 1234, 1, frame);
	frame[14 + 20 + 13] |= FLOOD_REPLY_RST;
	CHECK_TRUE("a RST with data is not answered", !responder_frame_answer(frame, template.frame_bytes));

	flood_template_build(&template, FLOOD_SYN, &target, 0);
	flood_frame_write(&template, &client, 1234, 1, frame);
	CHECK_EQ("timestamps are offered", tcp[26], 8);
	CHECK_TRUE("a SYN is answered", responder_frame_answer(frame, template.frame_bytes));
	CHECK_EQ("with the MSS", tcp[20] << 8 | tcp[21], 0x0204);
	CHECK_EQ("with SACK", tcp[24] << 8 | tcp[25], 0x0402);
	for (unsigned i = 26; i < 36; i++)
		CHECK_EQ("without timestamps", tcp[i], 1);
	CHECK_EQ("with the window scale", tcp[37], 3);
}

static void test_mixed(void)
{
	static struct talk talk;
	unsigned served = 0, ended = 0;

	for (uint16_t port = 1; port <= 2000; port++) {
		talk_prepare(&talk, CONNECT_MIXED, "10.1.2.3", "198.18.0.1");
		talk.port = port;
		talk_run(&talk);
		served += talk.events[CONNECT_SERVED];
		ended += talk.events[CONNECT_ENDED];
	}
	/* three and one of seven behaviours: 857 and 286; 5 standard deviations are 111 and 78 */
	CHECK_NEAR("three sevenths are served", served, 857, 111);
	CHECK_NEAR("a seventh ends well", ended, 286, 78);
}

static void test_names(void)
{
	for (unsigned i = 0; i < CONNECT_BEHAVIOURS; i++) {
		enum connect_behaviour parsed = CONNECT_BEHAVIOURS;

		CHECK_EQ("a name is read back",
			connect_behaviour_parse(connect_behaviour_name((enum connect_behaviour)i), &parsed),
			0);
		CHECK_EQ("as what it was", (unsigned)parsed, i);
	}
	enum connect_behaviour untouched = CONNECT_HALF;
	CHECK_EQ("an unknown name is refused", connect_behaviour_parse("polite", &untouched), -EINVAL);
	CHECK_EQ("and changes nothing", (unsigned)untouched, CONNECT_HALF);
}

static const struct check_test tests[] = {
	{"conversations run as their behaviour says", test_conversations},
	{"a client answers single segments", test_single_segments},
	{"a window that opens is told from a probe", test_openings},
	{"the responder is silent where a node would be", test_responder_silence},
	{"the responder's answers in detail", test_responder_details},
	{"mixed clients are of all kinds", test_mixed},
	{"behaviours have names", test_names},
};
CHECK_MAIN("flood_connect", tests)
