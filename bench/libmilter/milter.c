/*
 * milter.c - a milter by libmilter, which does nothing: what the node's milter
 * front is measured against, and whose packets it must send.
 *
 * It negotiates what a node does, takes out headers that look like a node's
 * and sets one at the end of a message.  With -e it wants no end of headers,
 * as a node whose policy looks at none; with -r it refuses each recipient;
 * with -p it asks a policy server about each, as one would who has a policy
 * server and wants a milter.  Built where libmilter-dev is; nothing of Postern
 * is in it.
 *
 * usage: bench-libmilter -l inet:PORT@HOST [-e] [-r | -p SOCKET]
 */
#include <libmilter/mfapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define STEPS (SMFIP_NOBODY | SMFIP_NOUNKNOWN | SMFIP_NODATA | \
    SMFIP_NR_HDR | SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_RCPT_REJ)
#define ACTIONS (SMFIF_ADDHDRS | SMFIF_CHGHDRS)

static char decision[] = "X-Postern-Decision", bypass[] = "X-Postern-Bypass";
static char stands[] = "accepted";
static char code[] = "550", status[] = "5.7.1", refusal[] =
    "Administrative prohibition - envelope blocked [0123456789]";

static int refuse, envelope_only;
static const char *policy;

/* Of one connection. */
struct talk {
	int fd;			/* to the policy server; -1: none yet */
	int decisions, bypasses;	/* headers that look like a node's */
	char sender[512];
};

static sfsistat
on_negotiate(SMFICTX *ctx, unsigned long f0, unsigned long f1,
    unsigned long f2, unsigned long f3, unsigned long *pf0,
    unsigned long *pf1, unsigned long *pf2, unsigned long *pf3)
{
	static char connect[] = "_ {client_resolve}";
	static char mail[] = "i {auth_type} {auth_authen}";
	static char rcpt[] = "i {rcpt_addr} {rcpt_host} {rcpt_mailer}";
	static char end[] = "i";

	(void)f2;
	(void)f3;
	*pf0 = ACTIONS | (envelope_only ? 0 : SMFIF_DELRCPT);
	if ((f0 & *pf0) != *pf0)
		return SMFIS_REJECT;
	*pf0 |= f0 & SMFIF_SETSYMLIST;
	*pf1 = f1 & (STEPS | (envelope_only ? SMFIP_NOEOH : 0));
	*pf2 = *pf3 = 0;
	if ((f0 & SMFIF_SETSYMLIST) != 0) {
		smfi_setsymlist(ctx, SMFIM_CONNECT, connect);
		smfi_setsymlist(ctx, SMFIM_ENVFROM, mail);
		smfi_setsymlist(ctx, SMFIM_ENVRCPT, rcpt);
		smfi_setsymlist(ctx, SMFIM_EOM, end);
	}
	return SMFIS_CONTINUE;
}

static sfsistat
on_connect(SMFICTX *ctx, char *name, _SOCK_ADDR *address)
{
	struct talk *t = calloc(1, sizeof(*t));

	(void)name;
	(void)address;
	if (t == NULL)
		return SMFIS_TEMPFAIL;
	t->fd = -1;
	smfi_setpriv(ctx, t);
	return SMFIS_CONTINUE;
}

static sfsistat
on_helo(SMFICTX *ctx, char *name)
{
	(void)ctx;
	(void)name;
	return SMFIS_CONTINUE;
}

static sfsistat
on_mail(SMFICTX *ctx, char **arg)
{
	struct talk *t = smfi_getpriv(ctx);

	if (t == NULL)
		return SMFIS_TEMPFAIL;
	t->decisions = t->bypasses = 0;
	snprintf(t->sender, sizeof(t->sender), "%s", arg[0]);
	return SMFIS_CONTINUE;
}

