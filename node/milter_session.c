/*
 * milter_session.c - commands in their order, see milter_session.h.
 *
 * MAIL and HELO within a message end it, as libmilter has it; any other
 * command out of order ends the connection, and the mail server then does
 * what it is set to do when a milter fails.
 */
#include "node/milter_session_impl.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/base/clock.h"
#include "proto/base/err.h"

struct milter_session *
milter_session_new(struct host *host, const char *peer)
{
	struct milter_session *s = xcalloc(1, sizeof(*s));

	s->host = host;
	strncpy(s->peer, peer, sizeof(s->peer) - 1);
	return s;
}

void
milter_session_free(struct milter_session **s)
{
	if (*s == NULL)
		return;
	milter_message_end(*s);
	free((*s)->rcpt);
	free(*s);
	*s = NULL;
}

bool
milter_session_in_message(const struct milter_session *s)
{
	return s->state > MILTER_CONNECTED;
}

static void
put_text(char *out, size_t cap, struct value v)
{
	size_t n = v.len < cap ? v.len : cap - 1;

	memcpy(out, v.p, n);
	out[n] = '\0';
}

static bool
equals(struct value v, const char *text)
{
	return v.len == strlen(text) && strncasecmp(v.p, text, v.len) == 0;
}

static int
take_options(struct milter_session *s, const struct milter_frame *f,
    struct diag *why)
{
	struct ruleset *r = s->host->view(s->host->arg);
	bool headers = s->host->decision_headers;
	struct milter_options o;
	uint32_t need = 0, steps = MILTER_NO_BODY | MILTER_NO_UNKNOWN |
	    MILTER_NO_DATA | MILTER_SILENT_HEADERS | MILTER_SILENT_CONNECT |
	    MILTER_SILENT_HELO | MILTER_REFUSED_RCPT;
	int rc = milter_options_read(f, &o, why);

	if (rc < 0)
		return rc;
	s->header_stage = decide_wants_headers(s->host->decider, r);
	if (headers)
		need |= MILTER_ADD_HEADERS | MILTER_CHANGE_HEADERS;
	if (s->header_stage)
		need |= MILTER_DELETE_RCPT;
	else
		steps |= MILTER_NO_EOH;
	if (!s->header_stage && !headers)
		steps |= MILTER_NO_HEADERS;
	if ((o.actions & need) != need)
		return diag_set(why, ERR_INVAL, "the mail server offers "
		    "actions 0x%x, 0x%x are needed", (unsigned)o.actions,
		    (unsigned)need);
	if (o.version > 6)
		o.version = 6;
	o.actions = need | (o.actions & MILTER_SET_MACROS);
	o.steps &= steps;
	s->steps = o.steps;
	s->state = MILTER_READY;
	milter_put_options(s->out, &o);
	return 0;
}

/* Macros hold until the next of their command; those of a recipient, and of
 * a message, not beyond it. */
static void
forget_macros(struct milter_session *s, uint8_t command)
{
	switch (command) {
	case MILTER_CONNECT:
		s->not_forward = s->may_be_forged = false;
		break;
	case MILTER_MAIL:
		s->auth[0] = s->queue_id[0] = '\0';
		break;
	case MILTER_RCPT:
		s->rcpt_mailer[0] = s->rcpt_host[0] = s->rcpt_addr[0] = '\0';
		break;
	default:
		break;
	}
}

static void
on_macro(void *arg, struct value name, struct value text)
{
	struct milter_session *s = arg;

	if (equals(name, "i"))
		put_text(s->queue_id, sizeof(s->queue_id), text);
	else if (equals(name, "auth_authen"))
		put_text(s->auth, sizeof(s->auth), text);
	else if (equals(name, "rcpt_mailer"))
		put_text(s->rcpt_mailer, sizeof(s->rcpt_mailer), text);
	else if (equals(name, "rcpt_host"))
		put_text(s->rcpt_host, sizeof(s->rcpt_host), text);
	else if (equals(name, "rcpt_addr"))
		put_text(s->rcpt_addr, sizeof(s->rcpt_addr), text);
	else if (equals(name, "client_resolve"))
		s->not_forward = !equals(text, "OK");
	else if (equals(name, "_"))
		s->may_be_forged = memmem(text.p, text.len, "may be forged",
		    13) != NULL;
}

