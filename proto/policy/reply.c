/*
 * reply.c - the one table of reasons, what is answered for each, and the
 * correlation ids.
 */
#include "proto/policy/reply.h"

#include <sodium.h>
#include <string.h>

#include "proto/base/err.h"

#define POLICY_INFO "Policy level block list in force"
#define USER_INFO "User level block list in force"

static const struct reply_info catalogue[REASONS] = {
	[REASON_ACCEPTED] = { "accepted", 250, "2.1.5", "Accepted",
	    "Accepted", "" },
	[REASON_BLOCKED_ENVELOPE] = { "blocked_envelope", 550, "5.7.1",
	    "Administrative prohibition - envelope blocked [{id}]",
	    "Envelope Rejected", POLICY_INFO },
	[REASON_BLOCKED_HEADER] = { "blocked_header", 550, "5.7.1",
	    "Rejected by header based Blocked Senders policy [{id}]",
	    "Header Rejected", POLICY_INFO },
	[REASON_USER_BLOCKED_ENVELOPE] = { "user_blocked_envelope", 550,
	    "5.7.1", "Envelope blocked - User Entry [{id}]",
	    "Manual Envelope Rejection", USER_INFO },
	[REASON_USER_BLOCKED_HEADER] = { "user_blocked_header", 550, "5.7.1",
	    "Rejected by header based manually Blocked Senders [{id}]",
	    "Manual Header Rejection", USER_INFO },
	[REASON_RELAY_EXTERNAL] = { "relay_external", 550, "5.7.1",
	    "Administrative prohibition - relaying between external "
	    "addresses denied [{id}]",
	    "Envelope Rejected", "External to external" },
	[REASON_RELAY_UNAUTHORIZED] = { "relay_unauthorized", 554, "5.7.1",
	    "Relay access denied [{id}]", "Relay Rejected", "" },
	[REASON_SPOOF_ENVELOPE] = { "spoof_envelope", 550, "5.7.1",
	    "Anti-Spoofing policy - inbound not allowed [{id}]",
	    "Anti-Spoofing Lockout", "" },
	[REASON_SPOOF_HEADER] = { "spoof_header", 550, "5.7.1",
	    "Rejected by header based Anti-Spoofing policy [{id}]",
	    "Anti-Spoofing Header Lockout", "" },
	[REASON_RECIPIENT_INVALID] = { "recipient_invalid", 550, "5.1.1",
	    "Invalid Recipient [{id}]", "Invalid Recipient Address", "" },
	[REASON_RECIPIENT_DISABLED] = { "recipient_disabled", 550, "5.2.1",
	    "Mailbox disabled [{id}]", "Invalid Recipient Address", "" },
	[REASON_RECIPIENT_UNKNOWN] = { "recipient_unknown", 451, "4.4.3",
	    "Recipient cannot be verified now, try later [{id}]",
	    "Deferred", "" },
	[REASON_SENDER_SYNTAX] = { "sender_syntax", 501, "5.1.7",
	    "Invalid sender address [{id}]", "Invalid Address", "" },
	[REASON_RECIPIENT_SYNTAX] = { "recipient_syntax", 501, "5.1.3",
	    "Invalid recipient address [{id}]", "Invalid Address", "" },
	[REASON_GREYLISTED] = { "greylisted", 451, "4.7.1",
	    "Temporarily deferred, please retry [{id}]",
	    "Connection Attempt", "" },
	[REASON_NO_SNAPSHOT] = { "no_snapshot", 451, "4.3.0",
	    "Temporary local problem [{id}]", "", "" },
	[REASON_INTERNAL] = { "internal", 451, "4.3.0",
	    "Temporary local problem [{id}]", "", "" },
	[REASON_SPLIT] = { "split", 452, "4.5.3", "Too many recipients "
	    "[{id}]", "", "" },
	/* the text is the mail server's own, in the event */
	[REASON_MTA_REFUSED] = { "mta_refused", 550, "5.0.0",
	    "Refused by the mail server", "Refused by Mail Server", "" },
};

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

const struct reply_info *
reply_info(enum reason r)
{
	return &catalogue[r];
}

int
reason_parse(const char *name, enum reason *out)
{
	int i;

	for (i = 0; i < REASONS; i++) {
		if (strcmp(catalogue[i].reason, name) == 0) {
			*out = (enum reason)i;
			return 0;
		}
	}
	return ERR_INVAL;
}

/* The text for v: a user's block does not tell that it is a user's unless
 * the organisation wants details. */
