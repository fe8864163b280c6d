# SPDX-License-Identifier: BSD-3-Clause
"""Protections of ports that DPDK owns; see tests/mutants.py. What only a device shows is in tests/guest."""
RELAY, TEST = "dataplane/link_relay.c", "test_link_relay"
MUTANTS = [
    ("link relay: negotiating at the start is no loss", RELAY,
     "pair->negotiates_until_ns[0] = pair->negotiates_until_ns[1] = now_ns + patience_ns;", "(void)patience_ns;", TEST),
    ("link relay: negotiating after being raised is no loss", RELAY, "if (action == LINK_RELAY_RAISE)\n", "if (0)\n", TEST),
    ("link relay: who had a link and loses it is not awaited", RELAY, "pair->negotiates_until_ns[side] = 0;", "(void)side;", TEST),
    ("link relay: patience ends", RELAY, "else if (now_ns < pair->negotiates_until_ns[side])", "else if (pair->negotiates_until_ns[side])", TEST),
    ("link relay: what we hold down is never passed back", RELAY, "if (pair->held_down[side] || link < 0)", "if (link < 0)", TEST),
    ("options: an MTU has a range", "dataplane/options.c", "OPTIONS_MTU_MIN, OPTIONS_MTU_MAX, place", "0, 99999, place", "test_dataplane_options"),
    ("options: an MTU belongs to the last pair", "dataplane/options.c", "&options->pairs[options->n_pairs - 1].mtu", "&options->pairs[0].mtu",
     "test_dataplane_options"),
    ("configuration: an MTU reaches the dataplane", "control/config_derive.c", "if (config->pairs[i].mtu != PAIR_MTU_USUAL)", "if (0)", "test_config"),
]