static int
dial(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", policy);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* "<a@b>" without its brackets; borrowed. */
static int
bare_len(const char **text)
{
	size_t n = strlen(*text);

	if (n >= 2 && (*text)[0] == '<' && (*text)[n - 1] == '>') {
		*text += 1;
		n -= 2;
	}
	return (int)n;
}

/* What the policy server says. */
static sfsistat
ask(struct talk *t, const char *rcpt)
{
	char text[2048];
	const char *from = t->sender;
	int from_len = bare_len(&from), rcpt_len = bare_len(&rcpt);
	size_t n = 0;
	ssize_t got;
	int len;

	if (t->fd < 0 && (t->fd = dial()) < 0)
		return SMFIS_TEMPFAIL;
	len = snprintf(text, sizeof(text), "request=smtpd_access_policy\n"
	    "protocol_state=RCPT\nclient_address=198.51.100.7\n"
	    "sender=%.*s\nrecipient=%.*s\n\n", from_len, from, rcpt_len,
	    rcpt);
	if (write(t->fd, text, (size_t)len) != len)
		return SMFIS_TEMPFAIL;
	while (n < 2 || memcmp(text + n - 2, "\n\n", 2) != 0) {
		got = read(t->fd, text + n, sizeof(text) - 1 - n);
		if (got <= 0)
			return SMFIS_TEMPFAIL;
		n += (size_t)got;
	}
	text[n] = '\0';
	return strncasecmp(text, "action=dunno", 12) == 0 ? SMFIS_CONTINUE :
	    SMFIS_REJECT;
}

static sfsistat
on_rcpt(SMFICTX *ctx, char **arg)
{
	struct talk *t = smfi_getpriv(ctx);
	sfsistat says = refuse ? SMFIS_REJECT : SMFIS_CONTINUE;

	if (t == NULL)
		return SMFIS_TEMPFAIL;
	if (policy != NULL)
		says = ask(t, arg[0]);
	if (says == SMFIS_REJECT)
		smfi_setreply(ctx, code, status, refusal);
	return says;
}

static sfsistat
on_header(SMFICTX *ctx, char *name, char *value)
{
	struct talk *t = smfi_getpriv(ctx);

	(void)value;
	if (t != NULL)
		t->decisions += strcasecmp(name, decision) == 0;
	if (t != NULL)
		t->bypasses += strcasecmp(name, bypass) == 0;
	return SMFIS_CONTINUE;
}

static sfsistat
on_end_of_headers(SMFICTX *ctx)
{
	(void)ctx;
	return SMFIS_CONTINUE;
}

static sfsistat
on_end(SMFICTX *ctx)
{
	struct talk *t = smfi_getpriv(ctx);
	int i;

	for (i = t == NULL ? 0 : t->decisions; i > 0; i--)
		smfi_chgheader(ctx, decision, i, NULL);
	for (i = t == NULL ? 0 : t->bypasses; i > 0; i--)
		smfi_chgheader(ctx, bypass, i, NULL);
	smfi_addheader(ctx, decision, stands);
	return SMFIS_CONTINUE;
}

static sfsistat
on_close(SMFICTX *ctx)
{
	struct talk *t = smfi_getpriv(ctx);

	if (t != NULL && t->fd >= 0)
		close(t->fd);
	free(t);
	smfi_setpriv(ctx, NULL);
	return SMFIS_CONTINUE;
}

int
main(int argc, char **argv)
{
	static char name[] = "bench-libmilter";
	struct smfiDesc what = { .xxfi_name = name,
	    .xxfi_version = SMFI_VERSION, .xxfi_flags = ACTIONS |
	    SMFIF_DELRCPT | SMFIF_SETSYMLIST, .xxfi_connect = on_connect,
	    .xxfi_helo = on_helo, .xxfi_envfrom = on_mail,
	    .xxfi_envrcpt = on_rcpt, .xxfi_header = on_header,
	    .xxfi_eoh = on_end_of_headers, .xxfi_eom = on_end,
	    .xxfi_close = on_close, .xxfi_negotiate = on_negotiate };
	char *listen = NULL;
	int c;

	while ((c = getopt(argc, argv, "l:erp:")) != -1) {
		if (c == 'l')
			listen = optarg;
		else if (c == 'e') {
			envelope_only = 1;
			what.xxfi_eoh = NULL;
		}
		else if (c == 'r')
			refuse = 1;
		else if (c == 'p')
			policy = optarg;
		else
			return 2;
	}
	if (listen == NULL || smfi_setconn(listen) == MI_FAILURE ||
	    smfi_register(what) == MI_FAILURE) {
		fprintf(stderr, "usage: %s -l inet:PORT@HOST [-e] [-r | "
		    "-p SOCKET]\n", name);
		return 2;
	}
	return smfi_main() == MI_SUCCESS ? 0 : 1;
}
