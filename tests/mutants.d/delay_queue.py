# SPDX-License-Identifier: BSD-3-Clause
"""What weir-delay promises; see tests/mutants.py."""
QUEUE = "bench/delay_queue.c"
MUTANTS = [
    ("delay line: the bound of frames", QUEUE, "	if (queue->n == queue->capacity) {\n		queue->counts.dropped_full++;\n		return DELAY_DROPPED;",
     "	if (queue->n == queue->capacity) {\n		return DELAY_DROPPED;", "test_delay_queue"),
    ("delay line: the bound of copies", QUEUE, "	if (queue->n == queue->capacity) {\n		queue->counts.dropped_full++;\n		return false;",
     "	if (queue->n == queue->capacity) {\n		return false;", "test_delay_queue"),
    ("delay line: jitter keeps the order", QUEUE, "	if (due_ns < queue->last_due_ns)\n		due_ns = queue->last_due_ns;\n", "",
     "test_delay_queue"),
    ("delay line: frames due at once keep the order", QUEUE, "a->due_ns < b->due_ns : a->order < b->order",
     "a->due_ns < b->due_ns : false", "test_delay_queue"),
    ("delay line: held frames hold no others", QUEUE, "	queue->last_due_ns = due_ns;\n	if (held) {\n		queue->counts.reordered++;\n		due_ns += model->reorder_ns;\n	}",
     "	if (held) {\n		queue->counts.reordered++;\n		due_ns += model->reorder_ns;\n	}\n	queue->last_due_ns = due_ns;", "test_delay_queue"),
    ("delay line: the bound of the backlog", QUEUE,
     "if ((double)(queue->line_free_ns - now_ns) > (double)queue->model.backlog_bytes * ns_per_byte)", "if (0)", "test_delay_queue"),
    ("delay line: shares above one", QUEUE, "return share >= 0 && share <= 1;", "return share >= 0;", "test_delay_queue"),
]