static int
take_macros(struct milter_session *s, const struct milter_frame *f,
    struct diag *why)
{
	if (!f->cut && f->len > 0)
		forget_macros(s, (uint8_t)f->data[0]);
	return milter_macros_read(f, on_macro, s, why);
}

static void
go_on(struct milter_session *s, uint32_t silent)
{
	if ((s->steps & silent) == 0)
		milter_put_continue(s->out);
}

static int
take_connect(struct milter_session *s, const struct milter_frame *f,
    struct diag *why)
{
	struct milter_connect c;
	int rc = milter_connect_read(f, &c, why);

	if (rc < 0)
		return rc;
	put_text(s->client_name, sizeof(s->client_name), c.name);
	put_text(s->client_address, sizeof(s->client_address),
	    c.address.p == NULL ? (struct value){ "", 0 } : c.address);
	/* "unknown" and "[192.0.2.1]" stand where no name was confirmed */
	s->name_confirmed = !s->not_forward && !s->may_be_forged &&
	    c.name.len > 0 && c.name.p[0] != '[' &&
	    !equals(c.name, "unknown");
	s->state = MILTER_CONNECTED;
	go_on(s, MILTER_SILENT_CONNECT);
	return 0;
}

static int
take_helo(struct milter_session *s, const struct milter_frame *f,
    struct diag *why)
{
	struct value name;
	int rc = milter_text_read(f, &name, why);

	if (rc < 0)
		return rc;
	milter_message_end(s);
	put_text(s->helo, sizeof(s->helo), name);
	s->state = MILTER_CONNECTED;
	go_on(s, MILTER_SILENT_HELO);
	return 0;
}

static int
take_mail(struct milter_session *s, const struct milter_frame *f,
    struct diag *why)
{
	struct milter_args a;
	int rc = milter_args_read(f, &a, why);

	if (rc < 0)
		return rc;
	milter_message_end(s);
	milter_message_begin(s, a.arg[0]);
	s->state = MILTER_IN_MAIL;
	go_on(s, 0);
	return 0;
}

static int
take_rcpt(struct milter_session *s, const struct milter_frame *f,
    struct diag *why)
{
	struct milter_args a;
	int rc = milter_args_read(f, &a, why);

	if (rc < 0)
		return rc;
	s->state = MILTER_IN_RCPT;
	milter_message_rcpt(s, a.arg[0]);
	forget_macros(s, MILTER_RCPT);
	return 0;
}

static int
take_header(struct milter_session *s, const struct milter_frame *f,
    struct diag *why)
{
	struct milter_header h;
	int rc = milter_header_read(f, &h, why);

	if (rc < 0)
		return rc;
	while (h.name.len > 0 && strchr(" \t", h.name.p[h.name.len - 1]) !=
	    NULL)
		h.name.len--;
	if (equals(h.name, "From")) {
		from_add(&s->from, h.value.p, h.value.len);
		s->from.more |= f->cut;
	} else if (equals(h.name, MILTER_DECISION))
		s->forged_decision++;
	else if (equals(h.name, MILTER_BYPASS))
		s->forged_bypass++;
	s->state = MILTER_IN_HEADERS;
	go_on(s, MILTER_SILENT_HEADERS);
	return 0;
}

/* The message is over, the connection goes on. */
static void
end_message(struct milter_session *s)
{
	milter_message_end(s);
	forget_macros(s, MILTER_MAIL);
	if (s->state > MILTER_CONNECTED)
		s->state = MILTER_CONNECTED;
}