static const char *
text_for(const struct settings *s, const struct verdict *v)
{
	if (v->level == LEVEL_USER && s->reply_detail == REPLY_UNIFORM)
		return catalogue[v->reason == REASON_USER_BLOCKED_HEADER ?
		    REASON_BLOCKED_HEADER : REASON_BLOCKED_ENVELOPE].text;
	if (v->reason == REASON_USER_BLOCKED_ENVELOPE && v->user_domain)
		return "Envelope blocked - User Domain Entry [{id}]";
	return catalogue[v->reason].text;
}

/* Append so much of text as fits below end; where it ends. */
static char *
append(char *at, const char *end, const char *text, size_t len)
{
	if (len > (size_t)(end - at))
		len = (size_t)(end - at);
	memcpy(at, text, len);
	return at + len;
}

void
reply_make(const struct settings *s, enum enforcement e,
    const struct verdict *v, const char *id, struct reply *out)
{
	const struct reply_info *info = &catalogue[v->reason];
	const char *text = text_for(s, v), *mark = strstr(text, "{id}");
	char *at = out->text, *end = out->text + sizeof(out->text) - 1;
	size_t enhanced = strlen(info->enhanced), help = strlen(s->reply_help);

	memset(out, 0, sizeof(*out));
	out->code = info->code;
	memcpy(out->enhanced, info->enhanced, enhanced);
	out->continues = v->kind == VERDICT_ACCEPT || e == ENFORCE_OBSERVE;
	if (e == ENFORCE_SOFT && out->code >= 500) {
		out->code = 450;
		out->enhanced[0] = '4';
	}
	if (mark != NULL) {
		at = append(at, end, text, (size_t)(mark - text));
		at = append(at, end, id, strlen(id));
		text = mark + 4;
	}
	at = append(at, end, text, strlen(text));
	/* The line is code, enhanced code, text and URL: 200 octets. */
	if (help > 0 && v->kind != VERDICT_ACCEPT && 4 + enhanced + 1 +
	    (size_t)(at - out->text) + 1 + help <= REPLY_TEXT_MAX) {
		at = append(at, end, " ", 1);
		append(at, end, s->reply_help, help);
	}
}

/* Multiply by x in GF(32) modulo x^5 + x^2 + 1. */
static int
times_x(int v)
{
	v <<= 1;
	return (v & 32) != 0 ? v ^ 0x25 : v;
}

/*
 * The check value: sum of digit i times x^(i+1) in GF(32).  Any one wrong
 * character, and any two neighbours exchanged, give another value.
 */
static int
check_value(const int *digit)
{
	int sum = 0, i;

	for (i = REPLY_ID_LEN - 2; i >= 0; i--)
		sum = times_x(sum ^ digit[i]);
	return sum;
}

void
reply_id_of(const uint8_t random[REPLY_ID_RANDOM], char out[REPLY_ID_LEN + 1])
{
	int digit[REPLY_ID_LEN], i;

	/* 32 divides 256, so none is favoured */
	for (i = 0; i < REPLY_ID_LEN - 1; i++)
		digit[i] = random[i] % 32;
	digit[REPLY_ID_LEN - 1] = check_value(digit);
	for (i = 0; i < REPLY_ID_LEN; i++)
		out[i] = alphabet[digit[i]];
	out[REPLY_ID_LEN] = '\0';
}

void
reply_id_new(char out[REPLY_ID_LEN + 1])
{
	uint8_t random[REPLY_ID_RANDOM];

	randombytes_buf(random, sizeof(random));
	reply_id_of(random, out);
}

bool
reply_id_parse(const char *text, char out[REPLY_ID_LEN + 1])
{
	int digit[REPLY_ID_LEN], n = 0;
	char id[REPLY_ID_LEN + 1];

	for (; *text != '\0'; text++) {
		char c = *text;
		const char *at;

		if (c == '-' || c == ' ')
			continue;
		if (c >= 'a' && c <= 'z')
			c += 'A' - 'a';
		if (c == 'I' || c == 'L')
			c = '1';
		if (c == 'O')
			c = '0';
		if (n == REPLY_ID_LEN || (at = strchr(alphabet, c)) == NULL)
			return false;
		digit[n] = (int)(at - alphabet);
		id[n++] = c;
	}
	if (n != REPLY_ID_LEN ||
	    check_value(digit) != digit[REPLY_ID_LEN - 1])
		return false;
	id[n] = '\0';
	memcpy(out, id, sizeof(id));
	return true;
}
