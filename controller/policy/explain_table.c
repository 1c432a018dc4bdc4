/*
 * explain_table.c - an answer as lines that a help desk can read aloud.
 */
#include "controller/policy/explain.h"

#include <string.h>

static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s == NULL ? "" : s;
}

static void
put_key(const json_t *key, struct buf *out)
{
	size_t i;

	buf_putc(out, '[');
	for (i = 0; i < json_array_size(key); i++)
		buf_printf(out, "%s%" JSON_INTEGER_FORMAT, i > 0 ? " " : "",
		    json_integer_value(json_array_get(key, i)));
	buf_putc(out, ']');
}

/* The name of the first part of the key in which the loser is smaller. */
static const char *
first_difference(const json_t *won, const json_t *lost)
{
	static const char *const parts[] = { "override", "sender's rank",
	    "recipient's rank", "sender's precision",
	    "recipient's precision", "source IP", "action" };
	size_t i;

	for (i = 0; i < 7; i++) {
		if (json_integer_value(json_array_get(won, i)) !=
		    json_integer_value(json_array_get(lost, i)))
			return parts[i];
	}
	return "policy id";
}

static void
put_candidates(const json_t *stage, struct buf *out)
{
	const json_t *list = json_object_get(stage, "candidates");
	const json_t *won = json_object_get(json_array_get(list, 0), "key");
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i);
		const json_t *path = json_object_get(c, "path");
		size_t k;

		buf_printf(out, "    %s %s (%s, %s) ", i == 0 ? "won " :
		    "lost", text(c, "policy"), text(c, "narrative"),
		    text(c, "action"));
		put_key(json_object_get(c, "key"), out);
		if (text(c, "entry")[0] != '\0')
			buf_printf(out, " by %s", text(c, "entry"));
		for (k = 0; k < json_array_size(path); k++)
			buf_printf(out, " in %s", json_string_value(
			    json_array_get(path, k)));
		if (i > 0)
			buf_printf(out, ", decided by %s", first_difference(
			    won, json_object_get(c, "key")));
		buf_putc(out, '\n');
	}
}

static void
put_stage(const json_t *st, struct buf *out)
{
	buf_printf(out, "  %s, pass %" JSON_INTEGER_FORMAT, text(st, "stage"),
	    json_integer_value(json_object_get(st, "pass")));
	if (text(st, "winner")[0] != '\0')
		buf_printf(out, ": %s says %s", text(st, "winner"),
		    text(st, "action"));
	else if (text(st, "entry")[0] != '\0')
		buf_printf(out, ": the user's entry %s says %s",
		    text(st, "entry"), text(st, "action"));
	else
		buf_puts(out, ": nothing matched");
	if (json_is_true(json_object_get(st, "open")))
		buf_puts(out, ", open until the headers");
	if (text(st, "result")[0] != '\0')
		buf_printf(out, " -> %s", text(st, "result"));
	buf_putc(out, '\n');
	put_candidates(st, out);
}

static void
put_remedies(const json_t *a, struct buf *out)
{
	const json_t *list = json_object_get(a, "remedies");
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		buf_printf(out, "remedy   %s\n", text(json_array_get(list, i),
		    "text"));
	if (json_array_size(list) > 0)
		buf_puts(out, "         the refused message is not stored: "
		    "ask the sender to send it again\n");
	else if (text(a, "no_remedy")[0] != '\0')
		buf_printf(out, "remedy   none: %s\n", text(a, "no_remedy"));
}

/* Who the message says it is from, as it was read. */
static void
put_header(const json_t *h, struct buf *out)
{
	const json_t *list = json_object_get(h, "addresses");
	size_t i;

	if (h == NULL)
		return;
	buf_puts(out, "header   From ");
	for (i = 0; i < json_array_size(list); i++)
		buf_printf(out, "%s%s", i > 0 ? ", " : "",
		    json_string_value(json_array_get(list, i)));
	if (json_array_size(list) == 0)
		buf_puts(out, "has no address that can be read");
	if (text(h, "name")[0] != '\0')
		buf_printf(out, " (%s)", text(h, "name"));
	if (json_is_true(json_object_get(h, "more")))
		buf_puts(out, " and more than are looked at");
	if (json_array_size(list) > 0 &&
	    json_is_true(json_object_get(h, "malformed")))
		buf_puts(out, "; malformed: it may be blocked by these, never "
		    "permitted");
	buf_putc(out, '\n');
}

void
explain_table(const json_t *a, struct buf *out)
{
	const json_t *reply = json_object_get(a, "reply");
	const json_t *would = json_object_get(a, "would");
	size_t i;

	buf_printf(out, "verdict  %s (%s)\n", text(a, "verdict"),
	    text(a, "reason"));
	if (text(a, "policy")[0] != '\0')
		buf_printf(out, "policy   %s\n", text(a, "policy"));
	if (text(a, "entry")[0] != '\0')
		buf_printf(out, "entry    %s\n", text(a, "entry"));
	buf_printf(out, "level    %s\n", text(a, "level"));
	buf_printf(out, "reply    %" JSON_INTEGER_FORMAT " %s %s\n",
	    json_integer_value(json_object_get(reply, "code")),
	    text(reply, "enhanced"), text(reply, "text"));
	buf_printf(out, "bypass   %s\n", text(json_object_get(a, "bypass"),
	    "granted_by"));
	put_header(json_object_get(a, "header"), out);
	if (would != NULL)
		buf_printf(out, "would    %s (%s), by monitored policies\n",
		    text(would, "reason"), text(would, "policy"));
	buf_puts(out, "stages\n");
	for (i = 0; i < json_array_size(json_object_get(a, "stages")); i++)
		put_stage(json_array_get(json_object_get(a, "stages"), i),
		    out);
	put_remedies(a, out);
}