static int
take_eoh(struct milter_session *s, const struct milter_frame *f,
    struct diag *why)
{
	int rc = milter_nothing_read(f, why);

	if (rc < 0)
		return rc;
	s->state = MILTER_IN_BODY;
	if (milter_message_end_of_headers(s))
		end_message(s);
	return 0;
}

static int
take_quiet(struct milter_session *s, const struct milter_frame *f,
    struct diag *why)
{
	int rc = milter_nothing_read(f, why);

	if (rc < 0)
		return rc;
	end_message(s);
	if (f->command == MILTER_QUIT_NC) {
		s->state = MILTER_READY;
		s->helo[0] = '\0';
		forget_macros(s, MILTER_CONNECT);
	}
	return f->command == MILTER_QUIT ? MILTER_END : 0;
}

/* May command come now? */
static bool
in_order(const struct milter_session *s, uint8_t command)
{
	switch (command) {
	case MILTER_OPTNEG:
		return s->state == MILTER_NEW;
	case MILTER_QUIT:
		return true;
	case MILTER_MACRO:
	case MILTER_ABORT:
	case MILTER_QUIT_NC:
		return s->state >= MILTER_READY;
	case MILTER_CONNECT:
		return s->state == MILTER_READY;
	case MILTER_RCPT:
		return s->state == MILTER_IN_MAIL ||
		    s->state == MILTER_IN_RCPT;
	case MILTER_DATA:
		return s->state == MILTER_IN_MAIL ||
		    s->state == MILTER_IN_RCPT;
	case MILTER_HEADER:
	case MILTER_EOH:
		return s->state >= MILTER_IN_MAIL &&
		    s->state <= MILTER_IN_HEADERS;
	case MILTER_BODY:
	case MILTER_EOB:
		return s->state >= MILTER_IN_MAIL;
	default:
		return s->state >= MILTER_CONNECTED;
	}
}

static int
dispatch(struct milter_session *s, const struct milter_frame *f,
    struct diag *why)
{
	struct value text;
	int rc = 0;

	switch (f->command) {
	case MILTER_OPTNEG:
		return take_options(s, f, why);
	case MILTER_MACRO:
		return take_macros(s, f, why);
	case MILTER_CONNECT:
		return take_connect(s, f, why);
	case MILTER_HELO:
		return take_helo(s, f, why);
	case MILTER_MAIL:
		return take_mail(s, f, why);
	case MILTER_RCPT:
		return take_rcpt(s, f, why);
	case MILTER_HEADER:
		return take_header(s, f, why);
	case MILTER_EOH:
		return take_eoh(s, f, why);
	case MILTER_EOB:
		milter_message_end_of_message(s);
		end_message(s);
		return 0;
	case MILTER_ABORT:
	case MILTER_QUIT:
	case MILTER_QUIT_NC:
		return take_quiet(s, f, why);
	case MILTER_DATA:
		rc = milter_nothing_read(f, why);
		s->state = MILTER_IN_DATA;
		break;
	case MILTER_BODY:
		s->state = MILTER_IN_BODY;
		break;
	case MILTER_UNKNOWN:
		rc = milter_text_read(f, &text, why);
		break;
	default:
		return diag_set(why, ERR_INVAL, "unknown command 0x%02x",
		    f->command);
	}
	if (rc == 0)
		go_on(s, 0);
	return rc;
}

int
milter_session_take(struct milter_session *s, const struct milter_frame *f,
    bool late, struct buf *out, uint64_t *ticket, struct diag *why)
{
	int rc;

	if (!in_order(s, f->command))
		return diag_set(why, ERR_INVAL, "command 0x%02x out of order",
		    f->command);
	s->late = late;
	s->out = out;
	s->ticket = 0;
	rc = dispatch(s, f, why);
	if (s->header_stage && s->state > MILTER_NEW)
		stages_saw(decide_stages(s->host->decider), s->peer,
		    clock_mono_ms());
	*ticket = s->ticket;
	return rc;
}
